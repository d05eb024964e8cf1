// A usage read: one count for each meter, checked against what it is part of. Knows no price.

import { InvalidAmountError, InvalidRequestError } from '../errors/index.js'
import { MAX_AMOUNT, parseUsd } from '../money/index.js'
import { METERS, meterIndex, PARENTS } from './meters.js'
import type { Usage } from './usage.js'

const NONE: readonly number[] = METERS.map(() => 0)
const PARTS: readonly number[] = METERS.flatMap(({ partOf }, index) => (partOf.length > 0 ? [index] : []))

/**
 * One count for each of {@link METERS}, 0 where the usage has none. Throws `InvalidAmountError` for what is no count, and
 * `InvalidRequestError` for a field that is none, a part above its total, and a usage that says nothing.
 */
export function readCounts(usage: Usage): readonly number[] {
  assertUsage(usage)
  const counts = NONE.slice()
  let fields = 0
  for (const field in usage) {
    const value: unknown = usage[field as keyof Usage]
    if (value === undefined) continue
    fields += 1
    const meter = meterIndex(field)
    if (meter !== undefined) counts[meter] = readCount(value, meter)
    else if (field !== 'cost') throw new InvalidRequestError(`usage.${field}: is no known field. Remove it, or correct its name; a provider's own usage is read by openaiUsage() and anthropicUsage().`)
  }
  if (fields === 0) throw new InvalidRequestError('usage: says nothing about what was used. Give inputTokens and outputTokens, or what else the call is priced by.')
  for (const part of PARTS) {
    const count = counts[part] as number
    if (count === 0) continue
    for (const total of PARENTS[part] as readonly number[]) {
      if (count > (counts[total] as number)) throw partAboveTotal(usage, part, total, counts)
    }
  }
  return counts
}

/**
 * What the provider itself says that the call cost, in microcents, rounded up, and the `flaw` of the counts beside it: money that is
 * spent does not depend on whether they add up. `undefined` where the usage has no `cost`. Throws `InvalidAmountError` for what is no
 * cost, and `InvalidRequestError` for what is no usage.
 */
export function readReported(usage: Usage): { readonly microcents: number; readonly flaw: Error | undefined } | undefined {
  assertUsage(usage)
  if (usage.cost === undefined) return undefined
  const microcents = parseUsd(usage.cost, 'usage.cost', 'round-up')
  try {
    readCounts(usage)
    return { microcents, flaw: undefined }
  } catch (flaw) {
    return { microcents, flaw: flaw as Error }
  }
}

/** Throws `InvalidAmountError` and `InvalidRequestError` for a usage whose counts are not what pricing takes. */
export function assertCounts(usage: Usage): void {
  readCounts(usage)
}

function assertUsage(usage: unknown): void {
  if (typeof usage !== 'object' || usage === null) throw new InvalidRequestError(`usage: ${String(usage)} is no usage. Give an object with inputTokens and outputTokens.`)
}

function readCount(value: unknown, meter: number): number {
  const decimal = METERS[meter]?.decimal === true
  if (typeof value === 'number' && value >= 0 && value <= MAX_AMOUNT && (decimal || Number.isInteger(value))) return value + 0
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value)
  const what = decimal ? 'a number from 0 to 2^53 − 1' : 'an integer from 0 to 2^53 − 1'
  throw new InvalidAmountError(`usage.${METERS[meter]?.field}: ${shown} is not a count. Give ${what}.`)
}

function partAboveTotal(usage: Usage, part: number, total: number, counts: readonly number[]): InvalidRequestError {
  const name = METERS[part]?.field as string
  const field = METERS[total]?.field as keyof Usage
  return usage[field] === undefined
    ? new InvalidRequestError(`usage.${field}: is missing, and ${name} (${counts[part]}) is part of it. Give the total.`)
    : new InvalidRequestError(`usage.${name}: ${counts[part]} is more than ${field} (${counts[total]}), which it is part of. Give a total that includes it.`)
}
