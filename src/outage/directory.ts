// The directory of a store that may be away: in time or not at all, and where this process decides alone, what was last heard.

import { scopeKey, userScope, type UserRef } from '../budget/index.js'
import { isPromise, type Directory, type DirectoryChange, type DirectoryEntry, type MaybePromise } from '../store/index.js'
import type { Ask } from './ledger.js'
import { MOST_SCOPES } from './known-windows.js'
import { isStoresFailure } from './replay.js'

/** A directory behind a guard. With `keepsEntries` it remembers what it said, for as many users as windows are remembered of. */
export class GuardedDirectory implements Directory {
  readonly #directory: Directory
  readonly #ask: Ask
  readonly #heard: Map<string, DirectoryEntry | undefined> | undefined

  constructor(directory: Directory, ask: Ask, keepsEntries: boolean) {
    this.#directory = directory
    this.#ask = ask
    this.#heard = keepsEntries ? new Map() : undefined
  }

  /** What the store remembers without asking is there during an outage too; else what was last heard, if anything was. */
  remembered(user: UserRef): MaybePromise<DirectoryEntry | undefined> {
    const directory = this.#directory
    if (directory.remembered === undefined) return this.#orHeard(user, () => directory.get(user))
    const entry = directory.remembered(user)
    if (!isPromise(entry)) return entry
    // Whoever is away is not waited for; what comes of it later is nobody's.
    entry.catch(() => {})
    return this.#orHeard(user, () => entry)
  }

  get(user: UserRef): MaybePromise<DirectoryEntry | undefined> {
    return this.#ask('directory', () => this.#directory.get(user))
  }

  change(user: UserRef, change: DirectoryChange): MaybePromise<{ readonly before: DirectoryEntry; readonly after: DirectoryEntry }> {
    return this.#ask('directory', () => this.#directory.change(user, change))
  }

  #orHeard(user: UserRef, ask: () => MaybePromise<DirectoryEntry | undefined>): MaybePromise<DirectoryEntry | undefined> {
    if (this.#heard === undefined) return this.#ask('directory', ask)
    const key = scopeKey(userScope(user))
    try {
      const entry = this.#ask('directory', ask)
      if (!isPromise(entry)) return this.#hear(key, entry)
      return entry.then(
        (known) => this.#hear(key, known),
        (error: unknown) => this.#lastHeard(key, error),
      )
    } catch (error) {
      return this.#lastHeard(key, error)
    }
  }

  #hear(key: string, entry: DirectoryEntry | undefined): DirectoryEntry | undefined {
    const heard = this.#heard as Map<string, DirectoryEntry | undefined>
    heard.delete(key)
    if (heard.size >= MOST_SCOPES) heard.delete(heard.keys().next().value as string)
    heard.set(key, entry)
    return entry
  }

  #lastHeard(key: string, error: unknown): DirectoryEntry | undefined {
    const heard = this.#heard as Map<string, DirectoryEntry | undefined>
    if (!isStoresFailure(error) || !heard.has(key)) throw error
    return heard.get(key)
  }
}
