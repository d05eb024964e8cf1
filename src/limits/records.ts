// What this process knows of the limits and tenants that all processes share: records in the store's registry, and one record that
// changes with each of them, so that whoever has seen it reads nothing else. Decides how old what is known may be; knows no request.

import { StoreUnavailableError } from '../errors/index.js'
import { isReset, isStoresFailure } from '../outage/index.js'
import { isPromise, type MaybePromise, type Registry, type RegistryRecord } from '../store/index.js'
import { steadyClock, type Clock } from '../time/index.js'
import type { LimitRecord } from './limit.js'
import type { TenantRecord } from './tenant.js'

/** A record with its version. Frozen; the same object as long as it has not changed. */
export interface Known<Value> {
  readonly id: string
  readonly value: Value
  readonly version: number
}

/** All that is known at a time. Frozen: a change makes another one. */
export interface KnownRecords {
  readonly limits: ReadonlyMap<string, Known<LimitRecord>>
  readonly tenants: ReadonlyMap<string, Known<TenantRecord>>
}

/** The kinds of records. */
export type RecordKind = 'limit' | 'tenant'

interface Values {
  readonly limit: LimitRecord
  readonly tenant: TenantRecord
}

/** What is known is looked up again, behind the requests, when it is so old; */
const FRESH_MS = 500
/** and before them when it is older than this. */
const BELIEVED_MS = 1_000
/** A writer that crashed between its record and the revision, and a store whose data another process has replaced, tell nobody. */
const WHOLE_MS = 30_000
/** Its version changes with every change. Its value is the highest generation of the limits that were removed: no other trace is left of them. */
const REVISION = { kind: 'limits', key: 'revision' } as const
const MOST_ATTEMPTS = 50
const NOTHING: KnownRecords = Object.freeze({ limits: new Map(), tenants: new Map() })

/** Those of stores that no other process has: whoever works on one of them in this process knows the same. */
const ofProcess = new WeakMap<Registry, LimitRecords>()

/** The records of a store. `shared`: other processes may change them too. */
export function limitRecords({ registry, shared }: { readonly registry: Registry; readonly shared: boolean }): LimitRecords {
  if (shared) return new LimitRecords(registry, true)
  let known = ofProcess.get(registry)
  if (known === undefined) ofProcess.set(registry, (known = new LimitRecords(registry, false)))
  return known
}

/** See the head of this file. */
export class LimitRecords {
  readonly #registry: Registry
  readonly #shared: boolean
  readonly #steady: Clock
  #known: KnownRecords = NOTHING
  #isLoaded = false
  /** The version of the revision to which `#known` belongs; 0: there was none. */
  #revision = 0
  /** When the registry was asked last, and when for all records, by the steady clock. */
  #askedAt = -Infinity
  #readAt = -Infinity
  /** Goes up with what this process itself writes or forgets: what was read before does not replace it. */
  #epoch = 0
  #running: Promise<void> | undefined
  #runningSince = -Infinity

  /** `steady` is for tests. */
  constructor(registry: Registry, shared: boolean, steady: Clock = steadyClock) {
    this.#registry = registry
    this.#shared = shared
    this.#steady = steady
  }

  /** What is known now. */
  get known(): KnownRecords {
    return this.#known
  }

