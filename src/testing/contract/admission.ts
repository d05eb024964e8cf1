// Cases of the store contract: which request is admitted, on which rung, and what a refused one leaves behind (nothing).

import { MAX_AMOUNT } from '../../money/index.js'
import { Bench, equal, outcomeIs, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'

const amounts = (...microcents: number[]): { microcents: number; tokens: number }[] => microcents.map((each) => ({ microcents: each, tokens: 0 }))

/** See the head of this file. */
export const admissionCases: readonly StoreContractCase[] = [
  {
    name: 'admits a request that lands exactly on the limit, and after it not even one for nothing',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10))]
      outcomeIs(await bench.reserve(ann, { id: 'a', microcents: 11 }), 'refused', '11 of 10')
      await bench.hold(ann, { id: 'b', microcents: 4 })
      outcomeIs(await bench.reserve(ann, { id: 'c', microcents: 7 }), 'refused', '7 with 4 of 10 held')
      await bench.hold(ann, { id: 'd', microcents: 6 })
      outcomeIs(await bench.reserve(ann, { id: 'e', microcents: 0 }), 'refused', '0 with 10 of 10 held')
      equal(await bench.counted(...ann), [[0, 10]], 'spent and held')
    },
  },
  {
    name: 'blocks at a percentage below 100 as soon as the request reaches it',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, { block: 80 }))]
      outcomeIs(await bench.reserve(ann, { id: 'a', microcents: 8 }), 'refused', '8 of 10, where 80 % block')
      await bench.hold(ann, { id: 'b', microcents: 7 })
      await bench.hold(ann, { id: 'c', microcents: 0 })
    },
  },
  {
    name: 'refuses everything under a limit of 0, and counts without a limit where there is none',
    async run(open) {
      const bench = await Bench.at(open)
      outcomeIs(await bench.reserve([userOf('ann', windowOf(0))], { id: 'a' }), 'refused', '0 of 0')
      await bench.hold([userOf('bob', windowOf(null))], { id: 'b', microcents: 1_000_000_000 })
      equal(await bench.counted(userOf('bob', windowOf(null))), [[0, 1_000_000_000]], 'held without a limit')
    },
  },
  {
    name: 'tests spent and held together, in money, tokens and requests',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10), windowOf(100, { unit: 'tokens' }), windowOf(3, { unit: 'requests' }))]
      await bench.spend(ann, 'a', 3, 40)
      await bench.hold(ann, { id: 'b', microcents: 3, tokens: 40 })
      equal(await bench.counted(...ann), [[3, 3], [40, 40], [2, 0]], 'spent and held')
      outcomeIs(await bench.reserve(ann, { id: 'c', microcents: 5 }), 'refused', 'money that does not fit')
      outcomeIs(await bench.reserve(ann, { id: 'd', tokens: 21 }), 'refused', 'tokens that do not fit')
      await bench.hold(ann, { id: 'e' })
      outcomeIs(await bench.reserve(ann, { id: 'f' }), 'refused', 'the fourth request of three')
    },
  },
  {
    name: 'opens one hold in all windows of all scopes, or changes none of them',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = userOf('ann', windowOf(100), windowOf(100, { unit: 'requests' }))
      const team = teamOf('search', windowOf(100, { rollingMs: 3_600_000 }))
      const tight = teamOf('ads', windowOf(5))
      await bench.hold([ann, team, tight], { id: 'a', microcents: 4 })
      equal(await bench.counted(ann, team, tight), [[0, 4], [1, 0], [0, 4], [0, 4]], 'after an admission')
      outcomeIs(await bench.reserve([ann, team, tight], { id: 'b', microcents: 2 }), 'refused', 'what the last scope has no room for')
      outcomeIs(await bench.reserve([tight, team, ann], { id: 'c', microcents: 2 }), 'refused', 'what the first scope has no room for')
      equal(await bench.counted(ann, team, tight), [[0, 4], [1, 0], [0, 4], [0, 4]], 'after the refusals')
    },
  },
  {
    name: 'remembers no refusal: the id is free, and the same request is tested anew',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10))]
      await bench.hold(ann, { id: 'a', microcents: 8 })
      outcomeIs(await bench.reserve(ann, { id: 'b', microcents: 5 }), 'refused', 'before there is room')
      outcomeIs(await bench.settle({ id: 'b', microcents: 1 }), 'unknown-hold', 'settle of a refused request')
      await bench.release({ id: 'a' })
      await bench.hold(ann, { id: 'b', microcents: 6, fingerprint: 'another request' })
    },
  },
  {
    name: 'gives the windows as they stood before the request, in its order, with their boundaries',
    async run(open) {
      const bench = await Bench.at(open)
      const scopes = [userOf('ann', windowOf(10), windowOf(9, { unit: 'requests', period: 'total' })), teamOf('search', windowOf(null, { period: 'monthly' }))]
      await bench.spend(scopes, 'a', 2)
      const { readings, now } = await bench.hold(scopes, { id: 'b', microcents: 3 })
      const day = [Date.UTC(2026, 0, 15), Date.UTC(2026, 0, 16)]
      equal(readings, [...day, 2, 0, 0, MAX_AMOUNT, 1, 0, Date.UTC(2026, 0, 1), Date.UTC(2026, 1, 1), 2, 0], 'readings of an admission')
      equal(now, bench.clock(), 'store time')
      const refused = await bench.reserve(scopes, { id: 'c', microcents: 30 })
      equal('readings' in refused ? refused.readings.slice(0, 4) : [], [...day, 2, 3], 'readings of a refusal')
    },
  },
  {
    name: 'takes the first cheaper rung that fits where rung 0 hits a degrade threshold',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(100, { degrade: 90 }))]
      equal((await bench.hold(ann, { id: 'a', rungs: amounts(89, 50, 10) })).rung, 0, 'rung below the threshold')
      await bench.release({ id: 'a' })
      const degraded = await bench.hold(ann, { id: 'b', rungs: amounts(90, 50, 10) })
      equal([degraded.rung, degraded.degrade], [1, true], 'rung and degrade at the threshold')
      equal(await bench.counted(...ann), [[0, 50]], 'the amount of the chosen rung is held')
      equal((await bench.hold(ann, { id: 'c', rungs: amounts(120, 60, 45) })).rung, 2, 'rung where only the last fits')
      const last = await bench.hold(ann, { id: 'd', rungs: amounts(2, 6, 7) })
      equal([last.rung, last.degrade], [0, true], 'rung 0 where no cheaper one fits and it is not blocked')
      outcomeIs(await bench.reserve(ann, { id: 'e', rungs: amounts(9, 8, 7) }), 'refused', 'where every rung is blocked')
    },
  },
  {
    name: 'heeds what request policies say of the rungs',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(100, { degrade: 90 }))]
      equal((await bench.hold(ann, { id: 'a', rungs: amounts(9, 8, 7), refusedRungs: [true, true, false] })).rung, 2, 'rung where the first two are refused')
      outcomeIs(await bench.reserve(ann, { id: 'b', rungs: amounts(9, 8), refusedRungs: [true, true] }), 'refused', 'where all are refused')
      const said = await bench.hold(ann, { id: 'c', rungs: amounts(9, 8), degrade: true })
      equal([said.rung, said.degrade], [1, true], 'where a policy says DEGRADE')
      outcomeIs(await bench.reserve(ann, { id: 'd', rungs: amounts(80), degradeBlocks: true }), 'refused', 'a degrade threshold that blocks')
      await bench.hold(ann, { id: 'e', rungs: amounts(70), degradeBlocks: true })
    },
  },
  {
    name: 'admits no more than fits when many ask at the same time, and as much as fits',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10)), teamOf('search', windowOf(7))]
      const replies = await Promise.all(Array.from({ length: 20 }, (_, index) => bench.reserve(ann, { id: `id ${index}`, microcents: 2 })))
      equal(replies.filter((reply) => reply.outcome === 'admitted').length, 3, 'admissions of 2 under 7')
      equal(await bench.counted(...ann), [[0, 6], [0, 6]], 'held')
    },
  },
  {
    name: 'is exact near 2^53 − 1, and a settle past it stays there and blocks',
    async run(open) {
      const bench = await Bench.at(open)
      const free = [userOf('ann', windowOf(null))]
      await bench.hold(free, { id: 'a', microcents: MAX_AMOUNT - 3 })
      outcomeIs(await bench.reserve(free, { id: 'b', microcents: 4 }), 'refused', 'one more than 2^53 − 1')
      await bench.hold(free, { id: 'c', microcents: 2 })
      equal(await bench.counted(...free), [[0, MAX_AMOUNT - 1]], 'held')
      await bench.settle({ id: 'a', microcents: MAX_AMOUNT })
      await bench.settle({ id: 'c', microcents: 5 })
      equal(await bench.counted(...free), [[MAX_AMOUNT, 0]], 'a counter that would pass 2^53 − 1')
      outcomeIs(await bench.reserve(free, { id: 'd' }), 'refused', 'a request after that')
      equal((await bench.ledger()).at(-1), 'settled c 5 0', 'the ledger keeps the truth')
    },
  },
]
