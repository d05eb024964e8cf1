// All keys of a service, in the registry of its store: made, looked up, rotated, revoked; each process sees a change within a second.

import { randomBytes, timingSafeEqual } from 'node:crypto'
import { InvalidConfigError, InvalidRequestError, StoreUnavailableError } from '../../errors/index.js'
import type { Registry } from '../../store/index.js'
import type { Clock } from '../../time/index.js'
import { Caller, ROLES, type CallerFacts } from '../caller.js'
import { Problem } from '../problem.js'
import type { Authenticator } from '../service.js'
import type { ApiKey, IssuedKey, NewKey } from './key.js'
import { assertNewKey, hashOf, isValid, knownKey, shownKey, stateOf, type KnownKey, type WrittenKey, type WrittenSecret } from './key-record.js'
import { KnownRecords } from './known-records.js'

/** What a {@link KeyBook} works with. */
export interface KeyBookOptions {
  readonly registry: Registry
  readonly clock: Clock
  /** Whether no key is needed as long as there is none: everybody is the operator. */
  readonly mayBeOpen: boolean
  /** Keys that are not in the store but given by the environment: their tokens, and whose they are. */
  readonly fixed?: readonly { readonly token: string; readonly facts: CallerFacts }[] | undefined
  /** How time passes, whatever the clock is set to: for tests. */
  readonly steady?: Clock | undefined
}

const KIND = 'api-key'
/** One record: since it is there, no request without a key is answered. */
const CLOSED = { kind: 'api-keys', key: 'closed' } as const
const TOKEN = /^bursar_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/
const ID = /^[0-9a-f]{16}$/
const ID_BYTES = 8
const SECRET_BYTES = 32
const DAY_MS = 86_400_000
/** By default both secrets of a key that is rotated are valid for a day, */
const GRACE_MS = DAY_MS
/** and at most for so long. */
const MOST_GRACE_MS = 30 * DAY_MS
/** How many earlier secrets of a key may be valid at once. */
const MOST_EARLIER = 4
/** A key that has expired or was revoked is listed for so long. */
const KEPT_ENDED_MS = 30 * DAY_MS
/** How many keys that are valid a tenant, or the operator, may have; of those that are not any more, as many of the newest are listed. */
const MOST_KEYS = 1_000
const MOST_KNOWN = 10_000
/** Ids of which no key is there: whoever sends one again within a second costs the store nothing. */
const MOST_ABSENT = 10_000
const MOST_ATTEMPTS = 50
/** A fixed token is made by people: not so short that somebody guesses it. */
const LEAST_FIXED = 16
const ANYBODY = new Caller({ keyId: undefined, name: 'anybody', roles: ROLES })

/** The keys of a service. Rejects as the store does while it is away: what this process has known stands for a minute. */
export class KeyBook implements Authenticator {
  readonly #registry: Registry
  readonly #clock: Clock
  readonly #mayBeOpen: boolean
  readonly #fixed: readonly { readonly hash: Uint8Array; readonly caller: Caller }[]
  readonly #known: KnownRecords<KnownKey>
  readonly #closing: KnownRecords<true>