  /**
   * Nothing where what is known is good enough; else a promise of when it is. INVARIANT: a request that begins a second after a change
   * was acknowledged knows of it, unless the store is away: then what was known stands. Throws or rejects where nothing was ever known.
   */
  ready(): Promise<void> | undefined {
    if (this.#isLoaded && !this.#shared) return undefined
    const now = this.#shared ? this.#steady() : 0
    const age = this.#shared ? now - this.#askedAt : Infinity
    if (age <= FRESH_MS) return undefined
    const asked = this.#ask()
    if (asked === undefined) return undefined
    // A look that began long before, and answers only now, does not know of what changed meanwhile.
    if (age > BELIEVED_MS) return this.#shared && this.#runningSince < now - BELIEVED_MS ? asked.then(() => this.#ask()) : asked
    // Whoever comes when it is too old hears of what this fails with.
    asked.catch(() => {})
    return undefined
  }

  /** Everything by what the registry says now. Rejects while the store is away. */
  async load(): Promise<KnownRecords> {
    await this.#read()
    return this.#known
  }

  /** Forgets all that was known: it may be of a data set that is lost. */
  forget(): void {
    this.#epoch += 1
    this.#isLoaded = false
    this.#known = NOTHING
    this.#revision = 0
    this.#askedAt = -Infinity
    this.#readAt = -Infinity
  }

  /** One record by what the registry says now. */
  async get<Kind extends RecordKind>(kind: Kind, id: string): Promise<Known<Values[Kind]> | undefined> {
    const record = await this.#registry.get(kind, id)
    return record && Object.freeze({ id, value: JSON.parse(record.value) as Values[Kind], version: record.version })
  }

  /**
   * Makes a limit of an id that is free: `change` hears what stands there, and throws where it is taken. Its generation is above that
   * of every limit that was removed, and no other one of its id ever has it again.
   */
  async create(id: string, change: (before: LimitRecord | undefined) => LimitRecord): Promise<Known<LimitRecord>> {
    let generation = (await this.#highestRemoved()) + 1
    const made = await this.write('limit', id, (before) => ({ ...change(before), generation }))
    let known = made.after as Known<LimitRecord>
    // Another one of its id may have come and gone since the number was read.
    for (let highest = await this.#highestRemoved(); highest >= generation; highest = await this.#highestRemoved()) {
      generation = highest + 1
      const again = await this.write('limit', id, (standing) => standing === undefined ? null : standing.generation > highest ? standing : { ...standing, generation })
      if (again.after === undefined) return known
      known = again.after
      if (known.value.generation !== generation) return known
    }
    return known
  }

  /** Takes a limit away. Gives its last version and generation; `undefined`, and nothing happens, where it is not there. */
  async remove(id: string): Promise<{ readonly version: number; readonly generation: number } | undefined> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const found = await this.get('limit', id)
      if (found === undefined) return undefined
      const { generation } = found.value
      // Before it is gone: whoever makes another one must count from there.
      await this.#tell(generation)
      const { replaced, after } = await this.write('limit', id, (standing) => (standing === undefined || standing.generation <= generation ? null : standing))
      if (after === undefined) return { version: replaced === 0 ? found.version : replaced, generation }
    }
    throw restless('limit', id)
  }

  /** True where the registry, which may be of a store that is about to be repaired, has or had any record: none was lost with its data. */
  async isBegun(registry: Registry = this.#registry): Promise<boolean> {
    return (await registry.get(REVISION.kind, REVISION.key)) !== undefined
  }

  /** Writes records that the registry lacks, by one that may be of a store that is about to be repaired. Gives the ids of those written. */
  async bringBack(kind: RecordKind, records: Iterable<readonly [string, Values[RecordKind]]>, registry: Registry = this.#registry): Promise<string[]> {
    const written: string[] = []
    for (const [id, value] of records) {
      if ((await registry.get(kind, id)) !== undefined) continue
      if ((await registry.put(kind, id, JSON.stringify(value), { expected: 0 })) !== undefined) written.push(id)
    }
    return written
  }

  /** Tells all processes that something was brought back, where it was, and that limits up to the generation `removed` are gone. */
  async broughtBack(anything: boolean, removed: number, registry: Registry = this.#registry): Promise<void> {
    if (!anything && removed <= generationIn(await registry.get(REVISION.kind, REVISION.key))) return
    await this.#tell(removed, registry)
    this.forget()
  }

