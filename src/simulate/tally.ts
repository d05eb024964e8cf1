// Counting while a log is replayed: numbers in arrays by user, tier, day and model, so that a request costs a few additions. Knows no engine.

import { ExactSum, toUsd } from '../money/index.js'
import { calendarFor, zoneOffsetMs, type Calendar } from '../time/index.js'
import type { AffectedUser, Counts, DayFigures, Figures, ModelFigures, TierFigures } from './report.js'

const ACTIONS = 5
const LEAST_ROOM = 1_024
/** Days without a request are shown between others, up to so many days. */
const MOST_DAYS = 3_660

/** Names as small numbers, in the order of first coming. */
export class Names {
  readonly #places = new Map<string, number>()
  readonly all: string[] = []

  place(name: string): number {
    const known = this.#places.get(name)
    if (known !== undefined) return known
    const place = this.all.push(name) - 1
    this.#places.set(name, place)
    return place
  }
}

/** The users of a log: who, of which tier (the last seen), with how many requests. */
export class Users {
  readonly #places = new Map<string, number>()
  readonly ids: string[] = []
  readonly tenants: (string | undefined)[] = []
  tiers = new Int32Array(LEAST_ROOM)
  requests = new Float64Array(LEAST_ROOM)

  place(userId: string, tenant: string | undefined): number {
    // A space stands in no id.
    const key = tenant === undefined ? userId : `${tenant} ${userId}`
    const known = this.#places.get(key)
    if (known !== undefined) return known
    const place = this.ids.push(userId) - 1
    this.tenants.push(tenant)
    this.#places.set(key, place)
    if (place === this.tiers.length) {
      this.tiers = grown(this.tiers, new Int32Array(2 * place))
      this.requests = grown(this.requests, new Float64Array(2 * place))
    }
    return place
  }

  get count(): number {
    return this.ids.length
  }
}

/** The days of a log in a zone. */
export class Days {
  readonly timeZone: string
  readonly #calendar: Calendar
  readonly #places = new Map<number, number>()
  readonly starts: number[] = []
  #startsAt = 0
  #endsAt = 0
  #place = 0

  /** Throws `InvalidConfigError` for what is no zone. */
  constructor(timeZone: string) {
    this.timeZone = timeZone
    this.#calendar = calendarFor({ unit: 'day', timeZone, weekStartsOn: 1, monthStartsOn: 1 })
  }