  /** Throws `InvalidConfigError` for a fixed key that is none. */
  constructor({ registry, clock, mayBeOpen, fixed = [], steady }: KeyBookOptions) {
    this.#registry = registry
    this.#clock = clock
    this.#mayBeOpen = mayBeOpen
    this.#fixed = fixed.map(({ token, facts }) => {
      assertFixed(token, facts)
      return { hash: hashOf(token), caller: new Caller(facts) }
    })
    this.#known = new KnownRecords({ registry, kind: KIND, read: knownKey, most: MOST_KNOWN, mostAbsent: MOST_ABSENT, clock, steady })
    this.#closing = new KnownRecords<true>({ registry, kind: CLOSED.kind, read: () => true, most: 1, mostAbsent: 1, clock, steady })
  }

  /** Makes a key. Throws `InvalidRequestError` for what can be none, and where its tenant (or the operator) has too many. */
  async create(key: NewKey): Promise<IssuedKey> {
    const now = this.#clock()
    assertNewKey(key, now)
    const { name, roles, tenant, userId, expiresAt } = key
    const others = (await this.list()).filter((other) => other.tenant === tenant)
    if (others.filter(({ state }) => state === 'active').length >= MOST_KEYS) {
      throw new InvalidRequestError(`keys: there are ${MOST_KEYS} already${tenant === undefined ? '' : ' of this tenant'}. Revoke those that nobody uses.`)
    }
    await this.#forgetEnded(others)
    // Before the first key is there: a server that nobody needs a key for must not be left open beside it.
    await this.#close()
    const { secret, written } = newSecret()
    const record: WrittenKey = {
      name,
      roles: ROLES.filter((role) => roles.includes(role)),
      ...(tenant !== undefined && { tenant }),
      ...(userId !== undefined && { userId }),
      createdAt: now,
      ...(expiresAt !== undefined && { expiresAt: expiresAt.getTime() }),
      secrets: [written],
    }
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const id = randomBytes(ID_BYTES).toString('hex')
      if ((await this.#put(id, record, 0)) !== undefined) return { key: shownKey(id, record, now), token: tokenOf(id, secret) }
    }
    throw restless()
  }

  /** All keys of the store, also those that have expired or were revoked in the last 30 days: the oldest first. Fixed ones are not among them. */
  async list(): Promise<ApiKey[]> {
    const now = this.#clock()
    const keys: ApiKey[] = []
    for await (const { key: id, value } of this.#registry.list(KIND)) keys.push(shownKey(id, JSON.parse(value) as WrittenKey, now))
    return keys.sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.id < b.id ? -1 : 1))
  }

  /** One key; `undefined` where it is not there. */
  async get(id: string): Promise<ApiKey | undefined> {
    const record = ID.test(id) ? await this.#registry.get(KIND, id) : undefined
    return record && shownKey(id, JSON.parse(record.value) as WrittenKey, this.#clock())
  }

  /**
   * Gives a key another secret. The one before it, and those that are still valid, stay so for `graceMs` (default a day, at most 30; 0: not
   * at all). Throws a 404 for a key that is not there or was revoked, a 409 where five secrets would stay valid beside the new one, and
   * `InvalidRequestError` for a key that has expired and for another grace.
   */
  async rotate(id: string, { graceMs = GRACE_MS }: { readonly graceMs?: number } = {}): Promise<IssuedKey> {
    if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > MOST_GRACE_MS) {
      throw new InvalidRequestError(`graceMs: ${String(graceMs)} is no grace. Give whole milliseconds from 0 (the secret before is void at once) to ${MOST_GRACE_MS} (30 days).`)
    }
    const { secret, written } = newSecret()
    const record = await this.#change(id, (before, now) => {
      if (before.expiresAt !== undefined && now >= before.expiresAt) throw new InvalidRequestError(`key: "${id}" has expired. Create another one.`)
      const until = now + graceMs
      const earlier = before.secrets.map(({ hash, until: ends = Infinity }): WrittenSecret => ({ hash, until: Math.min(ends, until) })).filter(({ until: ends }) => ends! > now)
      if (earlier.length > MOST_EARLIER) {
        throw new Problem(409, 'CONFLICT', `key: ${MOST_EARLIER + 1} of its secrets are valid already. Wait until the grace of one is over, or give "graceMs": 0, which ends all that are before the new one.`)
      }
      return { ...before, secrets: [written, ...earlier] }
    })
    return { key: shownKey(id, record, this.#clock()), token: tokenOf(id, secret) }
  }

  /** Revokes a key: every process refuses it within a second. It stays listed for 30 days. Throws a 404 for one that is not there or was revoked. */
  async revoke(id: string): Promise<void> {
    await this.#change(id, (before, now) => ({ ...before, revokedAt: now, secrets: [] }))
  }

  /** True where there is a key that is valid now, or a fixed one. */
  async hasAny(): Promise<boolean> {
    if (this.#fixed.length > 0) return true
    const now = this.#clock()
    for await (const { value } of this.#registry.list(KIND)) if (stateOf(JSON.parse(value) as WrittenKey, now) === 'active') return true
    return false
  }

  async authenticate(token: string | undefined): Promise<Caller | undefined> {
    if (token === undefined) return (await this.#isOpen()) ? ANYBODY : undefined
    const [, id, secret] = TOKEN.exec(token) ?? []
    if (id !== undefined && secret !== undefined) {
      const found = this.#known.get(id)
      const key = found instanceof Promise ? await found : found
      if (isValid(key, secret, this.#clock())) return key.caller
    }
    return this.#fixed.length === 0 ? undefined : this.#fixedOf(token)
  }

  #fixedOf(token: string): Caller | undefined {
    const given = hashOf(token)
    let found: Caller | undefined
    for (const { hash, caller } of this.#fixed) if (timingSafeEqual(hash, given)) found = caller
    return found
  }

  /** Once there was a key, it stays closed: also when all of them have expired or are revoked. */
  async #isOpen(): Promise<boolean> {
    return this.#mayBeOpen && this.#fixed.length === 0 && (await this.#closing.get(CLOSED.key)) === undefined
  }

  async #close(): Promise<void> {
    try {
      await this.#registry.put(CLOSED.kind, CLOSED.key, '', { expected: 0 })
    } finally {
      this.#closing.forget(CLOSED.key)
    }
  }

  /** Whoever makes keys that end at once fills no store. */
  async #forgetEnded(keys: readonly ApiKey[]): Promise<void> {
    const ended = keys.filter(({ state }) => state !== 'active').slice(0, -MOST_KEYS)
    for (const { id } of ended) {
      const found = await this.#registry.get(KIND, id)
      if (found !== undefined) await this.#put(id, null, found.version)
    }
  }

  /** Writes what `change` makes of a key, again where another process was faster. */
  async #change(id: string, change: (before: WrittenKey, now: number) => WrittenKey): Promise<WrittenKey> {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const found = ID.test(id) ? await this.#registry.get(KIND, id) : undefined
      // What was given may be a whole token: it is not repeated.
      if (found === undefined) throw new Problem(404, 'NOT_FOUND', 'key: there is none of this id. Give the id of a key that is listed: the part between "bursar_" and the next "_".')
      const before = JSON.parse(found.value) as WrittenKey
      if (before.revokedAt !== undefined) throw new Problem(404, 'NOT_FOUND', `key: "${id}" was revoked already. Create another one where it is still needed.`)
      const after = change(before, this.#clock())
      if ((await this.#put(id, after, found.version)) !== undefined) return after
    }
    throw restless()
  }

  async #put(id: string, record: WrittenKey | null, expected: number): Promise<number | undefined> {
    const endsAt = Math.min(record?.expiresAt ?? Infinity, record?.revokedAt ?? Infinity)
    const ttlMs = endsAt === Infinity ? undefined : Math.max(1, endsAt - this.#clock() + KEPT_ENDED_MS)
    try {
      return await this.#registry.put(KIND, id, record === null ? null : JSON.stringify(record), { expected, ttlMs })
    } finally {
      // Also where it is not known whether it was written.
      this.#known.forget(id)
    }
  }
}

function newSecret(): { readonly secret: string; readonly written: WrittenSecret } {
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  return { secret, written: { hash: hashOf(secret).toString('base64url') } }
}

function tokenOf(id: string, secret: string): string {
  return `bursar_${id}_${secret}`
}

function restless(): StoreUnavailableError {
  return new StoreUnavailableError(`keys: others changed the key at each of ${MOST_ATTEMPTS} attempts. Try again.`, { asked: false })
}

function assertFixed(token: unknown, { name, roles, tenant, userId }: CallerFacts): void {
  if (typeof token !== 'string' || token.length < LEAST_FIXED || !/^[\x21-\x7e]+$/.test(token)) {
    throw new InvalidConfigError(`keys: a key that is given is no key. Give at least ${LEAST_FIXED} visible ASCII characters without spaces, such as "openssl rand -base64 32" makes them.`)
  }
  try {
    assertNewKey({ name, roles, tenant, userId }, 0)
  } catch (error) {
    throw error instanceof InvalidRequestError ? new InvalidConfigError(`keys: ${error.message}`) : error
  }
}
