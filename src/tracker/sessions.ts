// The sessions that all processes know: whose each is, its caps, what it is nested in and when it ends, as records in the store's
// registry. What has been spent in a session its scope counts, like any other; it is not known here.

import { scopeKey, sessionBudget, sessionScope, type CompiledBudget, type SessionCaps, type UserRef } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidRequestError, isBursarError, StoreUnavailableError, UnknownSessionError } from '../errors/index.js'
import { describeAmount } from '../money/index.js'
import { isPromise, type MaybePromise, type Registry, type RegistryRecord } from '../store/index.js'
import { assertInstant, Lifetime, type Clock, type Span } from '../time/index.js'

/** One session as this process last heard of it. Frozen: when its caps are raised, another one takes its place. */
export interface KnownSession {
  readonly id: string
  readonly scope: ScopeId
  readonly caps: SessionCaps
  /** The caps that it was opened with. */
  readonly opened: SessionCaps
  /** The ids of the sessions that it is nested in, the nearest first. */
  readonly parents: readonly string[]
  readonly life: Span
  readonly budget: CompiledBudget
  readonly version: number
}

/** What a new session is made of. */
export interface NewSession extends Pick<KnownSession, 'id' | 'caps' | 'parents' | 'life'> {
  readonly user: UserRef
}

/** What stands in a record; the key says whose it is. */
type Written = Pick<KnownSession, 'caps' | 'opened' | 'parents' | 'life'>

const KIND = 'session'
/** How many sessions a process remembers. */
const MOST_KNOWN = 10_000
const MOST_ATTEMPTS = 50
/** How long it is known of a session that it has ended. Afterwards its id is free. */
const KEPT_ENDED_MS = 86_400_000

