// Ledger entries as text for other programs: CSV that a spreadsheet may open without running anything, and JSON.

import { formatUsd } from '../money/index.js'
import type { LedgerEntry } from './entry.js'

const COLUMNS = [
  'id', 'kind', 'time', 'decisionId', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'cost', 'tokens',
  'estimatedCost', 'reason', 'metadata', 'priceVersion', 'estimated',
  'usage', 'labels',
] as const // prettier-ignore

type Row = Readonly<Record<(typeof COLUMNS)[number], string | number | undefined>>

/** An entry with USD as exact decimal strings and its time in ISO 8601. */
export function toPublicEntry(entry: LedgerEntry): Omit<LedgerEntry, 'at' | 'microcents' | 'estimatedMicrocents' | 'openedAt'> & Record<string, unknown> {
  const { at, microcents, estimatedMicrocents, openedAt, ...rest } = entry
  return {
    ...rest,
    time: new Date(at).toISOString(),
    cost: formatUsd(microcents),
    estimatedCost: estimatedMicrocents === undefined ? undefined : formatUsd(estimatedMicrocents),
    openedAt: openedAt === undefined ? undefined : new Date(openedAt).toISOString(),
  }
}

/** Entries as CSV lines (RFC 4180, CRLF), the header first. Text that a spreadsheet would take for a formula is defused. */
export async function* toCsv(entries: AsyncIterable<LedgerEntry>): AsyncIterable<string> {
  yield `${COLUMNS.join(',')}\r\n`
  for await (const entry of entries) {
    const { metadata, details } = entry
    const found = { priceVersion: details?.priceVersion, estimated: details?.estimated && 'true', usage: jsonOf(details?.usage), labels: jsonOf(details?.labels) }
    const row = { ...toPublicEntry(entry), metadata: jsonOf(metadata), ...found } as unknown as Row
    yield `${COLUMNS.map((column) => cell(row[column], column === 'cost' || column === 'estimatedCost')).join(',')}\r\n`
  }
}

/** Entries as one JSON array, written piece by piece. */
export async function* toJson(entries: AsyncIterable<LedgerEntry>): AsyncIterable<string> {
  let separator = '[\n'
  for await (const entry of entries) {
    yield `${separator}${JSON.stringify(toPublicEntry(entry))}`
    separator = ',\n'
  }
  yield separator === '[\n' ? '[]\n' : '\n]\n'
}

/** Writes pieces of text to a file: to a neighbour first, then renamed, so that a reader never sees half of it. */
export async function writeFile(path: string, pieces: AsyncIterable<string>): Promise<void> {
  const { open, rename, rm } = await import('node:fs/promises')
  const unfinished = `${path}.${crypto.randomUUID()}.unfinished`
  const file = await open(unfinished, 'w')
  try {
    for await (const piece of pieces) await file.write(piece)
    await file.close()
    await rename(unfinished, path)
  } catch (error) {
    await file.close().catch(() => {})
    await rm(unfinished, { force: true })
    throw error
  }
}

function jsonOf(value: object | undefined): string | undefined {
  return value && JSON.stringify(value)
}

function cell(value: string | number | undefined, isAmount: boolean): string {
  if (value === undefined) return ''
  // A leading =, +, -, @, tab or return starts a formula (OWASP, CSV injection); an amount of ours may be negative.
  const text = typeof value === 'string' && !isAmount && /^[\s\u200b-\u200f\u2060\ufeff]*[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : String(value)
  return /[",\r\n']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
