// Ledger entries as a SQLite file for other tools: one readable table, complete or not there.

import { chmod, rename, rm } from 'node:fs/promises'
import { InvalidConfigError } from '../../errors/index.js'
import { actionOf, isSqlite, placeOf, type LedgerEntry } from '../../ledger/index.js'
import { formatUsd } from '../../money/index.js'
import { Connection } from './connection.js'
import type { SqliteValue } from './driver.js'
import { jsonOf } from './entries.js'
import { LEDGER_FILE, STORE_FILE } from './migrations.js'

/** USD as exact decimals beside the integers, times in ISO 8601, `charged`, `metadata`, `usage`, `labels`, `scopes` and `rungs` as JSON, `estimated` 1 or NULL. */
const TABLE = `
  CREATE TABLE entry (
    id TEXT NOT NULL, kind TEXT NOT NULL, time TEXT NOT NULL, decision_id TEXT NOT NULL, tenant TEXT, user_id TEXT NOT NULL, tier TEXT, session_id TEXT,
    provider TEXT, requested_model TEXT, model TEXT, cost_usd TEXT NOT NULL, microcents INTEGER NOT NULL, tokens INTEGER NOT NULL,
    estimated_usd TEXT, estimated_microcents INTEGER, opened TEXT, charged TEXT NOT NULL, reason TEXT, metadata TEXT,
    price_version TEXT, estimated INTEGER, usage TEXT, labels TEXT,
    scopes TEXT, estimated_tokens INTEGER, rungs TEXT, calls INTEGER, action TEXT)`
const COLUMN_COUNT = 29
/** How many entries are written in one transaction. */
const BATCH = 1_000
/** Where the header of a SQLite file says whose it is: four bytes, the highest first. */
const APPLICATION_ID_AT = 68

/**
 * Writes entries into a new SQLite file with one table, `entry`, replacing what was at that path (its permissions stay, and a link to it
 * stays one): to a neighbour first, then renamed, so that a reader never sees half of it. Where the process is killed, its `….unfinished`
 * is left beside it, and is nobody's. Throws `InvalidConfigError` for what is no path of a file, for a database in use and for that of a
 * store or a ledger, `StoreUnavailableError` where the file cannot be written, and whatever the entries throw.
 */
export async function exportToSqlite(path: string, entries: AsyncIterable<LedgerEntry>): Promise<void> {
  const { path: real, unfinished, mode, head } = await placeOf(path, (message) => new InvalidConfigError(message))
  const kept = isSqlite(head) ? [STORE_FILE, LEDGER_FILE].find(({ applicationId }) => applicationId === applicationIdOf(head)) : undefined
  if (kept !== undefined) throw new InvalidConfigError(`path: ${path} is ${kept.what}, and an export would take its place. Give another path, or remove it first if nobody needs it.`)
  try {
    await write(unfinished, entries)
    if (mode !== undefined) await chmod(unfinished, mode)
    await rename(unfinished, real)
  } catch (error) {
    await rm(unfinished, { force: true })
    await rm(`${unfinished}-journal`, { force: true })
    throw error
  }
}

function applicationIdOf(head: Uint8Array): number | undefined {
  return head.length < APPLICATION_ID_AT + 4 ? undefined : new DataView(head.buffer, head.byteOffset, head.byteLength).getUint32(APPLICATION_ID_AT)
}

async function write(path: string, entries: AsyncIterable<LedgerEntry>): Promise<void> {
  const connection = new Connection('The SQLite export', { path, busyTimeout: 0, durability: 'power', journal: 'plain' }, (opened) => opened.exec(TABLE))
  try {
    const insert = connection.prepare(`INSERT INTO entry VALUES (${new Array(COLUMN_COUNT).fill('?').join(', ')})`)
    const flush = (batch: readonly LedgerEntry[]): void => {
      connection.write(() => {
        for (const entry of batch) insert.run(...readable(entry))
      })
    }
    let batch: LedgerEntry[] = []
    for await (const entry of entries) {
      batch.push(entry)
      if (batch.length < BATCH) continue
      flush(batch)
      batch = []
    }
    flush(batch)
  } finally {
    connection.close()
  }
}

function readable(entry: LedgerEntry): SqliteValue[] {
  const { microcents, estimatedMicrocents, openedAt, details } = entry
  return [
    entry.id, entry.kind, new Date(entry.at).toISOString(), entry.decisionId, entry.tenant ?? null, entry.userId, entry.tier ?? null, entry.sessionId ?? null,
    entry.provider ?? null, entry.requestedModel ?? null, entry.model ?? null, formatUsd(microcents), microcents, entry.tokens,
    estimatedMicrocents === undefined ? null : formatUsd(estimatedMicrocents), estimatedMicrocents ?? null, openedAt === undefined ? null : new Date(openedAt).toISOString(),
    JSON.stringify(entry.charged), entry.reason ?? null, jsonOf(entry.metadata),
    details?.priceVersion ?? null, details?.estimated === true ? 1 : null, jsonOf(details?.usage), jsonOf(details?.labels),
    jsonOf(entry.scopes), entry.estimatedTokens ?? null, jsonOf(entry.rungs), entry.calls ?? null, actionOf(entry) ?? null,
  ] // prettier-ignore
}
