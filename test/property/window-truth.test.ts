// WINDOW-TRUTH: calendar windows tile time in the budget's own time zone, without gap or overlap, through every daylight-saving
// change, and those of a subscription from whatever period was paid for; a rolling window never counts less than was spent in its
// trailing period.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bucketExpiresAt, bucketIndex, calendarFor, rollingRule, rollingSpan, subscriptionCalendarFor } from '../../src/time/index.js'
import type { CalendarRule, PaidPeriod, RenewalStep, Span, Weekday } from '../../src/time/index.js'
import { Oracle } from '../support/time/oracle.js'
import { monthsAfter, plusMonths, subscriptionWindow } from '../support/time/subscription-oracle.js'
import type { SweepReport } from '../support/time/sweep.js'
import { everyZone } from '../support/time/zones.js'

const sweepFile = fileURLToPath(new URL('../support/time/sweep.ts', import.meta.url))

async function sweep(processTimeZone: string, ...args: string[]): Promise<SweepReport> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', sweepFile, ...args], {
    env: { ...process.env, TZ: processTimeZone, NODE_OPTIONS: '' },
  })
  return JSON.parse(stdout) as SweepReport
}

const zoneNames = everyZone()
const zone = fc.constantFrom(...zoneNames)
const instant = fc.integer({ min: Date.UTC(1973, 0, 1), max: Date.UTC(2100, 0, 1) })
const rule: fc.Arbitrary<CalendarRule> = fc.record({
  unit: fc.constantFrom('day', 'week', 'month'),
  timeZone: zone,
  weekStartsOn: fc.constantFrom<Weekday[]>(0, 1, 2, 3, 4, 5, 6),
  monthStartsOn: fc.integer({ min: 1, max: 31 }),
})

describe('WINDOW-TRUTH: calendar windows', () => {
  it.concurrent.each(['UTC', 'America/Sao_Paulo', 'Asia/Kathmandu'])(
    'agree with Temporal around every transition of every zone from 2018 to 2037, in a process whose own zone is %s',
    async (processTimeZone) => {
      const report = await sweep(processTimeZone, 'bursar')
      expect(report.examples).toEqual([])
      expect(report.mismatches).toBe(0)
      // Runtimes call Kathmandu by its older name.
      expect(report.processTimeZone.replace('Katmandu', 'Kathmandu')).toBe(processTimeZone)
      expect(report.zones).toBeGreaterThan(500)
      expect(report.transitions).toBeGreaterThan(5000)
      expect(report.checks).toBeGreaterThan(300_000)
    },
    300_000,
  )

  it.concurrent('are told from wrong ones by that sweep: it catches the usual recipe', async () => {
    const skipped = ['America/Sao_Paulo', 'Africa/Cairo', 'Asia/Beirut', 'Atlantic/Azores', 'America/Havana', 'America/Santiago', 'America/Asuncion']
    const doubled = ['Asia/Amman']
    for (const zoneName of [...skipped, ...doubled]) {
      const report = await sweep('UTC', 'usual-recipe', zoneName)
      expect(report.mismatches, zoneName).toBeGreaterThan(0)
    }
  })

  it('contain the instant they were asked for, tile, and agree with Temporal at any instant', () => {
    fc.assert(
      fc.property(rule, instant, (given, at) => {
        const calendar = calendarFor(given)
        const running = calendar.at(at)
        expect(running.startsAt).toBeLessThanOrEqual(at)
        expect(running.endsAt).toBeGreaterThan(at)
        expect(calendar.at(running.startsAt)).toEqual(running)
        expect(calendar.at(running.endsAt - 1)).toEqual(running)
        expect(calendar.at(running.endsAt).startsAt).toBe(running.endsAt)
        expect(calendar.at(running.startsAt - 1).endsAt).toBe(running.startsAt)
        expect(running).toEqual(new Oracle(given.timeZone).at(given, at))
      }),
      { numRuns: 2000 },
    )
  })

  it('around an instant are consecutive, and the same whatever was asked before', () => {
    fc.assert(
      fc.property(rule, fc.array(instant, { minLength: 1, maxLength: 4 }), (given, instants) => {
        const calendar = calendarFor(given)
        for (const at of [...instants, ...instants.toReversed()]) {
          const [previous, running, next] = calendar.around(at)
          expect(running).toEqual(calendar.at(at))
          expect(previous.endsAt).toBe(running.startsAt)
          expect(running.endsAt).toBe(next.startsAt)
          expect(previous.startsAt).toBeLessThan(previous.endsAt)
          expect(next.startsAt).toBeLessThan(next.endsAt)
        }
      }),
      { numRuns: 1000 },
    )
  })
})

