// What this process knows of records that all processes share, one by one: how old that may be, and what stands while the store is away.
// Knows neither keys nor requests.

import { isReset, isStoresFailure } from '../../outage/index.js'
import type { MaybePromise, Registry } from '../../store/index.js'
import { steadyClock, type Clock } from '../../time/index.js'

/** What is known is looked up again, behind the requests, when it is so old; */
const FRESH_MS = 500
/** and before them when it is older than this. */
const BELIEVED_MS = 1_000
/** While the store is away, what was known stands for so long. */
const STANDS_MS = 60_000

/** What {@link KnownRecords} work with. */
export interface KnownRecordsOptions<Value> {
  readonly registry: Registry
  readonly kind: string
  /** What a record means. */
  readonly read: (value: string, key: string) => Value
  /** How many are known at once: those that were looked up longest ago are forgotten. */
  readonly most: number
  /** Of how many it is remembered, too, that there is no record: apart from the others, so that whoever makes up keys displaces none that is known. */
  readonly mostAbsent: number
  readonly clock: Clock
  /** For tests. */
  readonly steady?: Clock | undefined
}

/** A moment on both clocks: the one may be set back, the other is driven by no test. */
interface Moment {
  readonly at: number
  readonly steadyAt: number
}

interface Known<Value> extends Moment {
  readonly value: Value | undefined
  readonly version: number
  /** When the store was last asked in vain. */
  failedAt: Moment | undefined
}

interface Look<Value> extends Moment {
  readonly answer: Promise<Value | undefined>
}

/** See the head of this file. */
export class KnownRecords<Value> {
  readonly #registry: Registry
  readonly #kind: string
  readonly #read: (value: string, key: string) => Value
  readonly #most: number
  readonly #mostAbsent: number
  readonly #clock: Clock
  readonly #steady: Clock
  readonly #known = new Map<string, Known<Value>>()
  readonly #absent = new Map<string, Known<Value>>()
  readonly #looks = new Map<string, Look<Value>>()

  constructor({ registry, kind, read, most, mostAbsent, clock, steady = steadyClock }: KnownRecordsOptions<Value>) {
    this.#registry = registry
    this.#kind = kind
    this.#read = read
    this.#most = most
    this.#mostAbsent = mostAbsent
    this.#clock = clock
    this.#steady = steady
  }

  /**
   * The record, at once where what is known is good enough. INVARIANT: a request that begins a second after a change was acknowledged
   * knows of it, unless the store is away: then what was known stands for a minute, and after it this rejects as the store does. The same
   * object as long as the record has not changed.
   */
  get(key: string): MaybePromise<Value | undefined> {
    const known = this.#find(key)
    if (known === undefined) return this.#look(key)
    const age = this.#ageOf(known)
    if (age <= FRESH_MS) return known.value
    if (known.failedAt !== undefined && age <= STANDS_MS && this.#ageOf(known.failedAt) <= FRESH_MS) return known.value
    const looked = this.#look(key)
    if (age > BELIEVED_MS) return looked
    // Whoever comes when it is too old hears of what this fails with.
    looked.catch(() => {})
    return known.value
  }

  /** Forgets a record that this process has changed, or may have. */
  forget(key: string): void {
    this.#known.delete(key)
    this.#absent.delete(key)
    this.#looks.delete(key)
  }

  #find(key: string): Known<Value> | undefined {
    return this.#known.get(key) ?? this.#absent.get(key)
  }

  #look(key: string): Promise<Value | undefined> {
    const running = this.#looks.get(key)
    // One that began long before, and answers only now, does not know of what changed meanwhile.
    if (running !== undefined && this.#ageOf(running) <= BELIEVED_MS) return running.answer
    const moment = { at: this.#clock(), steadyAt: this.#steady() }
    const look: Look<Value> = { ...moment, answer: this.#ask(key, moment, () => this.#looks.get(key) === look) }
    this.#looks.set(key, look)
    const over = (): void => void (this.#looks.get(key) === look && this.#looks.delete(key))
    look.answer.then(over, over)
    return look.answer
  }

  async #ask(key: string, moment: Moment, isLatest: () => boolean): Promise<Value | undefined> {
    // Nothing is known of this look before it is written down.
    await undefined
    try {
      const record = await this.#registry.get(this.#kind, key)
      const before = this.#known.get(key)
      const value = record === undefined ? undefined : before?.version === record.version ? before.value : this.#read(record.value, key)
      if (isLatest()) this.#keep(key, { ...moment, value, version: record?.version ?? 0, failedAt: undefined })
      return value
    } catch (error) {
      const known = this.#find(key)
      if (known === undefined || !isStoresFailure(error) || isReset(error) || this.#ageOf(known) > STANDS_MS) throw error
      known.failedAt = { at: this.#clock(), steadyAt: this.#steady() }
      return known.value
    }
  }

  #keep(key: string, known: Known<Value>): void {
    this.#known.delete(key)
    this.#absent.delete(key)
    const [records, most] = known.value === undefined ? [this.#absent, this.#mostAbsent] : [this.#known, this.#most]
    records.set(key, known)
    if (records.size > most) records.delete(records.keys().next().value as string)
  }

  /** By whichever clock it is older; a clock that has gone back makes it too old. */
  #ageOf({ at, steadyAt }: Moment): number {
    const age = this.#clock() - at
    return age < 0 ? Infinity : Math.max(age, this.#steady() - steadyAt)
  }
}
