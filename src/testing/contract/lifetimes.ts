// Cases of the store contract: scopes that live once, such as sessions, whose total ends with them.

import { Lifetime } from '../../time/index.js'
import type { ScopeTerms } from '../../store/index.js'
import { Bench, DAY, equal, HOUR, isClean, outcomeIs, userOf, windowOf, type StoreContractCase } from './kit.js'

const START = Date.UTC(2026, 0, 15, 12)

/** A session of ann that lives for an hour, with a cap in USD; its tokens are counted. */
function sessionOf(id: string, limit: number | null, startsAt = START): ScopeTerms {
  const source = { kind: 'calendar' as const, calendar: new Lifetime({ startsAt, endsAt: startsAt + HOUR }) }
  const windows = [windowOf(limit, { period: 'total' }), windowOf(null, { period: 'total', unit: 'tokens' })].map((window) => ({ ...window, source }))
  return { scope: { kind: 'session', id: `ann/${id}` }, key: `session//ann/${id}`, windows }
}

const ann = userOf('ann', windowOf(1_000))

/** See the head of this file. */
export const lifetimeCases: readonly StoreContractCase[] = [
  {
    name: 'counts a session beside its user, and in those that it is nested in, or in none',
    async run(open) {
      const bench = await Bench.at(open)
      const [outer, inner] = [sessionOf('outer', 10), sessionOf('inner', 100)]
      await bench.spend([ann, inner, outer], 'a', 6, 3)
      await bench.hold([ann, outer], { id: 'b', microcents: 1 })
      outcomeIs(await bench.reserve([ann, inner, outer], { id: 'c', microcents: 4 }), 'refused', 'a request for which the outer one has no room')
      equal(await bench.counted(ann, inner, outer), [[6, 1], [6, 0], [3, 0], [6, 1], [3, 0]], 'what is counted')
      await bench.refund({ id: 'r', microcents: 2, of: 'a' })
      equal(await bench.counted(inner, outer), [[4, 0], [3, 0], [4, 1], [3, 0]], 'after a refund')
      await isClean(bench, 'of sessions')
    },
  },
  {
    name: 'ends a session at its end: what comes after it has nothing of it, and a late settle is the ledger’s alone',
    async run(open) {
      const bench = await Bench.at(open)
      const session = sessionOf('run', 10)
      equal(await bench.standings(session), [{ startsAt: START, endsAt: START + HOUR, spent: 0, held: 0 }, { startsAt: START, endsAt: START + HOUR, spent: 0, held: 0 }], 'an unused one')
      await bench.hold([ann, session], { id: 'late', microcents: 4, ttlMs: DAY })
      await bench.spend([ann, session], 'a', 5)
      bench.clock.advance(HOUR - 1)
      equal(await bench.counted(session), [[5, 4], [0, 0]], 'just before its end')
      bench.clock.advance(1)
      equal(await bench.standings(session), [{ startsAt: START + HOUR, endsAt: START + 2 * HOUR, spent: 0, held: 0 }, { startsAt: START + HOUR, endsAt: START + 2 * HOUR, spent: 0, held: 0 }], 'at its end')
      await bench.settle({ id: 'late', microcents: 3 })
      equal(await bench.counted(ann, session), [[8, 0], [0, 0], [0, 0]], 'after a late settle')
      await isClean(bench, 'after the end')
    },
  },
  {
    name: 'may forget a session that has ended, and lets another one take its name',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([ann, sessionOf('run', 10)], 'a', 9)
      bench.clock.advance(2 * DAY)
      for (let user = 0; user < 30; user += 1) await bench.spend([userOf(`u${user}`, windowOf(10))], `u${user}`, 1)
      await isClean(bench, 'once it may be forgotten')
      const again = sessionOf('run', 10, START + 2 * DAY)
      equal(await bench.counted(again), [[0, 0], [0, 0]], 'another one of that name')
      await bench.spend([ann, again], 'b', 7)
      outcomeIs(await bench.reserve([ann, again], { id: 'c', microcents: 4 }), 'refused', 'a request for which it has no room')
      equal(await bench.standings(again), [{ startsAt: START + 2 * DAY, endsAt: START + 2 * DAY + HOUR, spent: 7, held: 0 }, { startsAt: START + 2 * DAY, endsAt: START + 2 * DAY + HOUR, spent: 0, held: 0 }], 'as it stands')
      await isClean(bench, 'of both')
    },
  },
]
