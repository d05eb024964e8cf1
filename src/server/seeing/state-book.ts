// The state of all budgets at one moment, for each reach of callers: found once for all who look at the same time, and kept for a while, so that
// a hundred dashboards cost about as much as one.

import type { UserRef } from '../../budget/index.js'
import { nextTurn } from '../../ledger/index.js'
import { calendarFor, zoneOffsetMs, type Clock } from '../../time/index.js'
import type { StandingWindow, UserStanding } from '../../tracker/index.js'
import { blockedRows } from './blocked.js'
import type { Caller } from '../caller.js'
import { Completeness } from './completeness.js'
import type { Feed } from './feed.js'
import { ownEntries, reachKey, type Where } from './reach.js'
import { Recent } from './recent.js'
import type { Engine, ServerOptions } from '../service.js'
import { forecastOf, standingRow, triggeredRows, windowKey } from './standing-row.js'
import { allOf, largest, lastHours, restOf, shownSum, spendRows, sumsIn, type SpendSums, type UserSpend } from './state-sums.js'
import { userView } from './user-page.js'
import type { StateView, UserView } from './views.js'

/** What a {@link StateBook} works with. */
export interface StateBookOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly feed: Feed
  /** What tenants may. Default: nothing. */
  readonly options?: Pick<ServerOptions, 'tenantsManageBudgets'> | undefined
  /** Milliseconds that pass, whatever the time is: for tests. */
  readonly stopwatch?: (() => number) | undefined
  /** Waits for so many of them: for tests. */
  readonly pause?: ((ms: number) => Promise<void>) | undefined
}

type SharedState = Omit<StateView, 'caller'>
type TopSpender = StateView['topSpenders'][number]

/** What burns in a day, and by how many days. */
interface Burn {
  readonly perDay: number | null
  readonly days: number | null
}

const LEAST_MS = 1_000
/** What is found takes at most a sixth of the time. */
const TIMES = 5
/** What changes slowly is looked up rarely: finished days, and what is worked out of four weeks. */
const SLOW = { leastMs: 60_000, times: 20, mayBeStale: true } as const
const HOURS_OF_DAY = 24
const MOST_BUDGETS = 50
const MOST_FORECASTS = 10
const MOST_ROWS = 20

/** The states and user pages of a service. */
export class StateBook {
  readonly #engine: Engine
  readonly #clock: Clock
  readonly #feed: Feed
  readonly #options: Pick<ServerOptions, 'tenantsManageBudgets'>
  readonly #states: Recent<SharedState>
  readonly #users: Recent<UserView>
  readonly #finishedDays: Recent<SpendSums>
  readonly #burn: Recent<Burn>
  readonly #completeness: Completeness
  readonly #forecasts: Recent<StateView['budgets'][number]['forecast']>
  #forecasting: Promise<unknown> = Promise.resolve()

  constructor({ engine, clock, feed, options = { tenantsManageBudgets: false }, stopwatch, pause }: StateBookOptions) {
    this.#engine = engine
    this.#clock = clock
    this.#feed = feed
    this.#options = options
    this.#states = new Recent({ leastMs: LEAST_MS, times: TIMES, stopwatch, pause })
    this.#users = new Recent({ leastMs: LEAST_MS, times: TIMES, stopwatch, pause })
    this.#finishedDays = new Recent({ ...SLOW, stopwatch })
    this.#burn = new Recent({ ...SLOW, stopwatch })
    this.#completeness = new Completeness(engine.tracker, stopwatch)
    this.#forecasts = new Recent({ ...SLOW, stopwatch })
  }

