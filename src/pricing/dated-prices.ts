// Prices that change with time: which of them counts at an instant. Days and hours are UTC. Knows no rates.

import type { DatedPrice, ModelPrice, ModelPrices } from './price.js'

const DAY_MS = 86_400_000
const DATE = /^\d{4}-\d{2}-\d{2}$/
const TIME = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?$/

/** A price with the time at which it counts, in milliseconds. */
export interface Dated<Value> {
  readonly value: Value
  readonly from: number | undefined
  /** Milliseconds since midnight. */
  readonly daily: { readonly from: number; readonly to: number } | undefined
}

/** The prices of a model as a list, each made into what `make` gives. `prices` must be sound. */
export function datedPrices<Value>(prices: ModelPrices, make: (price: ModelPrice) => Value): readonly Dated<Value>[] {
  const list: readonly DatedPrice[] = isList(prices) ? prices : [prices]
  return list.map(({ from, daily, ...price }) => ({
    value: make(price),
    from: from === undefined ? undefined : readDate(from),
    daily: daily === undefined ? undefined : { from: readTime(daily.from) as number, to: readTime(daily.to) as number },
  }))
}

/** The last one that counts at the instant; the first one where none does. */
export function valueAt<Value>(prices: readonly Dated<Value>[], instant: number): Value {
  for (let index = prices.length - 1; index > 0; index -= 1) {
    const price = prices[index] as Dated<Value>
    if (counts(price, instant)) return price.value
  }
  return (prices[0] as Dated<Value>).value
}

/** The instants of the UTC day of `instant` at which another price begins to count, its midnight and `instant` itself among them, in order. */
export function turnsOfDay<Value>(prices: readonly Dated<Value>[], instant: number): readonly number[] {
  const midnight = instant - sinceMidnight(instant)
  const edges = prices.flatMap(({ daily }) => (daily === undefined ? [] : [midnight + daily.from, midnight + daily.to]))
  const turns: number[] = []
  let last: Value | undefined
  for (const edge of [...new Set([midnight, instant, ...edges])].sort((a, b) => a - b)) {
    const value = valueAt(prices, edge)
    if (value !== last || edge === instant) turns.push(edge)
    last = value
  }
  return turns
}

/** The start of a day in UTC, as an instant; `undefined` for what is no date. */
export function readDate(text: string): number | undefined {
  if (!DATE.test(text)) return undefined
  const instant = Date.parse(`${text}T00:00:00Z`)
  return Number.isNaN(instant) || !new Date(instant).toISOString().startsWith(text) ? undefined : instant
}

/** A time of day as milliseconds since midnight; `undefined` for what is none. */
export function readTime(text: string): number | undefined {
  const parts = TIME.exec(text)
  return parts === null ? undefined : ((Number(parts[1]) * 60 + Number(parts[2])) * 60 + Number(parts[3] ?? 0)) * 1_000
}

function isList(prices: ModelPrices): prices is readonly DatedPrice[] {
  return Array.isArray(prices)
}

function counts({ from, daily }: Dated<unknown>, instant: number): boolean {
  if (from !== undefined && instant < from) return false
  if (daily === undefined) return true
  const time = sinceMidnight(instant)
  return daily.to < daily.from ? time >= daily.from || time < daily.to : time >= daily.from && time < daily.to
}

function sinceMidnight(instant: number): number {
  return ((instant % DAY_MS) + DAY_MS) % DAY_MS
}
