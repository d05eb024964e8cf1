// Cases of the store contract: each threshold of each window instance is announced once (DESIGN 3.5).

import { Bench, DAY, equal, HOUR, MINUTE, outcomeIs, SECOND, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'

const ALERTS = { alerts: [50, 80, 100] }

/** See the head of this file. */
export const alertCases: readonly StoreContractCase[] = [
  {
    name: 'announces thresholds when they are reached by spending, never by holding, ascending, each once',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(100, ALERTS))]
      await bench.hold(ann, { id: 'a', microcents: 90 })
      equal(bench.alerts(), [], 'while 90 are held')
      await bench.settle({ id: 'a', microcents: 49 })
      equal(bench.alerts(), [], 'at 49')
      await bench.spend(ann, 'b', 1)
      equal(bench.alerts(), ['ann daily/usd 50'], 'at 50')
      await bench.spend(ann, 'c', 50)
      equal(bench.alerts(), ['ann daily/usd 80', 'ann daily/usd 100'], 'at 100')
      await bench.record(ann, { id: 'd', microcents: 200 })
      equal(bench.alerts(), [], 'far above')
    },
  },
  {
    name: 'tells with an alert where its window stands, under an id of its own',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([userOf('ann', windowOf(10, ALERTS)), teamOf('search', windowOf(10, ALERTS))], 'a', 9)
      const alerts = bench.effects.flatMap((effect) => (effect.kind === 'threshold' ? [effect] : []))
      equal(new Set(alerts.map(({ alertId }) => alertId)).size, 4, 'different ids')
      const { alertId: _, ...first } = alerts[0] ?? { alertId: '' }
      const day = { startsAt: Date.UTC(2026, 0, 15), endsAt: Date.UTC(2026, 0, 16) }
      equal(first, { kind: 'threshold', scope: { kind: 'user', id: 'ann' }, window: 'daily/usd', unit: 'usd', thresholdPct: 50, limit: 10, spent: 9, ...day }, 'the first alert')
    },
  },
  {
    name: 'announces nothing again after a refund, and everything anew in the next window',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, ALERTS))]
      await bench.spend(ann, 'a', 10)
      equal(bench.alerts().length, 3, 'alerts')
      await bench.refund({ id: 'r', microcents: 10 })
      await bench.record(ann, { id: 'b', microcents: 10 })
      equal(bench.alerts(), [], 'after the refund')
      bench.clock.advance(DAY)
      await bench.spend(ann, 'c', 10)
      equal(bench.alerts().length, 3, 'alerts of the next day')
    },
  },
  {
    name: 'arms thresholds again only under a limit above the highest that the window has seen',
    async run(open) {
      const bench = await Bench.at(open)
      const under = (limit: number): ReturnType<typeof userOf>[] => [userOf('ann', windowOf(limit, ALERTS))]
      await bench.record(under(10), { id: 'a', microcents: 8 })
      equal(bench.alerts(), ['ann daily/usd 50', 'ann daily/usd 80'], 'under 10')
      await bench.record(under(5), { id: 'b', microcents: 0 })
      equal(bench.alerts(), ['ann daily/usd 100'], 'under 5: only what was not announced')
      await bench.record(under(10), { id: 'c', microcents: 1 })
      equal(bench.alerts(), [], 'under 10 again')
      await bench.record(under(16), { id: 'd', microcents: 0 })
      equal(bench.alerts(), ['ann daily/usd 50'], 'under 16')
    },
  },
  {
    name: 'announces what a hold crosses by expiring, also where the operation that noticed it fails',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, ALERTS))]
      await bench.hold(ann, { id: 'a', microcents: 6, ttlMs: SECOND })
      bench.clock.advance(MINUTE)
      await bench.standings(...ann)
      equal(bench.alerts(), ['ann daily/usd 50'], 'after an expiry')
      await bench.hold(ann, { id: 'b', microcents: 3, ttlMs: SECOND })
      bench.clock.advance(MINUTE)
      outcomeIs(await bench.extend({ id: 'b', ttlMs: HOUR }), 'already-ended', 'extend of an expired hold', 'expired')
      await bench.standings(...ann)
      equal(bench.alerts(), ['ann daily/usd 80'], 'after an expiry that a failed operation noticed')
    },
  },
  {
    name: 'announces a rolling window at most once in its length',
    async run(open) {
      const bench = await Bench.at(open)
      const team = [teamOf('search', windowOf(10, { rollingMs: HOUR, alerts: [80] }))]
      await bench.record(team, { id: 'a', microcents: 8 })
      equal(bench.alerts(), [`search rolling:${HOUR}/usd 80`], 'the first time')
      bench.clock.advance(HOUR - 1)
      await bench.record(team, { id: 'b', microcents: 8 })
      equal(bench.alerts(), [], 'within the length')
      bench.clock.advance(1)
      await bench.record(team, { id: 'c', microcents: 1 })
      equal(bench.alerts(), [`search rolling:${HOUR}/usd 80`], 'after the length')
    },
  },
  {
    name: 'announces rate limits when requests are admitted, and nothing for what has no limit',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(2, { ...ALERTS, unit: 'requests' }), windowOf(null, ALERTS))]
      await bench.hold(ann, { id: 'a', microcents: 1_000 })
      equal(bench.alerts(), ['ann daily/requests 50'], 'after the first of two')
      await bench.settle({ id: 'a', microcents: 1_000 })
      await bench.hold(ann, { id: 'b' })
      equal(bench.alerts(), ['ann daily/requests 80', 'ann daily/requests 100'], 'after the second')
    },
  },
  {
    name: 'announces nothing that was refused, released or replayed',
    async run(open) {
      const bench = await Bench.at(open)
      const ann = [userOf('ann', windowOf(10, ALERTS))]
      outcomeIs(await bench.reserve(ann, { id: 'a', microcents: 11 }), 'refused', '11 of 10')
      await bench.hold(ann, { id: 'b', microcents: 10 })
      await bench.release({ id: 'b' })
      equal(bench.alerts(), [], 'after a refusal and a release')
      await bench.spend(ann, 'c', 5)
      equal(bench.alerts(), ['ann daily/usd 50'], 'after a settle')
      await bench.settle({ id: 'c', microcents: 5, tokens: 0 })
      await bench.hold(ann, { id: 'c', microcents: 5 })
      equal(bench.alerts(), [], 'after its repetition')
    },
  },
]
