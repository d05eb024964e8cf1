// The sessions that all processes know: whose each is, its caps, what it is nested in and when it ends, as records in the store's
// registry. What has been spent in a session its scope counts, like any other; it is not known here.

import { scopeKey, sessionBudget, sessionScope, type CompiledBudget, type SessionCaps, type UserRef } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidRequestError, isBursarError, StoreUnavailableError, UnknownSessionError } from '../errors/index.js'
import { describeAmount } from '../money/index.js'
import { isStoresFailure } from '../outage/index.js'
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
/** How long it is believed what was heard: a store that has lost its data, and was repaired by another process, tells nobody. */
const BELIEVED_MS = 30_000
/** How long it is known of a session that it has ended. Afterwards its id is free. */
const KEPT_ENDED_MS = 86_400_000

/** See the head of this file. */
export class Sessions {
  readonly #registry: Registry
  readonly #clock: Clock
  /** By the key of its scope, the one that was asked for last at the end. */
  #known = new Map<string, KnownSession>()
  /** When each was heard of last, by the clock. */
  readonly #heardAt = new WeakMap<KnownSession, number>()
  /** Those that the store says have ended: no life grows longer. */
  readonly #over = new WeakSet<KnownSession>()
  #storeTime: () => MaybePromise<number>
  /** How far the clock was ahead of the store's when that was asked last. */
  #aheadMs = 0

  constructor(registry: Registry, clock: Clock) {
    this.#registry = registry
    this.#clock = clock
    this.#storeTime = clock
  }

  /** From now on the store is asked for its time before a session is refused that has ended by the clock of this process. */
  judgeBy(storeTime: () => MaybePromise<number>): void {
    this.#storeTime = storeTime
  }

  /** Forgets all that was heard: it may be of a data set that is lost. What nobody has heard of is looked up, and refused where it is not there. */
  forget(): void {
    // Another map: an answer that is on its way goes into the old one.
    this.#known = new Map()
  }

