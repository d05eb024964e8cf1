// All endpoints, in the registry of the store: made, listed, rotated, removed. Others see a change within a second.

import { randomBytes } from 'node:crypto'
import { InvalidRequestError, StoreUnavailableError } from '../../errors/index.js'
import type { Registry } from '../../store/index.js'
import type { Clock } from '../../time/index.js'
import { Problem } from '../problem.js'
import { assertEndpointChange, assertNewEndpoint, newSecret, shownEndpoint, type Endpoint, type EndpointChange, type IssuedEndpoint, type NewEndpoint, type WrittenEndpoint } from './endpoint.js'
import { EVENTS } from './message.js'

const KIND = 'webhook'
const ID = /^[0-9a-f]{16}$/
const ID_BYTES = 8
const DAY_MS = 86_400_000
/** By default what is sent is signed with both secrets for a day, */
const GRACE_MS = DAY_MS
/** and at most for so long. */
const MOST_GRACE_MS = 30 * DAY_MS
/** How many secrets before the newest may be valid at once. */
const MOST_EARLIER = 4
/** How many a tenant, or the operator, may have. */
const MOST_ENDPOINTS = 20
/** What is known of them for events may be so old. */
const BELIEVED_MS = 1_000
const MOST_ATTEMPTS = 50

/** An endpoint with its id. */
export interface KnownEndpoint {
  readonly id: string
  readonly value: WrittenEndpoint
}

/** See the head of this file. */
export class Endpoints {
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #allowPrivate: boolean
  #known: readonly KnownEndpoint[] = []
  #askedAt = -Infinity

  constructor({ registry, clock, allowPrivate }: { readonly registry: Registry; readonly clock: Clock; readonly allowPrivate: boolean }) {
    this.#registry = registry
    this.#clock = clock
    this.#allowPrivate = allowPrivate
  }

  /** True where it is known that there is none: nobody needs to be told anything. */
  get areNone(): boolean {
    return this.#isFresh() && this.#known.length === 0
  }

  async create(endpoint: NewEndpoint): Promise<IssuedEndpoint> {
    assertNewEndpoint(endpoint, this.#allowPrivate)
    const { url, events = EVENTS, tenant, description } = endpoint
    if ((await this.#read()).filter(({ value }) => value.tenant === tenant).length >= MOST_ENDPOINTS) {
      throw new InvalidRequestError(`webhooks: there are ${MOST_ENDPOINTS} endpoints already. Remove those that nobody listens at.`)
    }
    const secret = newSecret()
    const value: WrittenEndpoint = {
      url: new URL(url).href,
      events: EVENTS.filter((event) => events.includes(event)),
      ...(tenant !== undefined && { tenant }),
      ...(description !== undefined && { description }),
      createdAt: this.#clock(),
      secrets: [{ secret }],
    }
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const id = randomBytes(ID_BYTES).toString('hex')
      if ((await this.#put(id, value, 0)) !== undefined) return { endpoint: shownEndpoint(id, value), secret }
    }
    throw restless()
  }

  /** All of them, the oldest first. */
  async list(): Promise<Endpoint[]> {
    return (await this.#read()).map(({ id, value }) => shownEndpoint(id, value))
  }

  /** One of them by what the registry says now. */
  async get(id: string): Promise<WrittenEndpoint | undefined> {
    const record = ID.test(id) ? await this.#registry.get(KIND, id) : undefined
    return record && (JSON.parse(record.value) as WrittenEndpoint)
  }

  /** All of them as they were at most a second ago. */
  async known(): Promise<readonly KnownEndpoint[]> {
    return this.#isFresh() ? this.#known : this.#read()
  }

  async remove(id: string): Promise<void> {
    await this.#change(id, () => null)
  }

  async update(id: string, change: EndpointChange): Promise<Endpoint> {
    assertEndpointChange(change, this.#allowPrivate)
    const { url, events, description } = change
    const value = await this.#change(id, (before) => ({
      ...before,
      ...(url !== undefined && { url: new URL(url).href }),
      ...(events !== undefined && { events: EVENTS.filter((event) => events.includes(event)) }),
      ...(description !== undefined && { description }),
    }))
    return shownEndpoint(id, value as WrittenEndpoint)
  }

  async rotate(id: string, graceMs: number = GRACE_MS): Promise<IssuedEndpoint> {
    if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > MOST_GRACE_MS) {
      throw new InvalidRequestError(`graceMs: ${String(graceMs)} is no grace. Give whole milliseconds from 0 (the secret before is void at once) to ${MOST_GRACE_MS} (30 days).`)
    }
    const secret = newSecret()
    const value = await this.#change(id, (before, now) => {
      const earlier = before.secrets.map((each) => ({ secret: each.secret, until: Math.min(each.until ?? Infinity, now + graceMs) })).filter(({ until }) => until > now)
      if (earlier.length > MOST_EARLIER) {
        throw new Problem(409, 'CONFLICT', `webhook: ${MOST_EARLIER + 1} secrets are in use already. Wait until the grace of one is over, or give "graceMs": 0, which ends all that are before the new one.`)
      }
      return { ...before, secrets: [{ secret }, ...earlier] }
    })
    return { endpoint: shownEndpoint(id, value as WrittenEndpoint), secret }
  }

  async #change(id: string, change: (before: WrittenEndpoint, now: number) => WrittenEndpoint | null): Promise<WrittenEndpoint | null> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const found = ID.test(id) ? await this.#registry.get(KIND, id) : undefined
      if (found === undefined) throw noEndpoint()
      const after = change(JSON.parse(found.value) as WrittenEndpoint, this.#clock())
      if ((await this.#put(id, after, found.version)) !== undefined) return after
    }
    throw restless()
  }

  async #put(id: string, value: WrittenEndpoint | null, expected: number): Promise<number | undefined> {
    try {
      return await this.#registry.put(KIND, id, value === null ? null : JSON.stringify(value), { expected })
    } finally {
      this.#askedAt = -Infinity
    }
  }

  async #read(): Promise<readonly KnownEndpoint[]> {
    const askedAt = this.#clock()
    const found: KnownEndpoint[] = []
    for await (const { key: id, value } of this.#registry.list(KIND)) found.push({ id, value: JSON.parse(value) as WrittenEndpoint })
    this.#known = found.sort((a, b) => a.value.createdAt - b.value.createdAt || (a.id < b.id ? -1 : 1))
    this.#askedAt = askedAt
    return found
  }

  #isFresh(): boolean {
    const age = this.#clock() - this.#askedAt
    return age >= 0 && age <= BELIEVED_MS
  }
}

/** What is thrown for an endpoint that is not there. */
export function noEndpoint(): Problem {
  return new Problem(404, 'NOT_FOUND', 'webhook: there is no endpoint of this id. Give the id of one that is listed.')
}

function restless(): StoreUnavailableError {
  return new StoreUnavailableError(`webhooks: others changed the endpoint at each of ${MOST_ATTEMPTS} attempts. Try again.`, { asked: false })
}
