// Cases of the store contract: when windows turn, what counts in which of them, and clocks that go wrong.

import { rollingRule } from '../../time/index.js'
import { Bench, DAY, equal, HOUR, MINUTE, outcomeIs, SECOND, userOf, windowOf, type StoreContractCase } from './kit.js'

/** See the head of this file. */
export const windowCases: readonly StoreContractCase[] = [
  {
    name: 'begins a calendar window anew at its end, and says so for one that was used',
    async run(open) {
      const bench = await Bench.at(open, '2026-01-15T23:59:59.999Z')
      const ann = [userOf('ann', windowOf(10), windowOf(100, { period: 'monthly' }), windowOf(1_000, { period: 'total' }))]
      await bench.spend(ann, 'a', 10)
      outcomeIs(await bench.reserve(ann, { id: 'b', microcents: 1 }), 'refused', 'a request before midnight')
      bench.clock.advance(1)
      bench.effects.splice(0)
      equal(await bench.counted(...ann), [[0, 0], [10, 0], [10, 0]], 'at midnight')
      await bench.hold(ann, { id: 'c', microcents: 1 })
      const resets = bench.effects.flatMap((effect) => (effect.kind === 'window-reset' ? [[effect.window, effect.startsAt, effect.endsAt]] : []))
      equal(resets, [['daily/usd', Date.UTC(2026, 0, 16), Date.UTC(2026, 0, 17)]], 'windows that began anew')
      bench.clock.set(Date.UTC(2026, 1, 1))
      equal(await bench.counted(...ann), [[0, 0], [0, 0], [11, 0]], 'in the next month')
    },
  },
  {
    name: 'charges a hold to the window in which it was placed, also when it ends in a later one',
    async run(open) {
      const bench = await Bench.at(open, '2026-01-15T23:59:00Z')
      const ann = [userOf('ann', windowOf(10), windowOf(100, { period: 'monthly' }))]
      await bench.hold(ann, { id: 'a', microcents: 9 })
      bench.clock.advance(2 * MINUTE)
      equal(await bench.counted(...ann), [[0, 0], [0, 9]], 'held after midnight')
      await bench.hold(ann, { id: 'b', microcents: 9 })
      await bench.settle({ id: 'a', microcents: 8 })
      equal(await bench.counted(...ann), [[0, 9], [8, 9]], 'after the settle')
      await bench.release({ id: 'b' })
      equal(await bench.counted(...ann), [[0, 0], [8, 0]], 'after the release')
    },
  },
  {
    name: 'has a day of 23 hours and one of 25 where the zone has them',
    async run(open) {
      const berlin = [userOf('ann', windowOf(10, { timeZone: 'Europe/Berlin' }))]
      const spring = await Bench.at(open, '2026-03-29T10:00:00Z')
      await spring.hold(berlin, { id: 'a' })
      const [short] = await spring.standings(...berlin)
      equal([short?.startsAt, short?.endsAt], [Date.UTC(2026, 2, 28, 23), Date.UTC(2026, 2, 29, 22)], 'the day on which clocks go forward')
      const autumn = await Bench.at(open, '2026-10-25T10:00:00Z')
      await autumn.hold(berlin, { id: 'a' })
      const [long] = await autumn.standings(...berlin)
      equal([long?.startsAt, long?.endsAt], [Date.UTC(2026, 9, 24, 22), Date.UTC(2026, 9, 25, 23)], 'the day on which clocks go back')
    },
  },
  {
    name: 'takes a change of zone when the running window ends, without gap or overlap',
    async run(open) {
      const bench = await Bench.at(open)
      const before = [userOf('ann', windowOf(10, { timeZone: 'UTC' }))]
      const after = [userOf('ann', windowOf(10, { timeZone: 'America/New_York' }))]
      await bench.spend(before, 'a', 6)
      const [kept] = await bench.standings(...after)
      equal(kept, { startsAt: Date.UTC(2026, 0, 15), endsAt: Date.UTC(2026, 0, 16), spent: 6, held: 0 }, 'the running window')
      outcomeIs(await bench.reserve(after, { id: 'b', microcents: 5 }), 'refused', 'a request in the new zone, in the old window')
      bench.clock.set(Date.UTC(2026, 0, 16))
      const [next] = await bench.standings(...after)
      equal(next, { startsAt: Date.UTC(2026, 0, 16), endsAt: Date.UTC(2026, 0, 16, 5), spent: 0, held: 0 }, 'the first window of the new zone, cut at the old end')
      await bench.spend(after, 'c', 10)
      bench.clock.set(Date.UTC(2026, 0, 16, 5))
      const [whole] = await bench.standings(...after)
      equal(whole, { startsAt: Date.UTC(2026, 0, 16, 5), endsAt: Date.UTC(2026, 0, 17, 5), spent: 0, held: 0 }, 'the first whole window of the new zone')
    },
  },
  {
    name: 'counts in a rolling window what was spent in its trailing period, for at most a bucket longer',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, { rollingMs: HOUR }))]
      await bench.spend(ann, 'a', 6)
      bench.clock.advance(30 * MINUTE)
      await bench.spend(ann, 'b', 3)
      bench.clock.advance(30 * MINUTE - 1)
      equal(await bench.counted(...ann), [[9, 0]], 'within the hour')
      bench.clock.advance(rollingRule(HOUR).bucketMs + 1)
      equal(await bench.counted(...ann), [[3, 0]], 'an hour and a bucket after the first')
      bench.clock.advance(30 * MINUTE)
      equal(await bench.counted(...ann), [[0, 0]], 'an hour and a bucket after the second')
    },
  },
  {
    name: 'holds in a rolling window as long as a hold is open, and spends when it is settled',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, { rollingMs: MINUTE }))]
      await bench.hold(ann, { id: 'a', microcents: 8, ttlMs: HOUR })
      bench.clock.advance(30 * MINUTE)
      equal(await bench.counted(...ann), [[0, 8]], 'half an hour later')
      outcomeIs(await bench.reserve(ann, { id: 'b', microcents: 3 }), 'refused', 'what does not fit beside it')
      await bench.settle({ id: 'a', microcents: 7 })
      equal(await bench.counted(...ann), [[7, 0]], 'after the settle')
      bench.clock.advance(2 * MINUTE)
      equal(await bench.counted(...ann), [[0, 0]], 'two minutes later')
    },
  },
  {
    name: 'counts requests when they are admitted, and keeps counting one that was released',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(2, { unit: 'requests', rollingMs: MINUTE }))]
      await bench.hold(ann, { id: 'a' })
      await bench.release({ id: 'a' })
      await bench.hold(ann, { id: 'b' })
      equal(await bench.counted(...ann), [[2, 0]], 'requests')
      const refused = await bench.reserve(ann, { id: 'c' })
      outcomeIs(refused, 'refused', 'the third of two')
      const freeing = 'freeing' in refused ? (refused.freeing.get(0) ?? []) : []
      equal(freeing.map(({ amount }) => amount), [2], 'what will leave the window')
      bench.clock.set(freeing[0]?.at ?? 0)
      await bench.hold(ann, { id: 'd' })
    },
  },
  {
    name: 'puts what a late settle adds into the present of a rolling window, and takes what it gives back from the past',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(100, { rollingMs: HOUR }))]
      await bench.hold(ann, { id: 'more', microcents: 10, ttlMs: SECOND })
      await bench.hold(ann, { id: 'less', microcents: 10, ttlMs: SECOND })
      bench.clock.advance(50 * MINUTE)
      await bench.settle({ id: 'more', microcents: 14, tokens: 0 })
      await bench.settle({ id: 'less', microcents: 3, tokens: 0 })
      equal(await bench.counted(...ann), [[17, 0]], 'after the late settles')
      bench.clock.advance(20 * MINUTE)
      equal(await bench.counted(...ann), [[4, 0]], 'when the past has left the window')
    },
  },
  {
    name: 'stands still while its clock goes back, and goes on when the clock has caught up',
    async run(open) {
      const bench = await Bench.at(open, '2026-01-16T00:00:00Z')
      const ann = [userOf('ann', windowOf(10))]
      await bench.spend(ann, 'a', 4)
      bench.clock.set(Date.UTC(2026, 0, 15, 12))
      const { now, dueAt } = await bench.hold(ann, { id: 'b', microcents: 3, ttlMs: MINUTE })
      equal([now, dueAt], [Date.UTC(2026, 0, 16), Date.UTC(2026, 0, 16, 0, 1)], 'store time')
      equal(await bench.counted(...ann), [[4, 3]], 'the window')
      bench.clock.set(Date.UTC(2026, 0, 16, 0, 1))
      equal(await bench.counted(...ann), [[7, 0]], 'when the hold is due')
    },
  },
  {
    name: 'counts each scope apart, also where names look alike',
    async run(open) {
      const bench = await Bench.at(open)
      const scopes = [userOf('a/b', windowOf(10)), { scope: { kind: 'user', id: 'b', tenant: 'a' }, key: 'user/a/b', windows: [windowOf(10)] }, userOf('b', windowOf(10))]
      for (const [index, scope] of scopes.entries()) await bench.hold([scope], { id: `id ${index}`, microcents: index + 1 })
      equal(await bench.counted(...scopes), [[0, 1], [0, 2], [0, 3]], 'held')
    },
  },
  {
    name: 'finds what was counted in a window whoever asks, and starts with nothing in one that is new to the scope',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([userOf('ann', windowOf(10), windowOf(null, { period: 'weekly' }))], 'a', 6)
      const another = userOf('ann', windowOf(50, { period: 'monthly' }), windowOf(20, { period: 'weekly' }), windowOf(5))
      equal(await bench.counted(another), [[0, 0], [6, 0], [6, 0]], 'other limits on the same windows')
      outcomeIs(await bench.reserve([another], { id: 'b' }), 'refused', 'under a limit that is now lower')
      bench.clock.advance(DAY)
      await bench.hold([another], { id: 'c', microcents: 1 })
      equal(await bench.counted(another), [[0, 1], [6, 1], [0, 1]], 'the next day')
    },
  },
]
