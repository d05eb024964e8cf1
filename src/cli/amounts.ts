// Amounts as they are shown and written: money as exact decimals, never through a floating-point number.

import { formatUsd, type Unit } from '../money/index.js'

const GROUPS = /\B(?=(\d{3})+(?!\d))/g

/** For people: `$0.10`, `1,234`. Money exact, at least two decimals. */
export function show(amount: number | bigint | null | undefined, unit: Unit = 'usd'): string | undefined {
  if (amount === null || amount === undefined) return undefined
  if (unit !== 'usd') return showCount(amount)
  const [whole = '', decimals = ''] = formatUsd(amount < 0 ? -amount : amount).split('.')
  return `${amount < 0 ? '−' : ''}$${whole.replace(GROUPS, ',')}.${decimals}`
}

/** A count for people. */
export function showCount(count: number | bigint): string {
  return String(count).replace(GROUPS, ',')
}

/** For programs: money as an exact decimal string in USD, counts as numbers. */
export function toJson(amount: number | null | undefined, unit: Unit): string | number | null {
  if (amount === null || amount === undefined) return null
  return unit === 'usd' ? formatUsd(amount) : amount
}

/** A percentage for people: below 100 rounded down, so that it is 100 only where the limit is reached. */
export function showPct(percent: number): string {
  if (percent >= 100) return `${showCount(Math.ceil(percent))} %`
  const tenths = Math.floor(Math.round(percent * 100) / 10)
  return `${tenths % 10 === 0 ? tenths / 10 : (tenths / 10).toFixed(1)} %`
}
