// When an instance of a calendar window ends of which only the start is known: by the plan of the budgets, at the earliest that
// any of its calendars says, because a stored window rules whoever began it.

import { scopeKey, type BudgetPlan, type BudgetWindow } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { isBursarError } from '../errors/index.js'
import type { Span } from '../time/index.js'
import type { EndingOf } from './compare.js'

const NO_LIVES: ReadonlyMap<string, Span> = new Map()

/**
 * Asks a plan for endings. It knows none of a scope, or of a window of a user's own, that it does not have; and where some tier
 * follows the subscription, none of a user's months: any of them may be such a one, or the rest of one after a change of tier, and
 * end by a period that nobody remembers. A window that was begun anew ends where the calendar says of the instant at which
 * it began. `limitWindows` knows those of limits that were made at run time.
 */
export function endingsOf(plan: BudgetPlan, lives: ReadonlyMap<string, Span> = NO_LIVES, limitWindows: (scope: ScopeId) => readonly BudgetWindow[] = () => []): EndingOf {
  const own = [...plan.budgets()].filter(({ kind }) => kind === 'user')
  const followsSubscription = own.some(({ tier }) => plan.followsSubscription(tier))
  const ofUsers = windowsByName([plan.userBudget(undefined).windows, ...own.map(({ budget }) => budget.windows)], (window) => !(followsSubscription && window.period === 'monthly'))
  // Users share their windows' turns: each is looked up once.
  const known = new Map<string, number | undefined>()
  return ({ scope, window, startsAt }) => {
    if (scope.kind === 'session') {
      const life = lives.get(scopeKey(scope))
      return life?.startsAt === startsAt ? life.endsAt : undefined
    }
    if (scope.kind !== 'user') return earliestEnd((scope.kind === 'limit' ? limitWindows(scope) : sharedWindows(plan, scope)).filter((each) => each.window === window), startsAt)
    const name = `${window} ${startsAt}`
    if (!known.has(name)) known.set(name, earliestEnd(ofUsers.get(window) ?? [], startsAt))
    return known.get(name)
  }
}

function windowsByName(budgets: readonly (readonly BudgetWindow[])[], isKnown: (window: BudgetWindow) => boolean): Map<string, BudgetWindow[]> {
  const windows = new Map<string, BudgetWindow[]>()
  for (const each of budgets.flat().filter(isKnown)) windows.set(each.window, [...(windows.get(each.window) ?? []), each])
  return windows
}

function sharedWindows(plan: BudgetPlan, { kind, id }: ScopeId): readonly BudgetWindow[] {
  const user = { userId: '', tenant: kind === 'tenant' ? id : undefined }
  const tier = kind === 'tier' ? id : undefined
  const isNamed = kind !== 'tenant' && kind !== 'tier' && kind !== 'global'
  try {
    const found = plan.sharedScopes({ user, tier, ...(isNamed && { scopes: { [kind]: id } }) }, tier)
    return found.find(({ scope }) => scope.kind === kind && scope.id === id)?.budget.windows ?? []
  } catch (error) {
    // The scope is no longer configured.
    if (isBursarError(error)) return []
    throw error
  }
}

function earliestEnd(windows: readonly BudgetWindow[], startsAt: number): number | undefined {
  const ends = windows.flatMap(({ source }) => (source.kind === 'calendar' ? [source.calendar.at(startsAt).endsAt] : []))
  return ends.length === 0 ? undefined : Math.min(...ends)
}
