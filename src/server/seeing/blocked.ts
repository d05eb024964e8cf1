// The newest refusals, those of the same user for the same reason together.

import type { Caller } from '../caller.js'
import { deniedWords } from './denied-words.js'
import { clientId } from '../ids.js'
import { ownEntries } from './reach.js'
import type { Engine } from '../service.js'
import type { BlockedRow } from './views.js'

const LOOKED_AT = 500
const MOST_ROWS = 20
const LOOKBACK_MS = 7 * 86_400_000

/** The newest first: of the last week, and of the newest 500. */
export async function blockedRows(engine: Engine, caller: Caller, now: number): Promise<BlockedRow[]> {
  const rows = new Map<string, Omit<BlockedRow, 'reason' | 'decisionId'> & { readonly id: string }>()
  for (const { userId, tenant, at, reason: code = 'unknown', requestedModel, decisionId: id } of await engine.tracker.ledger.newest({ from: now - LOOKBACK_MS, where: { ...ownEntries(caller), kind: 'denied' } }, { limit: LOOKED_AT })) {
    const key = JSON.stringify([tenant ?? null, userId, code])
    const known = rows.get(key)
    rows.set(key, known === undefined ? { userId, tenant: tenant ?? null, at: new Date(at).toISOString(), code, model: requestedModel ?? null, id, count: 1 } : { ...known, count: known.count + 1 })
  }
  return Promise.all(
    [...rows.values()].slice(0, MOST_ROWS).map(async ({ id, ...row }): Promise<BlockedRow> => ({ ...row, reason: await deniedWords(engine, caller, id, row.code), decisionId: clientId(row.tenant ?? undefined, id) })),
  )
}