const dayMs = 86_400_000
const started = fc.integer({ min: Date.UTC(2015, 0, 1), max: Date.UTC(2045, 0, 1) })
/** By the month, the quarter or the year from one anchor, the period of the number `renewal`; or of any length at all. */
const anchored = fc.record({ anchor: started, every: fc.constantFrom(1, 3, 6, 12), renewal: fc.nat({ max: 40 }) })
const ofAnchor = ({ anchor, every, renewal }: { anchor: number; every: number; renewal: number }): Span => ({
  startsAt: plusMonths(anchor, every * renewal),
  endsAt: plusMonths(anchor, every * (renewal + 1)),
})
const ofLength = (lengthMs: fc.Arbitrary<number>): fc.Arbitrary<Span> => fc.tuple(started, lengthMs).map(([startsAt, length]) => ({ startsAt, endsAt: startsAt + length }))
const spans: fc.Arbitrary<Span> = fc.oneof(
  anchored.map(ofAnchor),
  ofLength(fc.integer({ min: 1, max: 800 * dayMs })),
  ofLength(fc.integer({ min: 1, max: 800 }).map((days) => days * dayMs)),
  ofLength(fc.constantFrom(1, 6 * dayMs, 7 * dayMs, 14 * dayMs, 27 * dayMs - 1, 27 * dayMs, 31 * dayMs + 7_200_000, 31 * dayMs + 7_200_001)),
)
const renewsEvery: fc.Arbitrary<RenewalStep | undefined> = fc.oneof(
  fc.constant(undefined),
  fc.constantFrom(1, 3, 12).map((months) => ({ months })),
  fc.constantFrom(1, 7, 14, 28, 30, 31, 32, 90).map((days) => ({ days })),
)
const paid: fc.Arbitrary<PaidPeriod> = fc.tuple(spans, renewsEvery).map(([span, step]) => (step === undefined ? span : { ...span, renewsEvery: step }))
const near = fc.oneof(fc.integer({ min: -1200 * dayMs, max: 1200 * dayMs }), fc.constantFrom(-1, 0, 1, -7_200_000, -7_200_001))

