// Ledger entries as rows of Postgres, and back: exactly the same entry, whatever its texts hold.

import type { ChargedWindow, CostDetails, LedgerEntry, LedgerKind, LedgerRung } from '../../ledger/index.js'
import { givenText, keptJson, readJson } from './texts.js'

/** Column by column: its type, and what an entry has there. */
const FIELDS = {
  id: ['text', 'id'],
  kind: ['text', 'kind'],
  at: ['bigint', 'at'],
  decision_id: ['text', 'decisionId'],
  tenant: ['text', 'tenant'],
  user_id: ['text', 'userId'],
  tier: ['text', 'tier'],
  session_id: ['text', 'sessionId'],
  scopes: ['json', 'scopes'],
  provider: ['text', 'provider'],
  requested_model: ['text', 'requestedModel'],
  model: ['text', 'model'],
  microcents: ['bigint', 'microcents'],
  tokens: ['bigint', 'tokens'],
  estimated_microcents: ['bigint', 'estimatedMicrocents'],
  estimated_tokens: ['bigint', 'estimatedTokens'],
  rungs: ['json', 'rungs'],
  opened_at: ['bigint', 'openedAt'],
  charged: ['json', 'charged'],
  reason: ['text', 'reason'],
  calls: ['integer', 'calls'],
  details: ['json', 'details'],
  metadata: ['json', 'metadata'],
} as const satisfies Record<string, readonly ['text' | 'bigint' | 'integer' | 'json', keyof LedgerEntry]>

type Column = keyof typeof FIELDS
type Row = Readonly<Record<Column, unknown>> & { readonly seq: unknown }

const NAMES = Object.keys(FIELDS) as Column[]

/** What is selected of a row: JSON as its text, which a driver would otherwise read in its own way. */
export const SELECTED = ['seq', ...NAMES.map((name) => (FIELDS[name][0] === 'json' ? `${name}::text AS ${name}` : name))].join(', ')

/** A statement that writes the entries of {@link batchOf}, each unless it is there already. */
export function insertInto(table: string): string {
  const columns = NAMES.join(', ')
  const typed = NAMES.map((name) => `${name} ${FIELDS[name][0]}`).join(', ')
  return `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM json_to_recordset($1::json) AS given (${typed}) ON CONFLICT (id, at, coalesce(opened_at, -1)) DO NOTHING`
}

/** Entries as the one parameter of {@link insertInto}: what an entry does not have is no value. */
export function batchOf(entries: readonly LedgerEntry[]): string {
  return keptJson(JSON.stringify(entries.map((entry) => Object.fromEntries(NAMES.map((name) => [name, entry[FIELDS[name][1]]])))))
}

/** A row as an entry. */
export function entryOf(row: unknown): LedgerEntry {
  const { kind, charged, ...rest } = row as Row
  return Object.freeze({
    id: givenText(rest.id as string),
    kind: kind as LedgerKind,
    at: Number(rest.at),
    decisionId: givenText(rest.decision_id as string),
    tenant: text(rest.tenant),
    userId: givenText(rest.user_id as string),
    tier: text(rest.tier),
    sessionId: text(rest.session_id),
    scopes: json<Record<string, string>>(rest.scopes),
    provider: text(rest.provider),
    requestedModel: text(rest.requested_model),
    model: text(rest.model),
    microcents: Number(rest.microcents),
    tokens: Number(rest.tokens),
    estimatedMicrocents: number(rest.estimated_microcents),
    estimatedTokens: number(rest.estimated_tokens),
    rungs: json<LedgerRung[]>(rest.rungs),
    openedAt: number(rest.opened_at),
    charged: json<ChargedWindow[]>(charged) as ChargedWindow[],
    reason: text(rest.reason),
    calls: number(rest.calls),
    details: json<CostDetails>(rest.details),
    metadata: json<Record<string, unknown>>(rest.metadata),
  })
}

/** The number of a row in the order of writing. */
export function seqOf(row: unknown): string {
  return String((row as Row).seq)
}

// Drivers give 64-bit integers as texts, unless the application has told them otherwise: all of ours are exact as numbers.
function number(value: unknown): number | undefined {
  return value === null ? undefined : Number(value)
}

function text(value: unknown): string | undefined {
  return value === null ? undefined : givenText(value as string)
}

function json<T>(value: unknown): T | undefined {
  return value === null ? undefined : (readJson(value as string) as T)
}
