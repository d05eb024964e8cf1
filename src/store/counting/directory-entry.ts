// What a change makes of a directory entry, the same in every store.

import type { Override } from '../../budget/index.js'
import { frozenCopy } from '../../enforcement/index.js'
import type { DirectoryChange, DirectoryEntry } from '../directory.js'

/** True for a change that comes too late: its billing was looked at before what stands there, or was worked out from something else. */
function isLate({ billing: stored }: DirectoryEntry, { billing, replaces }: DirectoryChange): boolean {
  const fence = stored?.fence ?? 0
  return (billing != null && billing.fence < fence) || (replaces !== undefined && replaces !== fence)
}

/** An entry with a change merged into it: windows by window, `null` takes away, what is absent stays. The same entry where it comes too late. */
export function mergeEntry(before: DirectoryEntry, change: DirectoryChange): DirectoryEntry {
  if (isLate(before, change)) return before
  const tier = change.tier === undefined ? before.tier : (change.tier ?? undefined)
  const billing = change.billing === undefined ? before.billing : (change.billing ?? undefined)
  const overrides: Record<string, Override> = { ...before.overrides }
  for (const [period, override] of Object.entries(change.overrides ?? {})) {
    if (override === null || override === undefined) delete overrides[period]
    else overrides[period] = override
  }
  return Object.freeze({
    ...(tier !== undefined && { tier }),
    ...(Object.keys(overrides).length > 0 && { overrides: Object.freeze(overrides) }),
    ...(billing !== undefined && { billing: frozenCopy(billing) }),
  })
}

/** True for an entry that says nothing: none needs to be kept. */
export function isEmptyEntry({ tier, overrides, billing }: DirectoryEntry): boolean {
  return tier === undefined && overrides === undefined && billing === undefined
}