describe('WINDOW-TRUTH: the windows of a subscription', () => {
  it('contain the instant they were asked for, tile, and agree with Temporal, whatever the period and whatever was asked before', () => {
    fc.assert(
      fc.property(paid, fc.array(fc.record({ fromEnd: fc.boolean(), offset: near }), { minLength: 1, maxLength: 4 }), (period, asked) => {
        const calendar = subscriptionCalendarFor(period)
        for (const { fromEnd, offset } of asked) {
          const at = (fromEnd ? period.endsAt : period.startsAt) + offset
          const [previous, running, next] = calendar.around(at)
          expect(running).toEqual(calendar.at(at))
          expect(running.startsAt).toBeLessThanOrEqual(at)
          expect(running.endsAt).toBeGreaterThan(at)
          expect(running).toEqual(subscriptionWindow(period, at))
          expect(previous).toEqual(subscriptionWindow(period, running.startsAt - 1))
          expect(next).toEqual(subscriptionWindow(period, running.endsAt))
          expect([previous.endsAt, next.startsAt]).toEqual([running.startsAt, running.endsAt])
          expect(calendar.at(running.endsAt - 1)).toEqual(running)
          expect(running.endsAt - running.startsAt).toBeLessThanOrEqual(31 * dayMs + 7_200_000)
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('begin and end with the period, of which they never cut a month', () => {
    fc.assert(
      fc.property(paid, (period) => {
        const calendar = subscriptionCalendarFor(period)
        expect(calendar.at(period.startsAt).startsAt).toBe(period.startsAt)
        expect(calendar.at(period.endsAt - 1).endsAt).toBe(period.endsAt)
        expect(calendar.at(period.endsAt).startsAt).toBe(period.endsAt)
        if (period.endsAt - period.startsAt <= 31 * dayMs + 7_200_000) expect(calendar.at(period.startsAt)).toMatchObject({ startsAt: period.startsAt, endsAt: period.endsAt })
      }),
      { numRuns: 2000 },
    )
  })

  it('of one month say when every later one is renewed, and the renewal says the same', () => {
    fc.assert(
      fc.property(anchored, fc.nat({ max: 40 }), (given, later) => {
        const monthly = { ...given, every: 1 }
        const known = subscriptionCalendarFor(ofAnchor(monthly))
        const renewed = ofAnchor({ ...monthly, renewal: given.renewal + later })
        expect(known.at(renewed.startsAt)).toEqual(renewed)
        expect(known.at(renewed.endsAt - 1)).toEqual(renewed)
        const again = subscriptionCalendarFor(known.at(known.period.endsAt))
        expect(again.at(renewed.endsAt)).toEqual(known.at(renewed.endsAt))
        expect(again.at(known.period.startsAt)).toEqual(known.period)
      }),
      { numRuns: 3000 },
    )
  })

  it('of years have twelve months from their anchor, also over leap years', () => {
    fc.assert(
      fc.property(started, (anchor) => {
        const calendar = subscriptionCalendarFor({ startsAt: anchor, endsAt: plusMonths(anchor, 12) })
        const starts = Array.from({ length: 12 }, (_, month) => monthsAfter(anchor, month, new Date(anchor).getUTCDate()))
        expect(starts.map((startsAt) => calendar.at(startsAt).startsAt)).toEqual(starts)
        expect(starts.map((startsAt) => calendar.at(startsAt).endsAt)).toEqual([...starts.slice(1), calendar.period.endsAt])
      }),
      { numRuns: 1000 },
    )
  })
})

describe('WINDOW-TRUTH: rolling windows', () => {
  const spends = fc.array(fc.record({ agoMs: fc.integer({ min: 0, max: 400_000 }), amount: fc.nat({ max: 1000 }) }), { maxLength: 60 })

  it('never count less than was spent in the trailing period, nor more than in the period that they state', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200_000 }), instant, spends, (lengthMs, now, history) => {
        const rolling = rollingRule(lengthMs)
        const buckets = new Map<number, number>()
        for (const { agoMs, amount } of history) {
          const index = bucketIndex(rolling, now - agoMs)
          buckets.set(index, (buckets.get(index) ?? 0) + amount)
        }
        let counted = 0
        for (const [index, amount] of buckets) {
          const { startsAt, endsAt } = rollingSpan(rolling, now)
          const counts = now < bucketExpiresAt(rolling, index)
          expect(counts).toBe(index * rolling.bucketMs >= startsAt && (index + 1) * rolling.bucketMs <= endsAt)
          if (counts) counted += amount
        }
        const spentWithin = (periodMs: number) =>
          history.filter(({ agoMs }) => agoMs <= periodMs).reduce((sum, { amount }) => sum + amount, 0)
        expect(counted).toBeGreaterThanOrEqual(spentWithin(lengthMs))
        expect(counted).toBeLessThanOrEqual(spentWithin(rollingSpan(rolling, now).endsAt - rollingSpan(rolling, now).startsAt))
      }),
      { numRuns: 2000 },
    )
  })
})
