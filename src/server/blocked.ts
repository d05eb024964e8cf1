// The newest refusals, those of the same user for the same reason together.

import type { LedgerBook } from '../tracker/index.js'
import { clientId } from './ids.js'
import type { Where } from './reach.js'
import type { BlockedRow } from './views.js'

const LOOKED_AT = 500
const MOST_ROWS = 20
const LOOKBACK_MS = 7 * 86_400_000

/** The newest first: of the last week, and of the newest 500. */
export async function blockedRows(ledger: LedgerBook, where: Where, now: number): Promise<BlockedRow[]> {
  const rows = new Map<string, BlockedRow>()
  for (const { userId, tenant, at, reason = 'unknown', requestedModel, decisionId } of await ledger.newest({ from: now - LOOKBACK_MS, where: { ...where, kind: 'denied' } }, { limit: LOOKED_AT })) {
    const key = JSON.stringify([tenant ?? null, userId, reason])
    const known = rows.get(key)
    rows.set(key, known === undefined ? { userId, tenant: tenant ?? null, at: new Date(at).toISOString(), reason, model: requestedModel ?? null, decisionId: clientId(tenant, decisionId), count: 1 } : { ...known, count: known.count + 1 })
  }
  return [...rows.values()].slice(0, MOST_ROWS)
}