  /**
   * Writes what `change` makes of a record (`null`: none any more), again where another process was faster, and tells all processes.
   * Gives what was before, with its version (0: nothing was), and what is now. What `change` throws is the caller's, and nothing was written.
   */
  async write<Kind extends RecordKind>(kind: Kind, id: string, change: (before: Values[Kind] | undefined) => Values[Kind] | null): Promise<{ readonly before: Values[Kind] | undefined; readonly replaced: number; readonly after: Known<Values[Kind]> | undefined }> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const found = await this.get(kind, id)
      const value = change(found?.value)
      if (value === null && found === undefined) return { before: undefined, replaced: 0, after: undefined }
      await this.#ensureRevision()
      const version = await this.#registry.put(kind, id, value === null ? null : JSON.stringify(value), { expected: found?.version ?? 0 })
      if (version === undefined) continue
      const after = value === null ? undefined : Object.freeze({ id, value, version })
      this.#take(kind, id, after)
      await this.#tell()
      return { before: found?.value, replaced: found?.version ?? 0, after }
    }
    throw restless(kind, id)
  }

  #ask(): Promise<void> | undefined {
    if (this.#running !== undefined) return this.#running
    try {
      const startedAt = this.#steady()
      this.#runningSince = startedAt
      const epoch = this.#epoch
      const record = this.#registry.get(REVISION.kind, REVISION.key)
      if (isPromise(record)) return (this.#running = this.#alone(record.then((found) => this.#heardRevision(found?.version ?? 0, startedAt, epoch))))
      const rest = this.#heardRevision(record?.version ?? 0, startedAt, epoch)
      return isPromise(rest) ? (this.#running = this.#alone(rest)) : undefined
    } catch (error) {
      this.#unlessKnown(error)
      return undefined
    }
  }

  #heardRevision(revision: number, startedAt: number, epoch: number): MaybePromise<void> {
    if (this.#isLoaded && revision === this.#revision && (revision === 0 || startedAt - this.#readAt <= WHOLE_MS)) {
      this.#askedAt = Math.max(this.#askedAt, startedAt)
      return
    }
    if (revision !== 0 || epoch !== this.#epoch) return this.#read()
    this.#known = NOTHING
    this.#revision = 0
    this.#isLoaded = true
    this.#askedAt = this.#readAt = startedAt
  }

  /** All records, with the revision that was there before. */
  async #read(): Promise<void> {
    for (;;) {
      const epoch = this.#epoch
      const startedAt = this.#steady()
      const revision = (await this.#registry.get(REVISION.kind, REVISION.key))?.version ?? 0
      const limits = await this.#list('limit', this.#known.limits)
      const tenants = await this.#list('tenant', this.#known.tenants)
      if (epoch !== this.#epoch) continue
      // Of two that run at once, the one that began last counts.
      if (this.#isLoaded && startedAt < this.#readAt) return
      this.#known = Object.freeze({ limits, tenants })
      this.#revision = revision
      this.#isLoaded = true
      this.#askedAt = this.#readAt = startedAt
      return
    }
  }

  async #list<Kind extends RecordKind>(kind: Kind, before: ReadonlyMap<string, Known<Values[Kind]>>): Promise<ReadonlyMap<string, Known<Values[Kind]>>> {
    const found: Known<Values[Kind]>[] = []
    for await (const { key: id, value, version } of this.#registry.list(kind)) {
      const same = before.get(id)
      found.push(same?.version === version ? same : Object.freeze({ id, value: JSON.parse(value) as Values[Kind], version }))
    }
    // In the order of their ids: every process has the same, whatever the store's.
    return new Map(found.sort((a, b) => (a.id < b.id ? -1 : 1)).map((known) => [known.id, known]))
  }

  async #alone(work: MaybePromise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#unlessKnown(error)
    } finally {
      this.#running = undefined
    }
  }

  /** While the store is away what was known stands; one that has lost its data stands by nothing. */
  #unlessKnown(error: unknown): void {
    if (!this.#isLoaded || !isStoresFailure(error) || isReset(error)) throw error
  }

  #take<Kind extends RecordKind>(kind: Kind, id: string, after: Known<Values[Kind]> | undefined): void {
    this.#epoch += 1
    const name = kind === 'limit' ? 'limits' : 'tenants'
    const records = new Map(this.#known[name] as ReadonlyMap<string, Known<Values[Kind]>>)
    if (after === undefined) records.delete(id)
    else if ((records.get(id)?.version ?? 0) < after.version) records.set(id, after)
    this.#known = Object.freeze({ ...this.#known, [name]: new Map([...records].sort(([a], [b]) => (a < b ? -1 : 1))) })
  }

  /** Before the first record: whoever finds no revision looks for none. */
  async #ensureRevision(): Promise<void> {
    if (this.#revision !== 0) return
    if ((await this.#registry.get(REVISION.kind, REVISION.key)) === undefined) await this.#registry.put(REVISION.kind, REVISION.key, '', { expected: 0 })
  }

  async #highestRemoved(): Promise<number> {
    return generationIn(await this.#registry.get(REVISION.kind, REVISION.key))
  }

  /** `removed`: the generation of a limit that goes now. */
  async #tell(removed = 0, registry: Registry = this.#registry): Promise<void> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const found = await registry.get(REVISION.kind, REVISION.key)
      const highest = Math.max(generationIn(found), removed)
      if ((await registry.put(REVISION.kind, REVISION.key, highest === 0 ? '' : String(highest), { expected: found?.version ?? 0 })) !== undefined) return
    }
    throw new StoreUnavailableError(`limits: others changed them at each of ${MOST_ATTEMPTS} attempts. It is written, and other processes see it within ${WHOLE_MS / 1_000} seconds.`)
  }
}

function restless(kind: RecordKind, id: string): StoreUnavailableError {
  return new StoreUnavailableError(`${kind} "${id}": others changed it at each of ${MOST_ATTEMPTS} attempts. Try again.`, { asked: false })
}

function generationIn(revision: RegistryRecord | undefined): number {
  return Number(revision?.value ?? 0)
}
