// Customers as somebody has written them down: a record beside a user, in the registry of the store. What they have spent, and of which tier
// they are, is the user's, and comes without a record. What changes both begins with the record: whoever goes by an older version has changed
// nothing, and what broke off in between is done by whoever repeats it.

import type { UserRef } from '../../budget/index.js'
import type { Registry, RegistryRecord } from '../../store/index.js'
import type { Clock } from '../../time/index.js'
import { prefixOf } from '../ids.js'
import { pageByKey, type Page, type PageOptions } from './paging.js'
import { Problem } from '../problem.js'
import type { Engine } from '../service.js'

/** What is written down of a customer. */
export interface CustomerFacts {
  readonly name: string
  readonly email?: string | undefined
  readonly metadata: Readonly<Record<string, string | number | boolean | null>>
}

/** A customer. */
export interface Customer extends CustomerFacts {
  readonly user: UserRef
  readonly createdAt: Date
  readonly updatedAt: Date
  /** Changes with every change. */
  readonly version: number
}

/** Which customers. */
export interface CustomerQuery extends PageOptions {
  /** Of one tenant; absent: of all. */
  readonly tenant?: string | undefined
  /** How the id, the name or the e-mail address begins, in whatever case. */
  readonly q?: string | undefined
}

/** How a customer is changed. */
export interface CustomerChange {
  /** The version that it goes by; absent: whichever there is. */
  readonly expected?: number | undefined
  /** The tier that is set with it; `null`: none. Absent: it stays. */
  readonly tier?: string | null | undefined
}

/** How a customer is removed. */
export interface CustomerRemoval {
  /** The version that it goes by; absent: whichever there is. */
  readonly expected?: number | undefined
  /** Takes the limits of the user's own away: the tier goes with them. Absent, for whoever may not do that: the record goes alone. */
  readonly clear?: (() => Promise<unknown>) | undefined
}

/** What a book works with. */
export type CustomerKeeper = Pick<Engine['tracker'], 'registry' | 'setUserTier'>

interface CustomerRecord extends CustomerFacts {
  readonly userId: string
  readonly tenant?: string | undefined
  /** ms since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
  /** The tier that was last asked for with the record. */
  readonly wanted?: string | null | undefined
  /** Something that is not done yet: since when, by the version that it went by (0: that it is made); whether the customer is on its way out. */
  readonly underway?: { readonly of: number; readonly removes: false } | { readonly of: number; readonly removes: true; readonly clears: boolean } | undefined
}

interface Known {
  readonly record: CustomerRecord
  readonly version: number
}

const KIND = 'customer'
const MOST_ATTEMPTS = 20

/** All customers of a store. Ids must have been checked. */
export class CustomerBook {
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #tracker: Pick<CustomerKeeper, 'setUserTier'>

  constructor(tracker: CustomerKeeper, clock: Clock) {
    this.#registry = tracker.registry
    this.#clock = clock
    this.#tracker = tracker
  }

  /**
   * Writes a new one down, and then its tier (`null`: none; absent: it stays). Throws a 409 where the user is a customer already, or not yet
   * removed. What broke off in between is finished by whoever asks for the same again.
   */
  async create(user: UserRef, facts: CustomerFacts, tier?: string | null): Promise<Customer> {
    const now = this.#clock()
    const record: CustomerRecord = { ...user, ...facts, createdAt: now, updatedAt: now, ...(tier !== undefined && { wanted: tier, underway: { of: 0, removes: false } }) }
    const version = await this.#put(user, record, 0)
    if (version !== undefined) return tier === undefined ? customerOf({ record, version }) : this.#finish(user, { record, version })
    const found = await this.#read(user)
    const isThere = found !== undefined && !isGoing(found)
    if (isThere && tier !== undefined && found.record.underway?.of === 0 && isAlike(found.record, record)) return this.#finish(user, found)
    throw new Problem(409, 'CONFLICT', `id: "${user.userId}" is ${isThere ? 'a customer already. PUT or PATCH changes it; or choose another id' : 'being removed. If that broke off, repeat the DELETE; then make it anew'}.`)
  }

  /** One of them; `undefined`: the user is no customer, or on its way out. */
  async get(user: UserRef): Promise<Customer | undefined> {
    const known = await this.#read(user)
    return known === undefined || isGoing(known) ? undefined : customerOf(known)
  }

  /** The same. Throws a 404 where the user is no customer. */
  async find(user: UserRef): Promise<Customer> {
    const found = await this.get(user)
    if (found === undefined) throw unknown(user)
    return found
  }

