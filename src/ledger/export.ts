// Ledger entries as text for other programs: CSV that a spreadsheet may open without running anything, JSON, and JSON lines. Knows no
// files.

import { InvalidRequestError } from '../errors/index.js'
import { formatUsd } from '../money/index.js'
import { actionOf, callsOf, type LedgerEntry } from './entry.js'
import { shown } from './filter.js'

const COLUMNS = [
  'id', 'kind', 'time', 'decisionId', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'cost', 'tokens',
  'estimatedCost', 'reason', 'metadata', 'priceVersion', 'estimated',
  'usage', 'labels', 'opened', 'action', 'calls', 'scopes', 'estimatedTokens', 'rungs',
] as const // prettier-ignore

const AMOUNTS: readonly string[] = ['cost', 'estimatedCost']

/** How something long is watched, and given up. */
export interface Watching {
  /** Told now and then how many entries or rows have been written, and at the end how many they were. What it throws ends it: rejects with that, and leaves nothing behind. */
  readonly onProgress?: ((written: number) => void) | undefined
  /** Ends it: rejects with the signal's reason, and leaves nothing behind. */
  readonly signal?: AbortSignal | undefined
}

/** What is told of progress at least so often: after so many. */
const TOLD_AFTER = 1_000

/** An entry with USD as exact decimal strings and its times in ISO 8601, the action of its decision, and how many calls it counts as. */
export function toPublicEntry(entry: LedgerEntry): Omit<LedgerEntry, 'at' | 'microcents' | 'estimatedMicrocents' | 'openedAt' | 'rungs'> & Record<string, unknown> {
  const { at, microcents, estimatedMicrocents, openedAt, rungs, ...rest } = entry
  return {
    ...rest,
    time: new Date(at).toISOString(),
    cost: formatUsd(microcents),
    estimatedCost: estimatedMicrocents === undefined ? undefined : formatUsd(estimatedMicrocents),
    openedAt: openedAt === undefined ? undefined : new Date(openedAt).toISOString(),
    action: actionOf(entry),
    calls: callsOf(entry),
    rungs: rungs?.map(({ model, microcents: held, tokens }) => ({ model, cost: formatUsd(held), tokens })),
  }
}

/** Entries as CSV lines (RFC 4180, CRLF), the header first. Text that a spreadsheet would take for a formula is defused. */
export async function* toCsv(entries: AsyncIterable<LedgerEntry>): AsyncIterable<string> {
  yield csvLine(COLUMNS)
  for await (const entry of entries) {
    const { details } = entry
    const { metadata, scopes, rungs, openedAt, ...rest } = toPublicEntry(entry)
    const row: Readonly<Record<string, unknown>> = {
      ...rest,
      metadata: jsonOf(metadata),
      priceVersion: details?.priceVersion,
      estimated: details?.estimated && 'true',
      usage: jsonOf(details?.usage),
      labels: jsonOf(details?.labels),
      opened: openedAt,
      scopes: jsonOf(scopes),
      rungs: jsonOf(rungs as object | undefined),
    }
    yield csvLine(COLUMNS.map((column) => (AMOUNTS.includes(column) ? amountCell(row[column] as string | undefined) : (row[column] as string | number | undefined))))
  }
}

/** Entries as one JSON array, written piece by piece. */
export function toJson(entries: AsyncIterable<LedgerEntry>): AsyncIterable<string> {
  return jsonArray(entries, toPublicEntry)
}

/** Entries as JSON lines: one object on each, without anything between or after them. */
export function toJsonLines(entries: AsyncIterable<LedgerEntry>): AsyncIterable<string> {
  return jsonLines(entries, toPublicEntry)
}

/** Items as one JSON array, written piece by piece. */
export async function* jsonArray<Item>(items: AsyncIterable<Item>, publicOf: (item: Item) => object): AsyncIterable<string> {
  let separator = '[\n'
  for await (const item of items) {
    yield `${separator}${JSON.stringify(publicOf(item))}`
    separator = ',\n'
  }
  yield separator === '[\n' ? '[]\n' : '\n]\n'
}

/** Items as JSON lines. */
export async function* jsonLines<Item>(items: AsyncIterable<Item>, publicOf: (item: Item) => object): AsyncIterable<string> {
  for await (const item of items) yield `${JSON.stringify(publicOf(item))}\n`
}

/**
 * The same items; tells how many have passed, and stops where it is told to, also before the first. What `onProgress` throws ends it too.
 * Throws `InvalidRequestError` at once for an `onProgress` that cannot be called and a `signal` that is none.
 */
export function watched<Item>(items: AsyncIterable<Item>, { onProgress, signal }: Watching): AsyncIterable<Item> {
  if (onProgress !== undefined && typeof onProgress !== 'function') throw new InvalidRequestError(`onProgress: ${shown(onProgress)} is no function. Give one that takes a number, or none.`)
  if (signal !== undefined && typeof (signal as AbortSignal | null)?.throwIfAborted !== 'function') throw new InvalidRequestError(`signal: ${shown(signal)} is no AbortSignal. Give that of an AbortController, or none.`)
  return watching(items, onProgress, signal)
}

async function* watching<Item>(items: AsyncIterable<Item>, onProgress: Watching['onProgress'], signal: AbortSignal | undefined): AsyncIterable<Item> {
  signal?.throwIfAborted()
  let passed = 0
  for await (const item of items) {
    signal?.throwIfAborted()
    yield item
    passed += 1
    if (passed % TOLD_AFTER === 0) onProgress?.(passed)
  }
  signal?.throwIfAborted()
  if (passed === 0 || passed % TOLD_AFTER !== 0) onProgress?.(passed)
}

/** An amount as a cell: it may be negative, and is no formula. */
export interface AmountCell {
  readonly amount: string
}

/** What a cell can hold; text is defused. */
export type Cell = string | number | bigint | AmountCell | undefined

/** An exact amount as a cell. */
export function amountCell(amount: string | undefined): AmountCell | undefined {
  return amount === undefined ? undefined : { amount }
}

/** One line of CSV (RFC 4180, CRLF). */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function jsonOf(value: object | undefined): string | undefined {
  // JSON has another way to write a semicolon: what is defused there is read back as it was.
  return value && JSON.stringify(value).replace(/;(?=["\s\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠])/g, '\\u003b')
}

function csvCell(value: Cell): string {
  if (value === undefined) return ''
  if (typeof value === 'object') return value.amount
  return quoted(typeof value === 'string' ? defused(value) : String(value))
}

/**
 * A leading =, +, -, @, tab or return starts a formula (OWASP, CSV injection); an amount of ours may be negative. Where lists are separated
 * by semicolons, or text is pasted, what follows a semicolon or a tab is a cell of its own. What looks defused already gets one quote more:
 * whoever takes one away has the text as it was, and no two texts are written alike.
 */
function defused(text: string): string {
  const whole = /^['\s\u200b-\u200f\u2060\ufeff]*[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text
  return whole.replace(/(?<=[;\t])(?=['"\s\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠])/g, "'")
}

function quoted(text: string): string {
  return /[",;\t\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
