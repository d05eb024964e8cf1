// What a forecast promises whatever was spent: less spend never raises it, idle time never raises it, it scales with the amounts, and
// its range holds what it expects.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { burnRateOf } from '../../src/forecast/burn-rate.js'
import { forecastOf, type EnoughData, type SpendSeries, type WindowNow } from '../../src/forecast/index.js'
import { assertProperty } from '../support/property.js'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 15, 12)
const amounts = fc.array(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 50n }), fc.bigInt({ min: 0n, max: 10n ** 12n })), { minLength: 3, maxLength: 60 }).filter((all) => all.some((amount) => amount > 0n))
const rolling = fc.record({
  lengthMs: fc.integer({ min: DAY, max: 30 * DAY }),
  freeing: fc.array(fc.record({ at: fc.integer({ min: NOW + 1, max: NOW + 30 * DAY }), amount: fc.nat({ max: 10 ** 6 }) }), { maxLength: 5 }).map((all) => all.sort((a, b) => a.at - b.at)),
})
const window: fc.Arbitrary<WindowNow> = fc
  .record({ spent: fc.nat({ max: 10 ** 9 }), held: fc.nat({ max: 10 ** 6 }), limit: fc.option(fc.nat({ max: 2 * 10 ** 9 })), left: fc.option(fc.integer({ min: 1, max: 40 * DAY })), rolling: fc.option(rolling, { nil: undefined }) })
  .map(({ left, rolling: rule, ...rest }) => ({ ...rest, startsAt: NOW - DAY, resetsAt: left === null || rule !== undefined ? null : NOW + left, rolling: rule }))
const rhythm = fc.constantFrom(7, 24)

function forecast(spent: readonly bigint[], stepsPerRhythm: number, of: WindowNow): EnoughData {
  const series: SpendSeries = { amounts: spent, stepMs: DAY, stepsPerRhythm }
  const found = forecastOf({ scope: { kind: 'user', id: 'u' }, period: 'monthly', unit: 'usd', now: NOW, series, since: NOW - spent.length * DAY, window: of })
  if (!found.enough) throw new Error(found.message)
  return found
}

/** The second promises no more than the first. `withLow`: nor is its lowest guess higher. */
function expectNoHigher(before: EnoughData, after: EnoughData, withLow: boolean): void {
  expect(after.burnRate.exact.perDay).toBeLessThanOrEqual(before.burnRate.exact.perDay)
  expect(after.burnRate.exact.perHour).toBeLessThanOrEqual(before.burnRate.exact.perHour)
  if (before.projection !== null && after.projection !== null) {
    for (const each of ['expected', 'high', ...(withLow ? ['low' as const] : [])] as const) expect(after.projection.exact[each], each).toBeLessThanOrEqual(before.projection.exact[each])
  }
  expect(after.runway?.ms ?? Infinity).toBeGreaterThanOrEqual(before.runway?.ms ?? Infinity)
}