/** See the head of this file. */
export class Sessions {
  readonly #registry: Registry
  readonly #clock: Clock
  /** By the key of its scope, the one that was asked for last at the end. */
  readonly #known = new Map<string, KnownSession>()

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry
    this.#clock = clock
  }

  /**
   * A session and those that it is nested in, from the innermost out; at once where this process has heard of them all. Caps never go
   * down, so what was heard is at most too strict. Throws or rejects with `UnknownSessionError` for one that is not this user's, or has ended.
   */
  find(user: UserRef, id: string): MaybePromise<readonly KnownSession[]> {
    const remembered = this.remembered(user, id)
    if (remembered !== undefined && this.#hasEnded(remembered) === undefined) return remembered
    // An id that is free again may have been given to another session.
    return this.look(user, id)
  }

  /** The same of what this process has heard, whether it has ended or not; `undefined` where it has not heard of them all. */
  remembered(user: UserRef, id: string): readonly KnownSession[] | undefined {
    const innermost = this.#remembered(user, id)
    if (innermost === undefined) return undefined
    const chain = [innermost]
    for (const parent of innermost.parents) {
      const known = this.#remembered(user, parent)
      if (known === undefined) return undefined
      chain.push(known)
    }
    return chain
  }

  /** The same by what the registry says now. */
  look(user: UserRef, id: string): MaybePromise<readonly KnownSession[]> {
    const innermost = this.read(user, id)
    return isPromise(innermost) ? innermost.then((session) => this.#withParents(user, id, session)) : this.#withParents(user, id, innermost)
  }

  /** One session by what the registry says now, whether it has ended or not. */
  read(user: UserRef, id: string): MaybePromise<KnownSession | undefined> {
    const key = scopeKey(sessionScope(user, id))
    const record = this.#registry.get(KIND, key)
    return isPromise(record) ? record.then((found) => this.#heard(user, id, key, found)) : this.#heard(user, id, key, record)
  }

  /** Writes a new session; `undefined`, and nothing is changed, where one of that id is known. `now`: store time. */
  async open({ user, id, caps, parents, life }: NewSession, now: number): Promise<KnownSession | undefined> {
    const key = scopeKey(sessionScope(user, id))
    const written: Written = { caps, opened: caps, parents, life }
    const version = await this.#put(key, written, 0, now)
    return version === undefined ? undefined : this.#heard(user, id, key, { value: JSON.stringify(written), version })
  }

  /**
   * Raises one cap of a session. Throws `InvalidRequestError` for an amount below the cap that stands, and where there is none: no cap
   * is above any amount. `now`: store time.
   */
  async raise(user: UserRef, id: string, unit: 'usd' | 'tokens', amount: number, now: number): Promise<KnownSession> {
    const name = unit === 'usd' ? 'microcents' : 'tokens'
    const key = scopeKey(sessionScope(user, id))
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const session = await this.read(user, id)
      if (session === undefined) throw new UnknownSessionError(id)
      assertRuns(session, now)
      const { caps, opened, parents, life, version } = session
      const cap = caps[name]
      if (cap === null) throw new InvalidRequestError(`cap: session "${id}" has no cap in ${unit}, and none can be put on it now. Open a nested one that has.`)
      if (amount < cap) throw new InvalidRequestError(`cap: ${describeAmount(unit, amount)} is below the ${describeAmount(unit, cap)} that session "${id}" has. A cap is never lowered: open a nested session with a lower one.`)
      if (amount === cap) return session
      const written: Written = { caps: { ...caps, [name]: amount }, opened, parents, life }
      const next = await this.#put(key, written, version, now)
      if (next !== undefined) return this.#heard(user, id, key, { value: JSON.stringify(written), version: next }) as KnownSession
    }
    throw new StoreUnavailableError(`session "${id}": its caps changed at each of ${MOST_ATTEMPTS} attempts. Try again.`, { asked: false })
  }

  /** When the sessions that are known live, by the key of their scope. A store that has lost its data knows none. */
  async lives(): Promise<ReadonlyMap<string, Span>> {
    const lives = new Map<string, Span>()
    try {
      for await (const { key, value } of this.#registry.list(KIND)) lives.set(key, (JSON.parse(value) as Written).life)
    } catch (error) {
      // It is to be repaired all the same.
      if (!isBursarError(error) || error.code !== 'STORE_RESET') throw error
    }
    return lives
  }

  #put(key: string, written: Written, expected: number, now: number): MaybePromise<number | undefined> {
    return this.#registry.put(KIND, key, JSON.stringify(written), { expected, ttlMs: Math.max(1, written.life.endsAt + KEPT_ENDED_MS - now) })
  }

  #withParents(user: UserRef, id: string, session: KnownSession | undefined): MaybePromise<readonly KnownSession[]> {
    if (session === undefined) throw new UnknownSessionError(id)
    if (session.parents.length === 0) return this.#running([session], id)
    const parents = session.parents.map((parent) => this.read(user, parent))
    const whole = (found: readonly (KnownSession | undefined)[]): readonly KnownSession[] => {
      // Its parents were there when it was opened, and live as long.
      if (found.includes(undefined)) throw new UnknownSessionError(id)
      return this.#running([session, ...(found as readonly KnownSession[])], id)
    }
    return parents.some(isPromise) ? Promise.all(parents).then(whole) : whole(parents as readonly (KnownSession | undefined)[])
  }

  #running(sessions: readonly KnownSession[], id: string): readonly KnownSession[] {
    const ended = this.#hasEnded(sessions)
    if (ended !== undefined) throw new UnknownSessionError(id, new Date(ended.life.endsAt))
    return sessions
  }

  #hasEnded(sessions: readonly KnownSession[]): KnownSession | undefined {
    const now = assertInstant(this.#clock(), 'clock')
    return sessions.find(({ life }) => now >= life.endsAt)
  }

  #remembered(user: UserRef, id: string): KnownSession | undefined {
    const key = scopeKey(sessionScope(user, id))
    const known = this.#known.get(key)
    if (known === undefined) return undefined
    this.#known.delete(key)
    this.#known.set(key, known)
    return known
  }

  /** Takes in what the registry said. The same session stays the same object: what was made for it is still good. */
  #heard(user: UserRef, id: string, key: string, record: RegistryRecord | undefined): KnownSession | undefined {
    const known = this.#known.get(key)
    this.#known.delete(key)
    if (record === undefined) return undefined
    const session = known?.version === record.version ? known : sessionFrom(user, id, record)
    // Two answers may come in another order than they were given.
    const newest = known !== undefined && known.version > session.version ? known : session
    if (this.#known.size >= MOST_KNOWN) this.#known.delete(this.#known.keys().next().value as string)
    this.#known.set(key, newest)
    return newest
  }
}

/** Throws `UnknownSessionError` for a session that has ended at `now`, in store time. */
export function assertRuns({ id, life }: KnownSession, now: number): void {
  if (now >= life.endsAt) throw new UnknownSessionError(id, new Date(life.endsAt))
}

function sessionFrom(user: UserRef, id: string, { value, version }: RegistryRecord): KnownSession {
  const { caps, opened, parents, life } = JSON.parse(value) as Written
  const budget = sessionBudget(id, caps, new Lifetime(life))
  return Object.freeze({ id, scope: Object.freeze(sessionScope(user, id)), caps, opened, parents, life, budget, version })
}
