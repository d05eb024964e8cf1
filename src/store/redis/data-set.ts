// One data set with everything that stands on it, and which of them a user, a request or a hold belongs to. With one partition that
// is never a question; with many, users of one tenant are kept together and tenants apart.

import { limitOf, sessionOf, type UserRef } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import { InvalidConfigError } from '../../errors/index.js'
import type { LedgerEntry } from '../../ledger/index.js'
import type { EntrySink } from '../auditing.js'
import type { ScopeTerms } from '../contract.js'
import { RedisAuditor } from './auditor.js'
import { SharedClient } from './client.js'
import { Connection } from './connection.js'
import { RedisDirectory } from './directory.js'
import { RedisLedger } from './ledger.js'
import type { RedisStoreOptions } from './options.js'

const PARTITIONS = 256
const MOST_KNOWN_HOLDS = 100_000
/** How long closing may take. */
const CLOSING_MS = 1_000

/** A data set: the keys under one hash tag. */
export interface DataSet {
  readonly connection: Connection
  readonly directory: RedisDirectory
  readonly ledger: RedisLedger
  readonly auditor: RedisAuditor
}

/** All data sets of a store, made as they are needed. */
export class DataSets {
  readonly #options: RedisStoreOptions
  readonly #client: SharedClient
  readonly #sets: (DataSet | undefined)[] = []
  readonly #isSplit: boolean
  /** Where the holds that this process has opened are, the newest last. */
  readonly #holds = new Map<string, DataSet>()

  constructor(options: RedisStoreOptions) {
    this.#options = options
    this.#client = new SharedClient(options)
    this.#isSplit = options.partition === 'tenant'
  }

  /** Where a user is counted. */
  ofUser({ tenant, userId }: UserRef): DataSet {
    return this.#isSplit ? this.#at(partitionOf(tenant ?? userId)) : this.#at(0)
  }

  /** Where what belongs to no tenant is, such as the registry. */
  get first(): DataSet {
    return this.#at(0)
  }

  /** Where all of these scopes are. Throws `InvalidConfigError` where one belongs to no tenant. */
  ofScopes(scopes: readonly ScopeTerms[]): DataSet {
    if (!this.#isSplit) return this.#at(0)
    const names = new Set(scopes.map(({ scope }) => partitionOf(ownerOf(scope))))
    if (names.size > 1) throw new InvalidConfigError("redisStore.partition: 'tenant' keeps tenants apart, and this request counts in two of them. Use partition: 'all'.")
    return this.#at([...names][0] ?? 0)
  }

  /** Where a hold is: known for those that were opened here, else looked for everywhere. */
  async ofHold(id: string): Promise<DataSet> {
    if (!this.#isSplit) return this.#at(0)
    const known = this.#holds.get(id)
    if (known !== undefined) return known
    const sets = this.all()
    const found = await Promise.all(sets.map(({ connection }) => connection.command('HEXISTS', connection.keys[0] as string, `h${id}`)))
    return sets[Math.max(0, found.findIndex((exists) => Number(exists) === 1))] as DataSet
  }

  /** Remembers where a hold was opened. */
  noteHold(id: string, set: DataSet): void {
    if (!this.#isSplit) return
    this.#holds.set(id, set)
    if (this.#holds.size > MOST_KNOWN_HOLDS) this.#holds.delete(this.#holds.keys().next().value as string)
  }

  /** The sink of them all. */
  get sink(): EntrySink | undefined {
    return this.#options.sink
  }

  all(): readonly DataSet[] {
    return Array.from({ length: this.#isSplit ? PARTITIONS : 1 }, (_, index) => this.#at(index))
  }

  async close(): Promise<void> {
    const made = this.#sets.filter((set) => set !== undefined)
    let timer: ReturnType<typeof setTimeout> | undefined
    // What cannot be drained now stays in the outbox; a client that waits for a server would keep the process from ending.
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSING_MS)
    })
    await Promise.race([Promise.all(made.map(({ ledger }) => ledger.close())), enough])
    clearTimeout(timer)
    for (const { connection } of made) connection.close()
    this.#client.close()
  }

  #at(index: number): DataSet {
    let set = this.#sets[index]
    if (set === undefined) {
      const prefix = this.#options.prefix ?? 'bursar'
      // An entry that no longer says whose it was may be of any of them.
      const isOfThis = ({ tenant, userId }: LedgerEntry): boolean => !this.#isSplit || (this.sink?.isAnonymised !== true && partitionOf(tenant ?? userId) === index)
      const connection = new Connection(this.#options, this.#client, this.#isSplit ? `{${prefix}:${index}}` : `{${prefix}}`, isOfThis)
      const ledger = new RedisLedger(connection, this.#options.sink)
      set = { connection, directory: new RedisDirectory(connection), ledger, auditor: new RedisAuditor(connection, ledger) }
      this.#sets[index] = set
    }
    return set
  }
}

function ownerOf(scope: ScopeId): string {
  const { kind, id, tenant } = scope
  if (kind === 'tenant') return id
  if (kind === 'user') return tenant ?? id
  const session = sessionOf(scope)
  if (session !== undefined) return tenant ?? session.user.userId
  // A limit of a tenant, or of users: its scope says whose.
  const owner = tenant ?? limitOf(scope)?.member
  if (owner !== undefined) return owner
  throw new InvalidConfigError(`redisStore.partition: 'tenant' keeps tenants apart, and the budget of ${kind} "${id}" is shared by several. Use partition: 'all', or budgets under scopes.tenant.`)
}

/** FNV-1a: the same for every process, also of a later version. */
function partitionOf(owner: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(owner)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash % PARTITIONS
}