describe('a forecast', () => {
  it('is never raised by spending less in any step: a falling trend raises nothing', async () => {
    const property = fc.asyncProperty(amounts, rhythm, window, fc.nat(), fc.bigInt({ min: 0n, max: 10n ** 12n }), async (spent, stepsPerRhythm, of, which, less) => {
      const at = which % spent.length
      const fewer = spent.map((amount, index) => (index === at ? (amount < less ? 0n : amount - less) : amount))
      if (fewer.every((amount) => amount === 0n)) return
      expectNoHigher(forecast(spent, stepsPerRhythm, of), forecast(fewer, stepsPerRhythm, of), true)
    })
    await assertProperty('forecast: less', property)
  })

  it('is never raised by an idle step, wherever it comes', async () => {
    const property = fc.asyncProperty(amounts, rhythm, window, fc.nat(), async (spent, stepsPerRhythm, of, where) => {
      const at = where % (spent.length + 1)
      expectNoHigher(forecast(spent, stepsPerRhythm, of), forecast([...spent.slice(0, at), 0n, ...spent.slice(at)], stepsPerRhythm, of), false)
    })
    await assertProperty('forecast: idle', property)
  })

  it('expects of a falling series no more than of a flat one with the same mean', async () => {
    const property = fc.asyncProperty(amounts, rhythm, async (spent, stepsPerRhythm) => {
      const falling = [...spent].sort((a, b) => (a > b ? -1 : a < b ? 1 : 0))
      const { expected } = burnRateOf({ amounts: falling, stepMs: 1, stepsPerRhythm })
      const mean = { amount: falling.reduce((sum, amount) => sum + amount, 0n), ms: BigInt(falling.length) }
      expect(expected.amount * mean.ms <= mean.amount * expected.ms).toBe(true)
      const rising = burnRateOf({ amounts: falling.reverse(), stepMs: 1, stepsPerRhythm }).expected
      expect(rising.amount * mean.ms >= mean.amount * rising.ms).toBe(true)
    })
    await assertProperty('forecast: falling', property)
  })

  it('holds what it expects within its range, and nothing below what is spent', async () => {
    const property = fc.asyncProperty(amounts, rhythm, window, async (spent, stepsPerRhythm, of) => {
      const { projection, runway } = forecast(spent, stepsPerRhythm, of)
      if (projection !== null) {
        const { low, expected, high } = projection.exact
        expect([low, expected, high].every(Number.isSafeInteger)).toBe(true)
        expect(of.spent <= low && low <= expected && expected <= high).toBe(true)
        expect(of.spent + of.held <= expected).toBe(true)
      }
      if (runway !== null) expect(runway.emptyAt.getTime()).toBe(NOW + runway.ms)
      if (runway !== null && of.resetsAt !== null) expect(runway.emptyAt.getTime()).toBeLessThan(of.resetsAt)
      if (of.limit !== null && of.spent + of.held >= of.limit) expect(runway?.ms).toBe(0)
    })
    await assertProperty('forecast: range', property)
  })

  it('is k times as much for k times the amounts, up to the rounding', async () => {
    const property = fc.asyncProperty(amounts, rhythm, window, fc.integer({ min: 2, max: 9 }), async (spent, stepsPerRhythm, of, k) => {
      const once = forecast(spent, stepsPerRhythm, of)
      const scaled = of.rolling && { ...of.rolling, freeing: of.rolling.freeing.map(({ at, amount }) => ({ at, amount: amount * k })) }
      const often = forecast(spent.map((amount) => amount * BigInt(k)), stepsPerRhythm, { ...of, spent: of.spent * k, held: of.held * k, limit: of.limit === null ? null : of.limit * k, rolling: scaled })
      expect(often.runway).toEqual(once.runway)
      expect(Math.abs(often.burnRate.exact.perDay - k * once.burnRate.exact.perDay)).toBeLessThanOrEqual(k)
      for (const each of ['low', 'expected', 'high'] as const) expect(Math.abs((often.projection?.exact[each] ?? 0) - k * (once.projection?.exact[each] ?? 0))).toBeLessThanOrEqual(k)
    })
    await assertProperty('forecast: scale', property)
  })

  it('empties the budget at the instant that it names, and not a millisecond before', async () => {
    const property = fc.asyncProperty(amounts, rhythm, window, async (spent, stepsPerRhythm, of) => {
      const { runway } = forecast(spent, stepsPerRhythm, of)
      if (runway === null || of.limit === null) return
      const { amount, ms } = burnRateOf({ amounts: spent, stepMs: DAY, stepsPerRhythm }).expected
      const left = (until: number): bigint => BigInt((of.limit as number) - of.spent - of.held + (of.rolling?.freeing ?? []).reduce((sum, each) => sum + (each.at <= NOW + until ? each.amount : 0), 0))
      expect(amount * BigInt(runway.ms) >= left(runway.ms) * ms).toBe(true)
      if (runway.ms > 0) expect(amount * BigInt(runway.ms - 1) < left(runway.ms - 1) * ms).toBe(true)
    })
    await assertProperty('forecast: runway', property)
  })
})