  /**
   * Writes what `change` makes of a customer, again where another process was faster, and then its tier. Throws a 404 where the user is no
   * customer, and a 412 where `expected` is not its version: before anything has changed. The repetition of a change that broke off may go
   * by the version that the change went by.
   */
  async change(user: UserRef, change: (before: CustomerFacts) => CustomerFacts, { expected, tier }: CustomerChange = {}): Promise<Customer> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const known = await this.#read(user)
      if (known === undefined || isGoing(known)) throw unknown(user)
      const { record: before, version: of } = known
      const { name, email, metadata } = change(before)
      const wanted = tier === undefined ? before.wanted : tier
      const record: CustomerRecord = { ...user, name, ...(email !== undefined && { email }), metadata, createdAt: before.createdAt, updatedAt: this.#clock(), ...(wanted !== undefined && { wanted }), ...(tier !== undefined && { underway: { of: expected ?? of, removes: false } }) }
      if (expected !== undefined && expected !== of && !(before.underway?.of === expected && isAlike(before, record))) throw changed(user)
      const version = await this.#put(user, record, of)
      if (version === undefined) continue
      return tier === undefined ? customerOf({ record, version }) : this.#finish(user, { record, version })
    }
    throw restless(user)
  }

  /**
   * Takes a customer away: says so in the record, takes away what goes with it, and then the record. Throws a 404 where the user is no
   * customer, and a 412 where `expected` is not its version: before anything has changed. What broke off can be repeated: that does what was
   * begun, and throws a 409 for whoever may not.
   */
  async remove(user: UserRef, { expected, clear }: CustomerRemoval = {}): Promise<void> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const known = await this.#read(user)
      if (known === undefined) throw unknown(user)
      const { record, version } = known
      if (expected !== undefined && expected !== version && !(isGoing(known) && record.underway?.of === expected)) throw changed(user)
      const clears = record.underway?.removes === true ? record.underway.clears : clear !== undefined
      if (clears && clear === undefined) throw new Problem(409, 'CONFLICT', `id: the operator is removing customer "${user.userId}", with tier and limits. If that broke off, repeat the DELETE with a key of the operator's.`)
      const marked = isGoing(known) ? version : await this.#put(user, { ...record, underway: { of: version, removes: true, clears } }, version)
      if (marked === undefined) continue
      if (clears) {
        await clear?.()
        // Where another one was faster, the tier may be that of a customer made since.
        if ((await this.#read(user))?.version !== marked) return
        await this.#tracker.setUserTier(user, null)
      }
      const isLast = (await this.#put(user, null, marked)) !== undefined
      if (clears && !isLast) await this.#giveBack(user)
      return
    }
    throw restless(user)
  }

  /** A page of them, in the order of tenant and id. Reads all records to find it. */
  async list({ tenant, q, ...options }: CustomerQuery): Promise<Page<Customer>> {
    const wanted = q?.toLowerCase()
    const page = await pageByKey(this.#registry.list(KIND), tenant === undefined ? '' : prefixOf(tenant), options, (record) => {
      if (wanted === undefined && !record.value.includes('"underway"')) return true
      const known = readRecord(record)
      const { userId, name, email } = known.record
      if (wanted === undefined || isGoing(known)) return !isGoing(known)
      return [userId, name, email].some((text) => text?.toLowerCase().startsWith(wanted))
    })
    return { ...page, items: page.items.map((record) => customerOf(readRecord(record))) }
  }

  /** Sets the tier of a customer that was made while an earlier one's was taken away. */
  async #giveBack(user: UserRef): Promise<void> {
    const found = await this.#read(user)
    if (found !== undefined && !isGoing(found) && found.record.wanted !== undefined) await this.#finish(user, found)
  }

  /** Sets the tier that a record asks for, until it is that of the record that stands: of two changes at once the last one counts. */
  async #finish(user: UserRef, written: Known): Promise<Customer> {
    let current = written
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const { underway, ...record } = current.record
      await this.#tracker.setUserTier(user, record.wanted ?? null)
      const version = underway === undefined ? undefined : await this.#put(user, record, current.version)
      if (version !== undefined) return customerOf(current === written ? { record, version } : written)
      const found = await this.#read(user)
      if (found !== undefined && !isGoing(found)) {
        // Somebody else may have finished the same.
        if (found.version === current.version) return customerOf(isAlike(found.record, written.record) ? found : written)
        current = found
        continue
      }
      // It was removed meanwhile, perhaps before the tier was set.
      await this.#tracker.setUserTier(user, null)
      return customerOf(written)
    }
    throw restless(user)
  }

  async #read(user: UserRef): Promise<Known | undefined> {
    const found = await this.#registry.get(KIND, keyOf(user))
    return found && readRecord(found)
  }

  /** The new version; `undefined` where another process was faster. */
  async #put(user: UserRef, record: CustomerRecord | null, expected: number): Promise<number | undefined> {
    return this.#registry.put(KIND, keyOf(user), record === null ? null : JSON.stringify(record), { expected })
  }
}

function readRecord({ value, version }: RegistryRecord): Known {
  return { record: JSON.parse(value) as CustomerRecord, version }
}

/** True where the removal has begun. */
function isGoing({ record }: Known): boolean {
  return record.underway?.removes === true
}

/** True where both say the same of the customer. */
function isAlike(one: CustomerRecord, other: CustomerRecord): boolean {
  const said = ({ name, email, metadata, wanted }: CustomerRecord): string => JSON.stringify([name, email ?? null, metadata, wanted])
  return said(one) === said(other)
}

function customerOf({ record: { userId, tenant, name, email, metadata, createdAt, updatedAt }, version }: Known): Customer {
  return { user: tenant === undefined ? { userId } : { userId, tenant }, name, email, metadata, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt), version }
}

/** The tenant stands before the id: no id of another tenant's user begins so. */
function keyOf({ userId, tenant }: UserRef): string {
  return `${prefixOf(tenant)}${userId}`
}

function unknown({ userId }: UserRef): Problem {
  return new Problem(404, 'NOT_FOUND', `id: there is no customer "${userId}".`)
}

function changed({ userId }: UserRef): Problem {
  return new Problem(412, 'PRECONDITION_FAILED', `If-Match: customer "${userId}" has changed since. Read it again, and say what is to be changed in what is there now.`)
}

function restless({ userId }: UserRef): Problem {
  return new Problem(503, 'UNAVAILABLE', `id: others changed customer "${userId}" again and again. Try again.`)
}