  place(at: number): number {
    if (at >= this.#startsAt && at < this.#endsAt) return this.#place
    const { startsAt, endsAt } = this.#calendar.at(at)
    let place = this.#places.get(startsAt)
    if (place === undefined) this.#places.set(startsAt, (place = this.starts.push(startsAt) - 1))
    this.#startsAt = startsAt
    this.#endsAt = endsAt
    this.#place = place
    return place
  }

  /** All days from the first to the last, those without anything too: the date, and the place of what was counted. */
  all(): { readonly day: string; readonly place: number | undefined }[] {
    const days: { day: string; place: number | undefined }[] = []
    const last = Math.max(...this.starts)
    for (let startsAt = Math.min(...this.starts); startsAt <= last && days.length < MOST_DAYS; startsAt = this.#calendar.at(startsAt).endsAt) {
      days.push({ day: new Date(startsAt + zoneOffsetMs(this.timeZone, startsAt)).toISOString().slice(0, 10), place: this.#places.get(startsAt) })
    }
    return days
  }
}

/** What all columns of one simulation share. */
export interface Frame {
  readonly users: Users
  readonly tiers: Names
  readonly models: Names
  readonly days: Days
}

/** What one column has counted. */
export class Tally {
  readonly #frame: Frame
  readonly #all = new Float64Array(ACTIONS)
  readonly #byTier: Float64Array[] = []
  readonly #byDay: Float64Array[] = []
  readonly #newlyBlocked: number[] = []
  readonly #spent = new ExactSum()
  readonly #spentByTier: ExactSum[] = []
  readonly #spentByDay: ExactSum[] = []
  readonly #spentByModel: ExactSum[] = []
  readonly #calls: number[] = []
  // For each user how often, and when first, it was WARN, DEGRADE and BLOCK: three places each.
  #times = new Uint32Array(3 * LEAST_ROOM)
  #firstAt = new Float64Array(3 * LEAST_ROOM)

  constructor(frame: Frame) {
    this.#frame = frame
  }

  /** Counts a decision; `action` is one of ACTION_PLACES. */
  decided(action: number, user: number, tier: number, day: number, at: number): void {
    add(this.#all, action)
    add((this.#byTier[tier] ??= new Float64Array(ACTIONS)), action)
    add((this.#byDay[day] ??= new Float64Array(ACTIONS)), action)
    if (action === 0 || action === 4) return
    const place = 3 * user + action - 1
    if (3 * user + 2 >= this.#times.length) {
      const room = 2 * Math.max(this.#times.length, 3 * user + 3)
      this.#times = grown(this.#times, new Uint32Array(room))
      this.#firstAt = grown(this.#firstAt, new Float64Array(room))
    }
    if (this.#times[place] === 0) {
      this.#firstAt[place] = at
      if (action === 3) this.#newlyBlocked[day] = (this.#newlyBlocked[day] ?? 0) + 1
    }
    this.#times[place] = (this.#times[place] as number) + 1
  }

  /** Counts money, also negative; `calls`: how many calls it stands for. */
  spent(microcents: number, tier: number, day: number, model: number, calls: number): void {
    this.#spent.add(microcents)
    ;(this.#spentByTier[tier] ??= new ExactSum()).add(microcents)
    ;(this.#spentByDay[day] ??= new ExactSum()).add(microcents)
    ;(this.#spentByModel[model] ??= new ExactSum()).add(microcents)
    this.#calls[model] = (this.#calls[model] ?? 0) + calls
  }

  get figures(): Figures {
    return figuresOf(this.#all, this.#spent)
  }

  /** How many users were ever warned, degraded and blocked. */
  get usersAffected(): { readonly warned: number; readonly degraded: number; readonly blocked: number } {
    const counts = [0, 0, 0]
    for (let user = 0; user < this.#frame.users.count; user += 1) for (const kind of [0, 1, 2]) if ((this.#times[3 * user + kind] ?? 0) > 0) counts[kind] = (counts[kind] as number) + 1
    const [warned = 0, degraded = 0, blocked = 0] = counts
    return { warned, degraded, blocked }
  }

  get byTier(): TierFigures[] {
    const { tiers, users } = this.#frame
    const counted = new Float64Array(tiers.all.length)
    const blocked = new Float64Array(tiers.all.length)
    for (let user = 0; user < users.count; user += 1) {
      if (users.requests[user] === 0) continue
      add(counted, users.tiers[user] as number)
      if ((this.#times[3 * user + 2] ?? 0) > 0) add(blocked, users.tiers[user] as number)
    }
    const all = tiers.all.map((tier, place) => ({ tier, users: counted[place] as number, usersBlocked: blocked[place] as number, ...figuresOf(this.#byTier[place], this.#spentByTier[place]) }))
    return all.filter(({ users, requests, exact }) => users > 0 || requests > 0 || exact.spentMicrocents !== 0n)
  }

  get byDay(): DayFigures[] {
    return this.#frame.days.all().map(({ day, place }) => ({
      day,
      newlyBlocked: (place === undefined ? undefined : this.#newlyBlocked[place]) ?? 0,
      ...(place === undefined ? figuresOf(undefined, undefined) : figuresOf(this.#byDay[place], this.#spentByDay[place])),
    }))
  }

  get byModel(): ModelFigures[] {
    const all = this.#frame.models.all.map((model, place) => ({ model, calls: this.#calls[place] ?? 0, ...moneyOf(this.#spentByModel[place]) }))
    return all.filter(({ calls, exact }) => calls > 0 || exact.spentMicrocents !== 0n).sort((a, b) => b.spent - a.spent)
  }

  /** Those who were affected most, up to a number. */
  affected(most: number): AffectedUser[] {
    const { users, tiers } = this.#frame
    const times = (user: number, kind: number): number => this.#times[3 * user + kind] ?? 0
    const when = (user: number, kind: number): Date | undefined => (times(user, kind) > 0 ? new Date(this.#firstAt[3 * user + kind] as number) : undefined)
    const affected: number[] = []
    for (let user = 0; user < users.count; user += 1) if (times(user, 0) + times(user, 1) + times(user, 2) > 0) affected.push(user)
    affected.sort((a, b) => times(b, 2) - times(a, 2) || times(b, 1) - times(a, 1) || times(b, 0) - times(a, 0) || a - b)
    return affected.slice(0, most).map((user) => ({
      userId: users.ids[user] as string,
      tenant: users.tenants[user],
      tier: tiers.all[users.tiers[user] as number] ?? '',
      requests: users.requests[user] as number,
      warned: times(user, 0),
      degraded: times(user, 1),
      blocked: times(user, 2),
      firstWarnedAt: when(user, 0),
      firstDegradedAt: when(user, 1),
      firstBlockedAt: when(user, 2),
    }))
  }
}

function add(counts: Float64Array, place: number): void {
  counts[place] = (counts[place] as number) + 1
}

function grown<T extends Int32Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from)
  return to
}

function figuresOf(counts: Float64Array | undefined, spent: ExactSum | undefined): Figures {
  return { ...countsOf(counts), ...moneyOf(spent) }
}

function countsOf(counts: Float64Array = new Float64Array(ACTIONS)): Counts {
  const [allowed = 0, warned = 0, degraded = 0, blocked = 0, failed = 0] = counts
  return { requests: allowed + warned + degraded + blocked + failed, allowed, warned, degraded, blocked, failed }
}

function moneyOf(sum: ExactSum | undefined): { readonly spent: number; readonly exact: { readonly spentMicrocents: bigint } } {
  const spentMicrocents = sum?.value ?? 0n
  return { spent: toUsd(Number(spentMicrocents)), exact: { spentMicrocents } }
}
