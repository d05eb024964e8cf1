// Customers as somebody has written them down: a record beside a user, in the registry of the store. What they have spent, and of which tier
// they are, is the user's; it stays when the record goes, and comes without one.

import type { UserRef } from '../budget/index.js'
import type { Registry, RegistryRecord } from '../store/index.js'
import type { Clock } from '../time/index.js'
import { prefixOf } from './ids.js'
import { pageByKey, type Page, type PageOptions } from './paging.js'
import { Problem } from './problem.js'

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

interface CustomerRecord extends CustomerFacts {
  readonly userId: string
  readonly tenant?: string | undefined
  /** ms since the epoch. */
  readonly createdAt: number
  readonly updatedAt: number
}

const KIND = 'customer'
const MOST_ATTEMPTS = 20

/** All customers of a store. Ids must have been checked. */
export class CustomerBook {
  readonly #registry: Registry
  readonly #clock: Clock

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry
    this.#clock = clock
  }

  /** Writes a new one down. Throws a 409 where the user is a customer already. */
  async create(user: UserRef, facts: CustomerFacts): Promise<Customer> {
    const now = this.#clock()
    const record: CustomerRecord = { ...user, ...facts, createdAt: now, updatedAt: now }
    const version = await this.#registry.put(KIND, keyOf(user), JSON.stringify(record), { expected: 0 })
    if (version === undefined) throw new Problem(409, 'CONFLICT', `id: "${user.userId}" is a customer already. PUT or PATCH changes it; or choose another id.`)
    return customerOf(record, version)
  }

  /** One of them; `undefined`: the user is no customer. */
  async get(user: UserRef): Promise<Customer | undefined> {
    const found = await this.#registry.get(KIND, keyOf(user))
    return found && readCustomer(found)
  }

  /** The same. Throws a 404 where the user is no customer, and a 409 where `expected` is not its version. */
  async find(user: UserRef, expected?: number): Promise<Customer> {
    const found = await this.get(user)
    if (found === undefined) throw new Problem(404, 'NOT_FOUND', `id: there is no customer "${user.userId}".`)
    if (expected !== undefined && expected !== found.version) throw changed(user)
    return found
  }

  /** Writes what `change` makes of a customer, again where another process was faster. Throws as {@link find}. */
  async change(user: UserRef, change: (before: CustomerFacts) => CustomerFacts, expected?: number): Promise<Customer> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const before = await this.find(user, expected)
      const { name, email, metadata } = change(before)
      const record: CustomerRecord = { ...user, name, ...(email !== undefined && { email }), metadata, createdAt: before.createdAt.getTime(), updatedAt: this.#clock() }
      const version = await this.#registry.put(KIND, keyOf(user), JSON.stringify(record), { expected: before.version })
      if (version !== undefined) return customerOf(record, version)
    }
    throw restless(user)
  }

  /** Takes the record away. Throws as {@link find}. */
  async remove(user: UserRef, expected?: number): Promise<void> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const { version } = await this.find(user, expected)
      if ((await this.#registry.put(KIND, keyOf(user), null, { expected: version })) !== undefined) return
    }
    throw restless(user)
  }

  /** A page of them, in the order of tenant and id. Reads all records to find it. */
  async list({ tenant, q, ...options }: CustomerQuery): Promise<Page<Customer>> {
    const wanted = q?.toLowerCase()
    const page = await pageByKey(this.#registry.list(KIND), tenant === undefined ? '' : prefixOf(tenant), options, (record) => {
      if (wanted === undefined) return true
      const { userId, name, email } = JSON.parse(record.value) as CustomerRecord
      return [userId, name, email].some((text) => text?.toLowerCase().startsWith(wanted))
    })
    return { ...page, items: page.items.map(readCustomer) }
  }
}

function readCustomer({ value, version }: RegistryRecord): Customer {
  return customerOf(JSON.parse(value) as CustomerRecord, version)
}

function customerOf({ userId, tenant, name, email, metadata, createdAt, updatedAt }: CustomerRecord, version: number): Customer {
  return { user: tenant === undefined ? { userId } : { userId, tenant }, name, email, metadata, createdAt: new Date(createdAt), updatedAt: new Date(updatedAt), version }
}

/** The tenant stands before the id: no id of another tenant's user begins so. */
function keyOf({ userId, tenant }: UserRef): string {
  return `${prefixOf(tenant)}${userId}`
}

function changed({ userId }: UserRef): Problem {
  return new Problem(409, 'CONFLICT', `If-Match: customer "${userId}" has changed since. Read it again, and say what is to be changed in what is there now.`)
}

function restless({ userId }: UserRef): Problem {
  return new Problem(503, 'UNAVAILABLE', `id: others changed customer "${userId}" again and again. Try again.`)
}
