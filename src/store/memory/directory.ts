// Tiers, overrides and standings in memory.

import { scopeKey, userScope, type UserRef } from '../../budget/index.js'
import type { Directory, DirectoryChange, DirectoryEntry, KnownUser } from '../directory.js'
import { isEmptyEntry, mergeEntry } from '../counting/directory-entry.js'

const NOTHING: DirectoryEntry = Object.freeze({})

/** A directory that lives as long as its process. */
export class MemoryDirectory implements Directory {
  readonly #entries = new Map<string, { readonly user: UserRef; readonly entry: DirectoryEntry }>()

  get(user: UserRef): DirectoryEntry | undefined {
    return this.#entries.size === 0 ? undefined : this.#entries.get(scopeKey(userScope(user)))?.entry
  }

  change(user: UserRef, change: DirectoryChange): { before: DirectoryEntry; after: DirectoryEntry } {
    const before = this.get(user) ?? NOTHING
    const after = mergeEntry(before, change)
    const key = scopeKey(userScope(user))
    if (isEmptyEntry(after)) this.#entries.delete(key)
    else this.#entries.set(key, { user, entry: after })
    return { before, after }
  }

  *users(): Generator<KnownUser> {
    for (const { user, entry } of this.#entries.values()) yield { user, tier: entry.tier }
  }
}
