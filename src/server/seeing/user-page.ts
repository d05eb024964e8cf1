// Everything of one user on one page: budgets, limits of their own, what they did last, and what they spent day by day.

import { explainText } from '../../decision/index.js'
import type { UserRef } from '../../budget/index.js'
import { actionOf, type LedgerEntry } from '../../ledger/index.js'
import { toPublic, toUsd, type Unit } from '../../money/index.js'
import { calendarFor, type Calendar } from '../../time/index.js'
import type { UserStanding } from '../../tracker/index.js'
import type { Caller } from '../caller.js'
import type { Completeness } from './completeness.js'
import { CustomerBook } from '../administration/customer-book.js'
import { explanationFor } from './explained.js'
import { clientId } from '../ids.js'
import { entriesOfUser } from './reach.js'
import type { Engine } from '../service.js'
import { forecastOf, standingRow } from './standing-row.js'
import { usd } from './state-sums.js'
import type { ActivityRow, UserView } from './views.js'

const MOST_ACTIVITY = 30
/** What is looked for a decision may cost a question to the store. */
const MOST_EXPLAINED = 10
const LOOKBACK_MS = 90 * 86_400_000
const DAYS = 28

/** The page; `undefined` for a user of whom nothing is known. */
export async function userView(engine: Engine, now: number, caller: Caller, user: UserRef, completeness: Completeness): Promise<UserView | undefined> {
  const { tracker } = engine
  const { userId, tenant } = user
  const [found, spent, entries, days, settings, customer, complete] = await Promise.all([
    tracker.limits.ofUser(user),
    tracker.getUserCost(user),
    tracker.ledger.newest({ from: now - LOOKBACK_MS, where: entriesOfUser(user) }, { limit: MOST_ACTIVITY }),
    daysOf(engine, user, now),
    tenant === undefined ? undefined : tracker.limits.tenants.get(tenant),
    new CustomerBook(tracker, tracker.clock).get(user),
    completeness.since(startsOfDays(tracker.reports.timeZone, now)[0] as number),
  ])
  // Whoever has no tier of their own may name one with each request: by that they were judged.
  const named = found.directoryTier === undefined && settings?.tier === undefined ? entries.find((entry) => entry.tier !== undefined)?.tier : undefined
  const last = named !== undefined && named !== found.tier && tracker.tiers.includes(named) ? named : undefined
  const standing = last === undefined ? found : await tracker.limits.ofUser(user, last)
  const { tier, directoryTier, overrides } = standing
  const windows = standing.windows.filter(({ scope }) => caller.maySee(scope))
  const isKnown = caller.userId !== undefined || customer !== undefined || spent !== 0 || entries.length > 0 || directoryTier !== undefined || Object.keys(overrides).length > 0 || windows.some(({ scope, exact }) => scope.kind === 'user' && exact.spent + exact.held > 0)
  if (!isKnown) return undefined
  const forecasts = await Promise.all(windows.map((window) => (window.scope.kind === 'user' && window.limit !== null ? forecastOf(engine, window).catch(() => null) : null)))
  return {
    userId,
    tenant: tenant ?? null,
    name: customer?.name ?? null,
    tier: tier ?? null,
    tierFrom: tier === undefined ? null : last !== undefined ? 'last' : directoryTier !== undefined ? 'directory' : settings?.tier !== undefined ? 'tenant' : 'default',
    complete,
    totalSpent: spent,
    windows: windows.map((window, index) => standingRow(caller, window, forecasts[index])),
    overrides: overridesOf(standing, now),
    activity: await activityOf(engine, caller, user, entries),
    days,
  }
}

/** Those that count now, or will. */
function overridesOf({ overrides }: UserStanding, now: number): UserView['overrides'] {
  return Object.entries(overrides).flatMap(([key, { limit, until }]) => {
    const [, period, unit] = /^(.+)\/(usd|tokens|requests)(?: \(ends\))?$/.exec(key) ?? []
    if (period === undefined || (until !== null && until <= now)) return []
    return [{ period, unit: unit as Unit, limit: limit === null ? null : toPublic(unit as Unit, limit), until: until === null ? null : new Date(until).toISOString() }]
  })
}

async function activityOf(engine: Engine, caller: Caller, { tenant }: UserRef, entries: readonly LedgerEntry[]): Promise<ActivityRow[]> {
  const notable = new Set(entries.filter((entry) => ['DEGRADE', 'BLOCK'].includes(actionOf(entry) ?? '')).slice(0, MOST_EXPLAINED))
  return Promise.all(
    entries.map(async (entry) => {
      const explanation = notable.has(entry) ? await explanationFor(engine, caller, entry.decisionId).catch(() => undefined) : undefined
      return {
        at: new Date(entry.at).toISOString(),
        kind: entry.kind,
        action: actionOf(entry) ?? null,
        model: entry.model ?? null,
        requestedModel: entry.requestedModel ?? null,
        cost: toUsd(entry.microcents),
        tokens: entry.tokens,
        decisionId: clientId(tenant, entry.decisionId),
        explanation: explanation === undefined ? null : explainText(explanation),
      }
    }),
  )
}

/** The last days of the calendar, the running one too. */
async function daysOf({ tracker: { reports } }: Engine, user: UserRef, now: number): Promise<UserView['days']> {
  const calendar = dayCalendar(reports.timeZone)
  const starts = startsOfDays(reports.timeZone, now)
  const spent = new Map(starts.map((start) => [start, 0n]))
  for await (const { start, exact } of reports.summary({ by: ['day'], from: starts[0] as number, where: entriesOfUser(user) })) {
    const day = calendar.at((start as Date).getTime()).startsAt
    spent.set(day, (spent.get(day) ?? 0n) + exact.microcents)
  }
  return { times: starts.map((start) => start / 1_000), spent: starts.map((start) => usd(spent.get(start) ?? 0n)) }
}

function dayCalendar(timeZone: string): Calendar {
  return calendarFor({ unit: 'day', timeZone, weekStartsOn: 1, monthStartsOn: 1 })
}

function startsOfDays(timeZone: string, now: number): number[] {
  const calendar = dayCalendar(timeZone)
  const starts: number[] = []
  for (let at = now; starts.length < DAYS; at = (starts[0] as number) - 1) starts.unshift(calendar.at(at).startsAt)
  return starts
}
