// Entries of bursar's own ledger, read back from what was exported: objects with exact integers or with USD texts, and rows of CSV. What
// no ledger can have written is refused by its row.

import { isId } from '../budget/index.js'
import { InvalidRowError } from '../errors/index.js'
import type { ChargedWindow, CostDetails, LedgerEntry, LedgerKind, LedgerRung } from '../ledger/index.js'
import { parseUsd } from '../money/index.js'
import { instantOfNumber, instantOfText } from './instants.js'

const KINDS: readonly string[] = ['settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured']
const TEXTS = ['tenant', 'tier', 'sessionId', 'provider', 'requestedModel', 'model'] as const
const JSON_COLUMNS: readonly string[] = ['metadata', 'usage', 'labels', 'rungs', 'scopes', 'charged', 'details']
/** What an export puts one quote before, and the quotes that it has put after separators. */
const DEFUSED = /^'(?=['\s\u200b-\u200f\u2060\ufeff]*[=+\-@\t\r\n＝＋－＠])|(?<=[;\t])'(?=['"\s\u200b-\u200f\u2060\ufeff]*[=+\-@＝＋－＠])/g

type Row = Readonly<Record<string, unknown>>

/** True for what has the fields that every entry of a ledger has. */
export function isEntryLike(names: readonly string[]): boolean {
  return names.includes('kind') && names.includes('decisionId')
}

/** A row of an exported CSV as an object. Throws `InvalidRowError` where it has other columns than the header. */
export function objectOfCells(row: number, header: readonly string[], cells: readonly string[]): Row {
  if (cells.length !== header.length) throw new InvalidRowError(row, `has ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}, and the header has ${header.length}. The file may have been cut off.`)
  const object: Record<string, unknown> = {}
  header.forEach((name, place) => {
    const cell = cells[place] as string
    if (cell === '') return
    const text = cell.replace(DEFUSED, '')
    object[name === 'opened' ? 'openedAt' : name] = JSON_COLUMNS.includes(name) ? parsedJson(row, name, text) : text
  })
  return object
}

/** The entry that an object is. Throws `InvalidRowError` for what is none. */
export function entryOf(row: number, given: unknown): LedgerEntry {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw new InvalidRowError(row, `${shown(given)} is no entry of a ledger.`)
  const object = given as Row
  const kind = object['kind']
  if (typeof kind !== 'string' || !KINDS.includes(kind)) throw wrong(row, 'kind', kind, `Use ${KINDS.join(', ')}.`)
  const at = instant(row, 'time', object['at'] ?? object['time'])
  if (at === undefined) throw new InvalidRowError(row, 'time: is missing.')
  const openedAt = instant(row, 'openedAt', object['openedAt'])
  if (openedAt !== undefined && openedAt > at) throw wrong(row, 'openedAt', object['openedAt'], 'A hold opens before it ends.')
  const decisionId = object['decisionId']
  if (!isId(decisionId)) throw wrong(row, 'decisionId', decisionId)
  const userId = object['userId'] ?? ''
  if (userId !== '' && !isId(userId)) throw wrong(row, 'userId', userId)
  const texts: Partial<Record<(typeof TEXTS)[number], string>> = {}
  for (const name of TEXTS) {
    const value = object[name]
    if (value === undefined || value === null) continue
    if (!isId(value)) throw wrong(row, name, value)
    texts[name] = value
  }
  const isCorrection = kind === 'corrected'
  const reason = object['reason'] ?? undefined
  if (reason !== undefined && typeof reason !== 'string') throw wrong(row, 'reason', reason)
  return {
    // A decision may be corrected more than once.
    id: typeof object['id'] === 'string' ? object['id'] : `${decisionId}:${kind}${isCorrection ? `:row ${row}` : ''}`,
    kind: kind as LedgerKind,
    at,
    decisionId,
    userId: userId as string,
    ...texts,
    scopes: record(row, 'scopes', object['scopes']) as Record<string, string> | undefined,
    microcents: money(row, 'cost', object['microcents'], object['cost'], isCorrection) ?? 0,
    tokens: count(row, 'tokens', object['tokens'], isCorrection) ?? 0,
    estimatedMicrocents: money(row, 'estimatedCost', object['estimatedMicrocents'], object['estimatedCost'], false),
    estimatedTokens: count(row, 'estimatedTokens', object['estimatedTokens'], false),
    rungs: rungs(row, object['rungs']),
    openedAt,
    charged: charged(row, object['charged']),
    reason,
    details: details(row, object),
    metadata: record(row, 'metadata', object['metadata']),
  }
}

