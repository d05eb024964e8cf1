// The rows of reports: sums of entries as people read them, and their order. Amounts stay exact beside the numbers.

import type { EntryField, EntrySum } from '../ledger/index.js'
import { formatUsd, toUsd } from '../money/index.js'
import type { Span } from '../time/index.js'

/** What the entries behind a row add up to. */
export interface ReportSums {
  /** LLM calls: settled, recorded, and held for calls that never reported back. */
  readonly calls: number
  readonly tokens: number
  /** USD. */
  readonly cost: number
  readonly exact: { readonly microcents: bigint; readonly tokens: bigint }
}

/** A row of a summary: the texts of the fields it was asked by, under their names (`undefined` for entries without), and the sums. */
export type ReportRow = ReportSums & { readonly [field in EntryField]?: string | undefined } & {
  /** The stretch of time, where one was asked for: start included, end not; cut off at `from` and `until`. */
  readonly start?: Date | undefined
  readonly end?: Date | undefined
  /** In reports by client: true where there is no tenant, and `tenant` says `unassigned`; a tenant may be called so too. */
  readonly isUnassigned?: true | undefined
  readonly denials: number
  readonly entries: number
}

/** How a report calls what belongs to no tenant, in files too; the flag `isUnassigned` tells it from a tenant of that name. */
export const UNASSIGNED = 'unassigned'

/** Counts and amounts for people, with the exact ones beside them. */
export function sumsShown({ calls, tokens, microcents }: Pick<EntrySum, 'calls' | 'tokens' | 'microcents'>): ReportSums {
  return { calls, tokens: Number(tokens), cost: usdOf(microcents), exact: { microcents, tokens } }
}

/** One row of a summary. */
export function rowOf(sum: EntrySum, by: readonly EntryField[], stretch: Span | undefined): ReportRow {
  const texts = Object.fromEntries(by.map((field, index) => [field, sum.texts[index]]))
  const time = stretch && { start: new Date(stretch.startsAt), end: new Date(stretch.endsAt) }
  const { denials, entries } = sum
  return { ...time, ...texts, ...sumsShown(sum), denials, entries }
}

/** Orders sums by time, then by texts; what has no text comes last. */
export function byTimeAndTexts(one: EntrySum, other: EntrySum): number {
  return one.bucket - other.bucket || byTexts(one.texts, other.texts)
}

/** Orders texts as their code units do, the first that differs deciding; what is missing comes last. */
export function byTexts(one: readonly (string | undefined)[], other: readonly (string | undefined)[]): number {
  for (const [index, text] of one.entries()) {
    const against = other[index]
    if (text === against) continue
    if (text === undefined) return 1
    if (against === undefined) return -1
    return text < against ? -1 : 1
  }
  return 0
}

/** The double nearest to an exact amount, in USD. */
function usdOf(microcents: bigint): number {
  const number = Number(microcents)
  return Number.isSafeInteger(number) ? toUsd(number) : Number(formatUsd(microcents))
}
