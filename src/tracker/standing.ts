// Windows as they stand now, for whoever looks: of the shared budgets and limits that count nobody apart, and of one user. Reads those
// windows alone: what there are many of, users above all, is never gone through.

import { limitOf, type Overrides, type UserRef } from '../budget/index.js'
import type { ScopeId, WindowView } from '../enforcement/index.js'
import { EACH, scopeFor, type KnownLimit } from '../limits/index.js'
import type { Foundation } from './foundation.js'
import type { ReadScope } from './limit-windows.js'
import { readLimits, readScopes } from './limit-reader.js'
import { windowViews } from './views.js'

/** One window as it stands. */
export interface StandingWindow extends WindowView {
  /** Absent for a budget of the configuration, of a user or of a session. */
  readonly limitId: string | undefined
  /** Whom it covers: of a limit its target, or the member that it counts apart; else the scope itself. */
  readonly covers: ScopeId
  /** The highest of its thresholds that spent + held has reached; `null`: none. */
  readonly thresholdPct: number | null
}

/** A user as the directory and the counters have them. */
export interface UserStanding {
  readonly tier: string | undefined
  /** What the directory itself says: a tier of the user's own, and limits of their own with those whose time is over. */
  readonly directoryTier: string | undefined
  readonly overrides: Overrides
  /** Their own windows, and those of everything else that a request of theirs must fit. */
  readonly windows: readonly StandingWindow[]
}

/** What {@link standingOf} is asked. */
export interface StandingOptions {
  /** Which scopes: what is false is not read. Default: all. */
  readonly sees?: ((scope: ScopeId) => boolean) | undefined
  /** The tenants of which a limit of each tenant is told. */
  readonly tenants?: readonly string[] | undefined
}

/** The windows of the shared budgets that the configuration names, and of active limits; of one of `'*'` those of tiers, ids of groups that the configuration names, and `tenants`, never of users. */
export async function standingOf(foundation: Foundation, active: readonly KnownLimit[], { sees = () => true, tenants = [] }: StandingOptions): Promise<StandingWindow[]> {
  const found: StandingWindow[] = []
  for await (const read of readScopes(foundation, foundation.accounts.namedScopes().filter(({ scope }) => sees(scope)))) found.push(...windowsOf(read))
  const whole = active.filter((limit) => limit.value.scope.id !== EACH && sees(scopeFor(limit)))
  for await (const read of readLimits(foundation, whole)) found.push(...windowsOf(read))
  for (const limit of active) {
    if (limit.value.scope.id !== EACH) continue
    for (const member of membersNamed(foundation, limit, tenants)) {
      for await (const read of readLimits(foundation, [limit], member)) if (sees(read.judged.scope)) found.push(...windowsOf(read).filter(({ exact }) => exact.spent + exact.held > 0))
    }
  }
  return found
}

/** All windows that a request of a user must fit; `named`: the tier that it names. */
export async function userStanding(foundation: Foundation, user: UserRef, named?: string): Promise<UserStanding> {
  const { tier, entry, scopes } = await foundation.accounts.find({ user, tier: named, scopes: undefined })
  const windows: StandingWindow[] = []
  for await (const read of readScopes(foundation, scopes)) windows.push(...windowsOf(read))
  return { tier, directoryTier: entry?.tier, overrides: entry?.overrides ?? {}, windows }
}

function windowsOf({ judged, readings }: ReadScope): StandingWindow[] {
  const { scope, limit } = judged
  return windowViews([judged], readings, { microcents: 0, tokens: 0 }).map((view, index) => {
    const { limit: most, spent, held } = view.exact
    const alerts = judged.windows[index]?.alerts ?? []
    // A limit of 0 announces nothing: it is reached from the first.
    const reached = most === null ? [] : most === 0 ? [100] : alerts.filter(({ at }) => spent + held >= at).map(({ thresholdPct }) => thresholdPct)
    return { ...view, limitId: limit?.id, covers: limit === undefined ? scope : coveredBy(limit, scope), thresholdPct: reached.length === 0 ? null : Math.max(...reached) }
  })
}

function coveredBy({ value: { scope } }: KnownLimit, counted: ScopeId): ScopeId {
  const { member, tenant } = limitOf(counted) ?? {}
  const id = scope.id === EACH ? member : scope.id
  return { kind: scope.kind, id: id ?? scope.kind, ...(scope.kind === 'user' && tenant !== undefined && { tenant }) }
}

function membersNamed({ plan }: Foundation, { value: { scope } }: KnownLimit, tenants: readonly string[]): readonly string[] {
  if (scope.kind === 'user') return []
  if (scope.kind === 'tenant') return tenants
  return scope.kind === 'tier' ? plan.tiers : plan.namedScopes().flatMap((named) => (named.scope.kind === scope.kind ? [named.scope.id] : []))
}
