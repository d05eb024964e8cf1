// Counting while a log is replayed: numbers in arrays by user, tier, day and model, so that a request costs a few additions. Knows no engine.

import { ExactSum, toUsd } from '../money/index.js'
import { calendarFor, zoneOffsetMs, type Calendar } from '../time/index.js'
import { ACTION_PLACES, type AffectedUser, type ColumnReport, type Counts, type DayFigures, type Figures, type ModelFigures, type TierFigures } from './report.js'

const ACTIONS = 5
/** What is counted for each user: WARN, DEGRADE, BLOCK, and checks that failed. */
const KINDS = 4
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

/** More than there are tiers: a user and a tier as one number. */
const MOST_TIERS = 2 ** 20

/** The users of a log: who, of which tier (the last seen), with how many requests; and as members of each tier that they asked as. */
export class Users {
  readonly #places = new Map<string, number>()
  readonly ids: string[] = []
  readonly tenants: (string | undefined)[] = []
  /** The tier of each member. A user who asks as two tiers is two members. */
  readonly memberTiers: number[] = []
  readonly #members = new Map<number, number>()
  tiers = new Int32Array(LEAST_ROOM)
  #lastMembers = new Int32Array(LEAST_ROOM)
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
      this.#lastMembers = grown(this.#lastMembers, new Int32Array(2 * place))
      this.requests = grown(this.requests, new Float64Array(2 * place))
    }
    return place
  }

  /** Notes that a user asks as a tier; gives their place among the members. */
  asks(user: number, tier: number): number {
    const requests = this.requests[user] as number
    this.requests[user] = requests + 1
    if (requests > 0 && this.tiers[user] === tier) return this.#lastMembers[user] as number
    const key = user * MOST_TIERS + tier
    let member = this.#members.get(key)
    if (member === undefined) this.#members.set(key, (member = this.memberTiers.push(tier) - 1))
    this.tiers[user] = tier
    this.#lastMembers[user] = member
    return member
  }

  get count(): number {
    return this.ids.length
  }
}

/** Where a request is counted. */
export interface Place {
  readonly user: number
  readonly tier: number
  readonly member: number
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
    if (this.starts.length === 0) return days
    const last = this.starts.reduce((last, start) => Math.max(last, start))
    for (let startsAt = this.starts.reduce((first, start) => Math.min(first, start)); startsAt <= last && days.length < MOST_DAYS; startsAt = this.#calendar.at(startsAt).endsAt) {
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
  // For each user how often, and when first, it was one of KINDS.
  #times = new Uint32Array(KINDS * LEAST_ROOM)
  #firstAt = new Float64Array(KINDS * LEAST_ROOM)
  // For each member which of KINDS ever were: one bit each.
  #everOf = new Uint8Array(LEAST_ROOM)

  constructor(frame: Frame) {
    this.#frame = frame
  }

  /** Counts a decision; `action` is one of ACTION_PLACES. */
  decided(action: number, { user, tier, member }: Place, day: number, at: number): void {
    add(this.#all, action)
    add((this.#byTier[tier] ??= new Float64Array(ACTIONS)), action)
    add((this.#byDay[day] ??= new Float64Array(ACTIONS)), action)
    if (action === 0) return
    if (member >= this.#everOf.length) this.#everOf = grown(this.#everOf, new Uint8Array(2 * member))
    this.#everOf[member] = (this.#everOf[member] as number) | (1 << (action - 1))
    const place = KINDS * user + action - 1
    if (KINDS * user + KINDS > this.#times.length) {
      const room = 2 * Math.max(this.#times.length, KINDS * (user + 1))
      this.#times = grown(this.#times, new Uint32Array(room))
      this.#firstAt = grown(this.#firstAt, new Float64Array(room))
    }
    if (this.#times[place] === 0) {
      this.#firstAt[place] = at
      if (action === ACTION_PLACES.BLOCK) this.#newlyBlocked[day] = (this.#newlyBlocked[day] ?? 0) + 1
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

  /** How many users there are, and how many of them were ever warned, degraded, blocked, and blocked or rejected with an error. */
  get users(): Pick<ColumnReport, 'users' | 'usersWarned' | 'usersDegraded' | 'usersBlocked' | 'usersRefused'> {
    const { count } = this.#frame.users
    const counts = [0, 0, 0, 0]
    for (let user = 0; user < count; user += 1) {
      const times = this.#times.subarray(KINDS * user, KINDS * user + KINDS)
      for (const kind of [0, 1, 2]) if ((times[kind] ?? 0) > 0) counts[kind] = (counts[kind] as number) + 1
      if ((times[2] ?? 0) + (times[3] ?? 0) > 0) counts[3] = (counts[3] as number) + 1
    }
    const [usersWarned = 0, usersDegraded = 0, usersBlocked = 0, usersRefused = 0] = counts
    return { users: count, usersWarned, usersDegraded, usersBlocked, usersRefused }
  }

  get byTier(): TierFigures[] {
    const { tiers, users } = this.#frame
    const counted = tiers.all.map(() => ({ users: 0, usersWarned: 0, usersDegraded: 0, usersBlocked: 0, usersRefused: 0 }))
    for (const [member, tier] of users.memberTiers.entries()) {
      const ever = this.#everOf[member] ?? 0
      const of = counted[tier] as (typeof counted)[number]
      of.users += 1
      if ((ever & 1) > 0) of.usersWarned += 1
      if ((ever & 2) > 0) of.usersDegraded += 1
      if ((ever & 4) > 0) of.usersBlocked += 1
      if ((ever & 12) > 0) of.usersRefused += 1
    }
    const all = tiers.all.map((tier, place) => ({ tier, ...(counted[place] as (typeof counted)[number]), ...figuresOf(this.#byTier[place], this.#spentByTier[place]) }))
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
    const times = (user: number, kind: number): number => this.#times[KINDS * user + kind] ?? 0
    const when = (user: number, kind: number): Date | undefined => (times(user, kind) > 0 ? new Date(this.#firstAt[KINDS * user + kind] as number) : undefined)
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

function grown<T extends Int32Array | Uint32Array | Uint8Array | Float64Array>(from: T, to: T): T {
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
