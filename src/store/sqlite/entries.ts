// Ledger entries as rows: one column for each field, the same in a store and in a ledger kept for a store elsewhere.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ChargedWindow, CostDetails, LedgerEntry, LedgerKind, LedgerRung } from '../../ledger/index.js'
import type { Connection } from './connection.js'
import type { SqliteStatement, SqliteValue } from './driver.js'

/** A row of the table of entries, as it is read. */
export interface EntryRow {
  readonly seq: number
  readonly id: string
  readonly kind: LedgerKind
  readonly at: number
  readonly decision_id: string
  readonly tenant: string | null
  readonly user_id: string
  readonly tier: string | null
  readonly session_id: string | null
  readonly provider: string | null
  readonly requested_model: string | null
  readonly model: string | null
  readonly microcents: number
  readonly tokens: number
  readonly estimated_microcents: number | null
  readonly opened_at: number | null
  readonly charged: string
  readonly reason: string | null
  readonly metadata: string | null
  readonly details: string | null
  readonly scopes: string | null
  readonly estimated_tokens: number | null
  readonly rungs: string | null
  readonly calls: number | null
}

const COLUMNS = [
  'id', 'kind', 'at', 'decision_id', 'tenant', 'user_id', 'tier', 'session_id', 'provider', 'requested_model', 'model', 'microcents', 'tokens',
  'estimated_microcents', 'opened_at', 'charged', 'reason', 'metadata', 'details', 'scopes', 'estimated_tokens', 'rungs', 'calls', 'placed',
] // prettier-ignore

/** The columns of an {@link EntryRow}. */
export const ENTRY_COLUMNS = ['seq', ...COLUMNS.slice(0, -1)].join(', ')

/** How many entries are read at once, before the process may turn to something else. */
const PAGE = 250

/** A statement that writes one entry, whose values {@link valuesOf} gives; with `once`, unless it is there already. */
export function entryInsert(connection: Connection, once = false): SqliteStatement {
  // Not "OR IGNORE": that would also swallow an entry that is incomplete.
  return connection.prepare(`INSERT INTO entry (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})${once ? ' ON CONFLICT (id, at, coalesce(opened_at, 0)) DO NOTHING' : ''}`)
}

/** The values of an entry in the order of the columns. */
export function valuesOf(entry: LedgerEntry): SqliteValue[] {
  const { id, kind, at, decisionId, tenant, userId, tier, sessionId, provider, requestedModel, model, microcents, tokens, estimatedMicrocents, openedAt, charged, reason, metadata, details, scopes, estimatedTokens, rungs, calls } = entry
  return [
    id, kind, at, decisionId, tenant ?? null, userId, tier ?? null, sessionId ?? null, provider ?? null, requestedModel ?? null, model ?? null,
    microcents, tokens, estimatedMicrocents ?? null, openedAt ?? null, JSON.stringify(charged), reason ?? null, jsonOf(metadata), jsonOf(details),
    jsonOf(scopes), estimatedTokens ?? null, jsonOf(rungs), calls ?? null, null,
  ] // prettier-ignore
}

/** JSON, or no value. */
export function jsonOf(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

/** A row as an entry. */
export function entryOf(row: EntryRow): LedgerEntry {
  return Object.freeze({
    id: row.id,
    kind: row.kind,
    at: row.at,
    decisionId: row.decision_id,
    tenant: row.tenant ?? undefined,
    userId: row.user_id,
    tier: row.tier ?? undefined,
    sessionId: row.session_id ?? undefined,
    scopes: row.scopes === null ? undefined : (JSON.parse(row.scopes) as Record<string, string>),
    provider: row.provider ?? undefined,
    requestedModel: row.requested_model ?? undefined,
    model: row.model ?? undefined,
    microcents: row.microcents,
    tokens: row.tokens,
    estimatedMicrocents: row.estimated_microcents ?? undefined,
    estimatedTokens: row.estimated_tokens ?? undefined,
    rungs: row.rungs === null ? undefined : (JSON.parse(row.rungs) as LedgerRung[]),
    openedAt: row.opened_at ?? undefined,
    charged: JSON.parse(row.charged) as ChargedWindow[],
    reason: row.reason ?? undefined,
    calls: row.calls ?? undefined,
    details: row.details === null ? undefined : (JSON.parse(row.details) as CostDetails),
    metadata: row.metadata === null ? undefined : (JSON.parse(row.metadata) as Record<string, unknown>),
  })
}

/** Reads entries page by page, so that a ledger of any length takes no memory. */
export class EntryReader {
  readonly #connection: Connection
  readonly #last: SqliteStatement
  readonly #page: SqliteStatement

  constructor(connection: Connection) {
    this.#connection = connection
    this.#last = connection.prepare('SELECT coalesce(max(seq), 0) AS seq FROM entry')
    this.#page = connection.prepare(`SELECT ${ENTRY_COLUMNS} FROM entry WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ${PAGE}`)
  }

  /** The number of the last entry. */
  last(): number {
    return (this.#last.get() as { readonly seq: number }).seq
  }

  /** The entries up to a number, oldest first; by default to the last one when reading begins. What comes later is not among them. */
  async *entries(until?: number): AsyncIterable<LedgerEntry> {
    const end = until ?? this.#connection.once(() => this.last())
    for (let seq = 0; seq < end; ) {
      const after = seq
      const rows = this.#connection.once(() => this.#page.all(after, end)) as EntryRow[]
      for (const row of rows) yield entryOf(row)
      seq = rows.at(-1)?.seq ?? end
      if (seq < end) await nextTurn()
    }
  }
}