  /**
   * A session and those that it is nested in, from the innermost out; at once where this process has heard of them all lately. Caps never
   * go down, so what was heard is at most too strict. Throws or rejects with `UnknownSessionError` for one that is not this user's, or has
   * ended by store time.
   */
  find(user: UserRef, id: string): MaybePromise<readonly KnownSession[]> {
    const remembered = this.remembered(user, id)
    if (remembered === undefined) return this.look(user, id)
    if (this.#isBelieved(remembered)) return this.#running(remembered)
    // Its id may have been given to another session, and its record lost. While the store is away, what was heard stands.
    return unlessAway(() => this.look(user, id), () => this.#running(remembered))
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
    const chain = this.lookUp(user, id)
    return isPromise(chain) ? chain.then((sessions) => this.#running(sessions)) : this.#running(chain)
  }

  /** The same, whether it has ended or not. */
  lookUp(user: UserRef, id: string): MaybePromise<readonly KnownSession[]> {
    const innermost = this.read(user, id)
    return isPromise(innermost) ? innermost.then((session) => this.#withParents(user, id, session)) : this.#withParents(user, id, innermost)
  }

  /** One session by what the registry says now, whether it has ended or not. */
  read(user: UserRef, id: string): MaybePromise<KnownSession | undefined> {
    const key = scopeKey(sessionScope(user, id))
    const known = this.#known
    const record = this.#registry.get(KIND, key)
    return isPromise(record) ? record.then((found) => this.#heard(known, user, id, key, found)) : this.#heard(known, user, id, key, record)
  }

  /** Writes a new session; `undefined`, and nothing is changed, where one of that id is known. Throws for a life that is none. `now`: store time. */
  async open({ user, id, caps, parents, life }: NewSession, now: number): Promise<KnownSession | undefined> {
    const key = scopeKey(sessionScope(user, id))
    // Before it is written: nobody could read it.
    const written: Written = { caps, opened: caps, parents, life: new Lifetime(life).span }
    const known = this.#known
    const version = await this.#put(key, written, 0, now)
    return version === undefined ? undefined : this.#heard(known, user, id, key, { value: JSON.stringify(written), version })
  }

  /**
   * Raises one cap of a session. Throws `InvalidRequestError` for an amount below the cap that stands, and where there is none: no cap
   * is above any amount. False, and nothing is changed, for the cap that stands. `now`: store time.
   */
  async raise(user: UserRef, id: string, unit: 'usd' | 'tokens', amount: number, now: number): Promise<boolean> {
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
      if (amount === cap) return false
      const written: Written = { caps: { ...caps, [name]: amount }, opened, parents, life }
      const known = this.#known
      const next = await this.#put(key, written, version, now)
      if (next === undefined) continue
      this.#heard(known, user, id, key, { value: JSON.stringify(written), version: next })
      return true
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
    if (session.parents.length === 0) return [session]
    const parents = session.parents.map((parent) => this.read(user, parent))
    const whole = (found: readonly (KnownSession | undefined)[]): readonly KnownSession[] => {
      // Its parents were there when it was opened, and live as long: what has another end was opened anew since.
      if (found.some((parent) => parent?.life.endsAt !== session.life.endsAt)) throw new UnknownSessionError(id)
      return [session, ...(found as readonly KnownSession[])]
    }
    return parents.some(isPromise) ? Promise.all(parents).then(whole) : whole(parents as readonly (KnownSession | undefined)[])
  }

  /** The same sessions, if they all run. The store is asked only where the clock says that one has ended, and not again once it said so. */
  #running(sessions: readonly KnownSession[]): MaybePromise<readonly KnownSession[]> {
    for (const session of sessions) if (this.#over.has(session)) throw ended(session)
    const now = this.#now() - this.#aheadMs
    if (sessions.every(({ life }) => now < life.endsAt)) return sessions
    const judged = (storeNow: number): readonly KnownSession[] => {
      this.#aheadMs = Math.max(0, this.#now() - storeNow)
      for (const session of sessions) {
        if (storeNow >= session.life.endsAt) {
          this.#over.add(session)
          throw ended(session)
        }
      }
      return sessions
    }
    return unlessAway(
      () => {
        const storeNow = this.#storeTime()
        return isPromise(storeNow) ? storeNow.then(judged) : judged(storeNow)
      },
      () => sessions,
    )
  }

  #isBelieved(sessions: readonly KnownSession[]): boolean {
    const now = this.#now()
    return sessions.every((session) => Math.abs(now - (this.#heardAt.get(session) ?? -Infinity)) < BELIEVED_MS)
  }

  #now(): number {
    return assertInstant(this.#clock(), 'clock')
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
  #heard(all: Map<string, KnownSession>, user: UserRef, id: string, key: string, record: RegistryRecord | undefined): KnownSession | undefined {
    const known = all.get(key)
    all.delete(key)
    if (record === undefined) return undefined
    const session = known?.version === record.version ? known : sessionFrom(user, id, record)
    // Two answers may come in another order than they were given.
    const newest = known !== undefined && known.version > session.version ? known : session
    if (all.size >= MOST_KNOWN) all.delete(all.keys().next().value as string)
    all.set(key, newest)
    this.#heardAt.set(newest, this.#now())
    return newest
  }
}

/** Throws `UnknownSessionError` for a session that has ended at `now`, in store time. */
export function assertRuns(session: KnownSession, now: number): void {
  if (now >= session.life.endsAt) throw ended(session)
}

function ended({ id, life }: KnownSession): UnknownSessionError {
  return new UnknownSessionError(id, new Date(life.endsAt))
}

/** What the first gives; what the second gives where the store does not answer. One that has lost its data does. */
function unlessAway<T>(ask: () => MaybePromise<T>, otherwise: () => MaybePromise<T>): MaybePromise<T> {
  const orElse = (error: unknown): MaybePromise<T> => {
    if (!isStoresFailure(error) || (isBursarError(error) && error.code === 'STORE_RESET')) throw error
    return otherwise()
  }
  try {
    const answer = ask()
    return isPromise(answer) ? answer.then(undefined, orElse) : answer
  } catch (error) {
    return orElse(error)
  }
}

function sessionFrom(user: UserRef, id: string, { value, version }: RegistryRecord): KnownSession {
  const { caps, opened, parents, life } = JSON.parse(value) as Written
  const budget = sessionBudget(id, caps, new Lifetime(life))
  return Object.freeze({ id, scope: Object.freeze(sessionScope(user, id)), caps, opened, parents, life, budget, version })
}
