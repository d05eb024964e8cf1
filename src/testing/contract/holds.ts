// Cases of the store contract: what the life of a hold has beside its table: repetition, due times, retention of ids.

import { named } from './hold-table.js'
import { Bench, DAY, equal, HOUR, MINUTE, outcomeIs, SECOND, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'

const ann = [userOf('ann', windowOf(100), windowOf(100, { unit: 'tokens' }))]
const HELD = { microcents: 10, tokens: 20 }

/** See the head of this file. */
export const holdCases: readonly StoreContractCase[] = [
  {
    name: 'answers a repeated reserve with the first result, whatever has happened since',
    async run(open) {
      const bench = await Bench.at(open)
      const first = await bench.hold(ann, { id: 'x', ...HELD })
      await bench.spend(ann, 'y', 30)
      bench.clock.advance(5 * MINUTE)
      const again = await bench.hold(ann, { id: 'x', ...HELD })
      equal([again.readings, again.now, again.dueAt, again.rung], [first.readings, first.now, first.dueAt, first.rung], 'the first result')
      equal([again.replay?.state, again.replay?.rungs], ['open', [HELD]], 'how the hold stands')
      bench.clock.advance(DAY - 5 * MINUTE)
      equal((await bench.hold(ann, { id: 'x', ...HELD })).replay?.state, 'expired', 'how it stands a day later')
      equal(await bench.counted(...ann), [[0, 0], [0, 0]], 'the new day')
    },
  },
  {
    name: 'opens one hold for one id when it is asked for many times at once',
    async run(open) {
      const bench = await Bench.at(open)
      const replies = await Promise.all(Array.from({ length: 8 }, () => bench.hold(ann, { id: 'x', ...HELD })))
      equal(replies.filter((reply) => reply.replay === undefined).length, 1, 'first results')
      await Promise.all(Array.from({ length: 8 }, () => bench.settle({ id: 'x', microcents: 4, tokens: 5 })))
      equal(await bench.counted(...ann), [[4, 0], [5, 0]], 'charged once')
      equal((await bench.ledger()).length, 1, 'ledger entries')
    },
  },
  {
    name: 'holds for longer after an extend, from then on',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'x', ...HELD })
      bench.clock.advance(9 * MINUTE)
      const extended = await bench.extend({ id: 'x', ttlMs: 10 * MINUTE })
      equal('dueAt' in extended ? extended.dueAt : 0, bench.clock() + 10 * MINUTE, 'new due time')
      bench.clock.advance(10 * MINUTE - 1)
      equal(await bench.counted(...ann), [[0, 10], [0, 20]], 'before the new due time')
      bench.clock.advance(1)
      equal(await bench.counted(...ann), [[10, 0], [20, 0]], 'at the new due time')
    },
  },
  {
    name: 'ends holds that are due in the order of their due times, then of their ids, and tells of each once',
    async run(open) {
      const bench = await Bench.at(open)
      for (const [id, ttlMs] of [['c', 2 * SECOND], ['b', SECOND], ['a', 2 * SECOND]] as const) await bench.hold(ann, { id, microcents: 1, ttlMs })
      bench.clock.advance(MINUTE)
      await bench.standings(...ann)
      await bench.standings(...ann)
      const expired = bench.effects.flatMap((effect) => (effect.kind === 'hold-expired' ? [effect.id] : []))
      equal(expired, ['b', 'a', 'c'], 'expired holds')
      equal(await bench.ledger(), ['expired b 1 0', 'expired a 1 0', 'expired c 1 0'], 'ledger')
    },
  },
  {
    name: 'tells of a hold that expired also where the operation that noticed it fails',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'x', ...HELD })
      bench.clock.advance(HOUR)
      outcomeIs(await bench.extend({ id: 'x', ttlMs: HOUR }), 'already-ended', 'extend of an expired hold', 'expired')
      await bench.standings(...ann)
      equal(bench.effects.filter((effect) => effect.kind === 'hold-expired').length, 1, 'how often it was told')
    },
  },
  {
    name: 'remembers given ids for 24 h after the end, generated ones for 60 s, and expired holds for 24 h',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'given', 1)
      await bench.hold(ann, { id: 'generated', microcents: 1, idGiven: false })
      await bench.settle({ id: 'generated', microcents: 1, tokens: 0 })
      await bench.hold(ann, { id: 'expiring', microcents: 1, idGiven: false, ttlMs: SECOND })
      bench.clock.advance(MINUTE - 1)
      outcomeIs(await bench.settle({ id: 'generated', microcents: 1, tokens: 0 }), 'settled', 'a generated id within 60 s')
      bench.clock.advance(1)
      outcomeIs(await bench.settle({ id: 'generated', microcents: 1, tokens: 0 }), 'unknown-hold', 'a generated id after 60 s')
      bench.clock.advance(DAY - MINUTE - 1)
      outcomeIs(await bench.settle({ id: 'given', microcents: 1, tokens: 0 }), 'settled', 'a given id within 24 h')
      bench.clock.advance(1)
      outcomeIs(await bench.settle({ id: 'given', microcents: 1, tokens: 0 }), 'unknown-hold', 'a given id after 24 h')
      bench.clock.advance(SECOND - 1)
      outcomeIs(await bench.release({ id: 'expiring' }), 'released', 'an expired hold within 24 h')
      bench.clock.advance(1)
      outcomeIs(await bench.release({ id: 'expiring' }), 'unknown-hold', 'an expired hold after 24 h')
      await bench.hold(ann, { id: 'given', microcents: 1, fingerprint: 'another request' })
    },
  },
  {
    name: 'keeps one space of ids for holds, recorded costs and refunds',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 5)
      outcomeIs(await bench.refund({ id: 'a', microcents: 1 }), 'id-reused', 'refund with the id of a hold')
      outcomeIs(await bench.refund({ id: 'r', microcents: 1 }), 'refunded', 'refund')
      outcomeIs(await bench.reserve(ann, { id: 'r', microcents: 1 }), 'id-reused', 'reserve with the id of a refund')
      outcomeIs(await bench.record(ann, { id: 'r', microcents: 1 }), 'id-reused', 'record with the id of a refund')
    },
  },
  {
    name: 'counts a recorded cost once, and whatever the limits say',
    async run(open) {
      const bench = await Bench.at(open)
      const tight = [userOf('ann', windowOf(5))]
      outcomeIs(await bench.record(tight, { id: 'x', microcents: 9 }), 'recorded', 'a cost above the limit')
      equal(named(await bench.record(tight, { id: 'x', microcents: 9 })), 'recorded again', 'the same once more')
      outcomeIs(await bench.record(tight, { id: 'x', microcents: 8, fingerprint: 'others' }), 'id-reused', 'other arguments')
      equal(await bench.counted(...tight), [[9, 0]], 'spent')
      outcomeIs(await bench.reserve(tight, { id: 'y' }), 'refused', 'the next request')
    },
  },
  {
    name: 'counts a late settle also in a scope that has been idle since',
    async run(open) {
      const bench = await Bench.at(open)
      const team = teamOf('idle', windowOf(10, { rollingMs: MINUTE }))
      await bench.hold([team], { id: 'x', microcents: 1, ttlMs: SECOND })
      bench.clock.advance(HOUR)
      for (let index = 0; index < 20; index += 1) await bench.hold([teamOf(`other ${index}`, windowOf(10))], { id: `other ${index}` })
      outcomeIs(await bench.settle({ id: 'x', microcents: 8, tokens: 0 }), 'settled', 'a late settle')
      equal(await bench.counted(team), [[7, 0]], 'what the settle added counts from now on')
      outcomeIs(await bench.reserve([team], { id: 'y', microcents: 4 }), 'refused', 'what no longer fits')
    },
  },
]