  /** All that a caller may see. Rejects while the store is away. */
  async state(caller: Caller): Promise<StateView> {
    const shared = await this.#states.get(reachKey(caller), () => this.#find(caller), this.#feed.changes)
    const { name, roles, tenant, userId, isOperator } = caller
    const { now, timeZone, ...rest } = shared
    return { now, timeZone, caller: { name, roles, tenant: tenant ?? null, userId: userId ?? null, isOperator, maySetBudgets: caller.may('admin') && caller.mayRaise(this.#options) }, ...rest }
  }

  /** Everything of one user, as far as the caller may see it; `undefined` for one of whom nothing is known. */
  user(caller: Caller, user: UserRef): Promise<UserView | undefined> {
    const key = JSON.stringify([reachKey(caller), user.userId, user.tenant ?? null])
    return this.#users.get(key, () => userView(this.#engine, this.#clock(), caller, user, this.#completeness) as Promise<UserView>, this.#feed.changes)
  }

  async #find(caller: Caller): Promise<SharedState> {
    const { tracker } = this.#engine
    const { reports } = tracker
    const { timeZone } = reports
    const now = this.#clock()
    const where = ownEntries(caller)
    const day = calendarFor({ unit: 'day', timeZone, weekStartsOn: 1, monthStartsOn: 1 }).at(now)
    const month = calendarFor({ unit: 'month', timeZone, weekStartsOn: 1, monthStartsOn: 1 }).at(now)
    // One after the other, and other requests in between: a ledger that answers at once would keep the process for as long as all of it takes.
    const today = await inTurn(() => sumsIn(tracker.ledger, where, { from: day.startsAt }))
    const finished = await inTurn(() => this.#finished(caller, where, month.startsAt, day.startsAt))
    const hours = await inTurn(() => lastHours(reports, where, now, zoneOffsetMs(timeZone, now)))
    const blocked = await inTurn(() => blockedRows(this.#engine, caller, now))
    const burn = await inTurn(() => this.#burn.get(reachKey(caller), () => this.#burnOf(caller)))
    const hasSpent = ({ microcents }: SpendSums['all']): boolean => microcents > 0n
    const spenders = largest(finished.byUser, today.byUser, MOST_ROWS).filter(([, sum]) => hasSpent(sum))
    const tenants = caller.isOperator ? largest(finished.byTenant, today.byTenant, MOST_ROWS).flatMap(([name]) => name ?? []) : caller.tenant === undefined ? [] : [caller.tenant]
    const standing = await tracker.limits.standing({ sees: (scope) => caller.maySee(scope), tenants })
    const { topSpenders, windows } = await this.#people(caller, spenders.map(([, spend]) => spend), blocked)
    const watched = standing.filter(({ limit }) => limit !== null).sort((one, other) => other.usedPct - one.usedPct)
    const budgets = watched.slice(0, MOST_BUDGETS)
    const forecasts = budgets.map((window, index) => (index < MOST_FORECASTS ? this.#forecastOf(window) : null))
    const complete = await inTurn(() => this.#completeness.since(month.startsAt))
    const own = caller.userId === undefined ? standing : (await tracker.limits.ofUser(refOf(caller.userId, caller.tenant ?? null))).windows
    const counted = (period: string, startsAt: number, sum: SpendSums['all']): SpendSums['all'] => (complete ? sum : { ...sum, microcents: atLeast(sum.microcents, own.filter((window) => isOf(caller, window, period, startsAt))) })
    const ofDay = counted('daily', day.startsAt, today.all)
    const ofMonth = counted('monthly', month.startsAt, allOf(finished, today))
    const [byTenant, byTier, byModel] = [spendRows(finished.byTenant, today.byTenant, MOST_ROWS), spendRows(finished.byTier, today.byTier, MOST_ROWS), spendRows(finished.byModel, today.byModel, MOST_ROWS)]
    const triggered = triggeredRows(caller, [...standing, ...windows])
    return {
      now: new Date(now).toISOString(),
      timeZone,
      tiers: tracker.tiers,
      complete,
      today: shownSum(ofDay),
      // The day is in the month, whichever budgets have counted them.
      month: shownSum(complete || ofMonth.microcents > ofDay.microcents ? ofMonth : { ...ofMonth, microcents: ofDay.microcents }),
      burnPerDay: burn.perDay,
      burnDays: burn.days,
      budgets: budgets.map((window, index) => standingRow(caller, window, forecasts[index])),
      limits: { watched: watched.length, exceeded: watched.filter(({ exceeded }) => exceeded).length },
      triggered: triggered.slice(0, MOST_BUDGETS),
      triggeredCount: triggered.length,
      byTenant: byTenant.rows,
      byTier: byTier.rows,
      byModel: byModel.rows,
      topSpenders,
      more: { byTenant: byTenant.more, byTier: byTier.more, byModel: byModel.more, topSpenders: restOf(finished.byUser, today.byUser, spenders, hasSpent) },
      blocked,
      hours,
    }
  }

  /** Those who spent most, and the windows of them and of whoever was refused, as far as the caller may see them: nobody else is looked at. */
  async #people(caller: Caller, spenders: readonly UserSpend[], blocked: StateView['blocked']): Promise<{ readonly topSpenders: TopSpender[]; readonly windows: readonly StandingWindow[] }> {
    const known = new Map<string, Promise<UserStanding | undefined>>()
    const standingOf = (userId: string, tenant: string | null): Promise<UserStanding | undefined> => {
      const key = JSON.stringify([tenant, userId])
      let found = known.get(key)
      // A tier that the configuration no longer has must not hide everything else.
      if (found === undefined) known.set(key, (found = this.#engine.tracker.limits.ofUser(refOf(userId, tenant)).catch(() => undefined)))
      return found
    }
    const topSpenders = await Promise.all(
      spenders.map(async ({ userId, tenant, ...sum }): Promise<TopSpender> => {
        const found = await standingOf(userId, tenant)
        const fullness = found?.windows.filter(({ scope, limit }) => scope.kind === 'user' && limit !== null).map(({ usedPct }) => usedPct) ?? []
        return { name: userId, ...shownSum(sum), userId, tenant, tier: found?.tier ?? null, usedPct: fullness.length === 0 ? null : Math.max(...fullness) }
      }),
    )
    for (const { userId, tenant } of blocked) void standingOf(userId, tenant)
    const users = await Promise.all(known.values())
    return { topSpenders, windows: users.flatMap((each) => each?.windows.filter(({ scope }) => caller.maySee(scope)) ?? []) }
  }

  /** What was spent on days that are over changes no more, but for spend that is assigned to a client later. */
  #finished(caller: Caller, where: Where, from: number, until: number): Promise<SpendSums> {
    return this.#finishedDays.get(`${reachKey(caller)} ${from} ${until}`, () => sumsIn(this.#engine.tracker.ledger, where, { from, until }))
  }

  /** By the last 28 days. A ledger that cannot tell is no reason to show nothing. */
  async #burnOf({ isOperator, tenant, userId }: Caller): Promise<Burn> {
    const subject = isOperator ? { scope: { kind: 'global' } } : userId !== undefined ? refOf(userId, tenant ?? null) : { scope: { kind: 'tenant', id: tenant as string } }
    const forecast = await this.#engine.tracker.forecast(subject, { period: 'monthly', unit: 'usd' }).catch(() => undefined)
    if (forecast?.enough !== true) return { perDay: null, days: null }
    return { perDay: forecast.burnRate.perDay, days: forecast.step === 'day' ? forecast.steps : Math.ceil(forecast.steps / HOURS_OF_DAY) }
  }

  /** Worked out one after the other in the background: until then the row says nothing of it. */
  #forecastOf(window: StandingWindow): StateView['budgets'][number]['forecast'] {
    const found = this.#forecasts.atHand(windowKey(window), () => {
      const made = this.#forecasting.then(() => forecastOf(this.#engine, window)).catch(() => null)
      this.#forecasting = made
      return made
    })
    return found ?? null
  }
}

async function inTurn<Found>(find: () => Promise<Found>): Promise<Found> {
  await nextTurn()
  return find()
}

/** The larger of a sum and what a window says has been spent. */
function atLeast(microcents: bigint, windows: readonly StandingWindow[]): bigint {
  return windows.reduce((most, { exact }) => (BigInt(exact.spent) > most ? BigInt(exact.spent) : most), microcents)
}

/** True for a window that counts all that the caller reaches, in that stretch of time. */
function isOf({ isOperator, tenant, userId }: Caller, { scope, period, unit, startsAt }: StandingWindow, wanted: string, from: number): boolean {
  if (unit !== 'usd' || period !== wanted || startsAt.getTime() !== from) return false
  if (isOperator) return scope.kind === 'global'
  return userId === undefined ? scope.kind === 'tenant' && scope.id === tenant : scope.kind === 'user'
}

function refOf(userId: string, tenant: string | null): UserRef {
  return tenant === null ? { userId } : { userId, tenant }
}
