// Tiers, overrides and standings in Redis. What this process has seen of a user is remembered with its version: an operation that was
// made with an older one is told so by the script that would have run it, so that no request has to ask first.

import { randomInt } from 'node:crypto'
import { scopeKey, userScope, type UserRef } from '../../budget/index.js'
import { StoreUnavailableError } from '../../errors/index.js'
import { isEmptyEntry, mergeEntry } from '../counting/directory-entry.js'
import type { Directory, DirectoryChange, DirectoryEntry } from '../directory.js'
import type { Connection } from './connection.js'
import { Unpacker } from './packing.js'

const MOST_REMEMBERED = 10_000
const MOST_ATTEMPTS = 500
const NOTHING: DirectoryEntry = Object.freeze({})

interface Known {
  readonly version: number
  readonly entry: DirectoryEntry
}

/** See the head of this file. */
export class RedisDirectory implements Directory {
  readonly #connection: Connection
  /** The most recently used last. */
  readonly #remembered = new Map<string, Known>()
  readonly #versions = new WeakMap<DirectoryEntry, number>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  remembered(user: UserRef): DirectoryEntry | undefined {
    if (this.#remembered.size === 0) return undefined
    const key = keyOf(user)
    const known = this.#remembered.get(key)
    if (known === undefined) return undefined
    this.#remembered.delete(key)
    this.#remembered.set(key, known)
    return known.entry
  }

  async get(user: UserRef): Promise<DirectoryEntry | undefined> {
    const [bytes] = await this.#connection.fields(`d${keyOf(user)}`)
    return this.learn(user, bytes ?? undefined)
  }

  async change(user: UserRef, change: DirectoryChange): Promise<{ before: DirectoryEntry; after: DirectoryEntry }> {
    let before = await this.get(user)
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const known = before ?? NOTHING
      const merged = mergeEntry(known, change)
      if (merged === known) return { before: known, after: known }
      const text = JSON.stringify(merged)
      // As every other process will read it.
      const after = Object.freeze(JSON.parse(text) as DirectoryEntry)
      const isEmpty = isEmptyEntry(after)
      const version = isEmpty ? 0 : randomInt(1, 2 ** 48 - 1)
      const reply = await this.#connection.run('set-entry', (to) => to.textZ(keyOf(user)).u56(this.versionOf(known)).u56(version).text(text))
      if (reply.code === 'K') {
        this.#connection.keep(reply)
        this.#remember(user, isEmpty ? undefined : { version, entry: after })
        return { before: known, after }
      }
      before = this.learn(user, reply.body.rest())
    }
    throw new StoreUnavailableError(`redis: the directory entry of "${user.userId}" changed at each of ${MOST_ATTEMPTS} attempts. Try again.`)
  }

  /** The version of an entry that this directory gave; 0 for none. */
  versionOf(entry: DirectoryEntry | undefined): number {
    return entry === undefined ? 0 : (this.#versions.get(entry) ?? 0)
  }

  /** Remembers an entry as it is stored; no bytes: there is none. */
  learn(user: UserRef, bytes: Buffer | undefined): DirectoryEntry | undefined {
    if (bytes === undefined || bytes.length === 0) {
      this.#remember(user, undefined)
      return undefined
    }
    const from = new Unpacker(bytes)
    const version = from.u56()
    const known = this.#remembered.get(keyOf(user))
    // The same object while it says the same: what was worked out from it is kept by its identity.
    if (known?.version === version) return known.entry
    const entry = Object.freeze(JSON.parse(from.rest().toString()) as DirectoryEntry)
    this.#remember(user, { version, entry })
    return entry
  }

  #remember(user: UserRef, known: Known | undefined): void {
    const key = keyOf(user)
    this.#remembered.delete(key)
    if (known === undefined) return
    this.#versions.set(known.entry, known.version)
    this.#remembered.set(key, known)
    if (this.#remembered.size > MOST_REMEMBERED) this.#remembered.delete(this.#remembered.keys().next().value as string)
  }
}

function keyOf(user: UserRef): string {
  return scopeKey(userScope(user))
}