function details(row: number, object: Row): CostDetails | undefined {
  const nested = record(row, 'details', object['details']) ?? {}
  const usage = record(row, 'usage', nested['usage'] ?? object['usage'])
  for (const [kind, used] of Object.entries(usage ?? {})) count(row, `usage.${kind}`, used, false)
  const said = nested['action'] ?? object['action'] ?? undefined
  const action = said === 'BLOCK' ? undefined : said
  if (action !== undefined && action !== 'ALLOW' && action !== 'WARN' && action !== 'DEGRADE') throw wrong(row, 'action', action, 'Use ALLOW, WARN or DEGRADE.')
  return usage === undefined && action === undefined ? undefined : { usage: usage as CostDetails['usage'], action }
}

function charged(row: number, value: unknown): ChargedWindow[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw wrong(row, 'charged', value)
  return value.map((given, index) => {
    const { scope, window, startsAt } = record(row, `charged.${index}`, given) ?? {}
    if (typeof startsAt !== 'number' || !Number.isFinite(startsAt)) throw wrong(row, `charged.${index}.startsAt`, startsAt, 'Give milliseconds since 1970.')
    return { scope: scope as ChargedWindow['scope'], window: String(window), startsAt }
  })
}

function rungs(row: number, value: unknown): LedgerRung[] | undefined {
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) throw wrong(row, 'rungs', value)
  return value.map((given, index) => {
    const rung = record(row, `rungs.${index}`, given) ?? {}
    const { model } = rung
    if (model !== undefined && model !== null && !isId(model)) throw wrong(row, `rungs.${index}.model`, model)
    const microcents = money(row, `rungs.${index}.cost`, rung['microcents'], rung['cost'] ?? rung['estimatedCost'], false)
    return { model: model ?? undefined, microcents: microcents ?? 0, tokens: count(row, `rungs.${index}.tokens`, rung['tokens'] ?? rung['estimatedTokens'], false) ?? 0 }
  })
}

function instant(row: number, field: string, value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  // A ledger counts in milliseconds alone, however small the number.
  const found = typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.floor(value) : typeof value === 'string' ? instantOfText(value, 'UTC') : undefined
  if (found === undefined || instantOfNumber(Math.max(found, 1e11)) === undefined) throw wrong(row, field, value, "Give ISO 8601 such as '2026-01-31T18:15:46.250Z', or milliseconds since 1970.")
  return found
}

function count(row: number, field: string, value: unknown, mayBeNegative: boolean): number | undefined {
  if (value === undefined || value === null) return undefined
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number) && (mayBeNegative || number >= 0)) return number
  throw wrong(row, field, value, mayBeNegative ? 'Give a whole number.' : 'Give a whole number of at least 0; only corrections may be below.')
}

function money(row: number, field: string, exact: unknown, usd: unknown, mayBeNegative: boolean): number | undefined {
  if (exact !== undefined && exact !== null) return count(row, field, exact, mayBeNegative)
  if (usd === undefined || usd === null) return undefined
  const text = typeof usd === 'number' ? String(usd) : usd
  const isNegative = typeof text === 'string' && text.startsWith('-')
  if (isNegative && !mayBeNegative) throw wrong(row, field, usd, 'Only corrections may be below 0.')
  try {
    const amount = parseUsd(isNegative ? text.slice(1) : text, field, 'round-up')
    return isNegative ? -amount : amount
  } catch (cause) {
    throw wrong(row, field, usd, 'Give USD as a decimal.', cause)
  }
}

function record(row: number, field: string, value: unknown): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw wrong(row, field, value)
}

function parsedJson(row: number, field: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw wrong(row, field, text, 'It should be JSON.', cause)
  }
}

function wrong(row: number, field: string, value: unknown, remedy = '', cause?: unknown): InvalidRowError {
  return new InvalidRowError(row, `${field}: ${value === undefined ? 'is missing' : `${shown(value)} is not what a ledger has`}.${remedy === '' ? '' : ` ${remedy}`}`, { cause })
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
