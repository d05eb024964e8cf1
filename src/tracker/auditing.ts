// An audit as a tracker asks for it: with what it knows of when windows end, and with the limits and settings of tenants brought back first.

import { audit, endingsOf, type AuditOptions, type AuditReport, type EndingOf, type RestoredRecords } from '../audit/index.js'
import { restore, type Restored } from '../limits/index.js'
import type { AuditSnapshot } from '../store/index.js'
import type { Foundation } from './foundation.js'
import { newId } from './ids.js'
import { assertKnownFields } from './requests.js'

/** See `CostTracker.audit`. */
export async function auditStore({ store, plan, accounts }: Foundation, options: AuditOptions): Promise<AuditReport> {
  assertKnownFields(options, ['repair'], 'options')
  const endingsWith = async (restored?: Restored): Promise<EndingOf> => endingsOf(plan, await accounts.sessions.lives(), await accounts.limits.windows(restored))
  let endings = await endingsWith()
  const restoring = async ({ entries }: AuditSnapshot): Promise<RestoredRecords | undefined> => {
    // What a store that has kept its data lacks was taken away, perhaps since the snapshot.
    if (await accounts.limits.records.isBegun(store.auditor?.registry)) return undefined
    const restored = await restore(accounts.limits.records, entries(), plan.config, store.auditor?.registry)
    // Only now it is known when their windows end.
    endings = await endingsWith(restored)
    return restored.report
  }
  try {
    return await audit(store, options, newId, (charged) => endings(charged), restoring)
  } finally {
    if (options.repair !== undefined) accounts.sessions.forget()
  }
}
