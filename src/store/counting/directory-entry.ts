// What a change makes of a directory entry, the same in every store.

import type { Override } from '../../budget/index.js'
import type { DirectoryChange, DirectoryEntry } from '../directory.js'

/** An entry with a change merged into it: windows by window, `null` takes away, what is absent stays. */
export function mergeEntry(before: DirectoryEntry, change: DirectoryChange): DirectoryEntry {
  const tier = change.tier === undefined ? before.tier : (change.tier ?? undefined)
  const overrides: Record<string, Override> = { ...before.overrides }
  for (const [period, override] of Object.entries(change.overrides ?? {})) {
    if (override === null || override === undefined) delete overrides[period]
    else overrides[period] = override
  }
  return Object.freeze({ ...(tier !== undefined && { tier }), ...(Object.keys(overrides).length > 0 && { overrides: Object.freeze(overrides) }) })
}
