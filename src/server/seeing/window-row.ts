// Windows as answers show them, each to those alone who may see it: that of a limit by whom the limit counts there, not by the name of its
// counter. Pure.

import { limitOf } from '../../budget/index.js'
import type { ScopeId } from '../../enforcement/index.js'
import type { Limit } from '../../limits/index.js'
import type { Unit } from '../../money/index.js'
import type { Caller } from '../caller.js'
import { clientId } from '../ids.js'
import type { WindowRow } from './views.js'

/** What a window of any kind has. Without a limit it is `null`, or infinite. */
export interface AnyWindow {
  readonly scope: ScopeId
  readonly period: string
  readonly unit: Unit
  readonly spent: number
  readonly held: number
  readonly limit: number | null
  readonly remaining: number | null
  readonly usedPct: number
  readonly startsAt: Date
  readonly resetsAt: Date | null
  readonly exact: { readonly limit: number | null; readonly spent: number; readonly held: number }
}

/** Limits by their ids in the store. */
export type LimitsById = ReadonlyMap<string, Pick<Limit, 'scope' | 'mode'>>

/** A window for a caller; `undefined` where it is none of theirs. `limits`: those that there are. */
export function windowRow(caller: Caller, window: AnyWindow, limits: LimitsById): WindowRow | undefined {
  const of = limitOf(window.scope)
  const scope = of === undefined ? window.scope : countedBy(of, limits.get(of.limitId))
  // A limit that has just gone: whom it counted nobody knows any more.
  if (scope === undefined ? !caller.isOperator : !caller.maySee(scope)) return undefined
  const { kind, id, tenant } = scope ?? window.scope
  const { period, unit, spent, held, usedPct, startsAt, resetsAt, exact } = window
  const isLimited = exact.limit !== null && Number.isFinite(exact.limit)
  return {
    scope: tenant === undefined ? { kind, id } : { kind, id, tenant },
    limitId: of === undefined ? null : limitIdFor(caller, of.limitId),
    period,
    unit,
    spent,
    held,
    limit: isLimited ? window.limit : null,
    remaining: isLimited ? window.remaining : null,
    usedPct,
    exceeded: isLimited && exact.spent + exact.held >= (exact.limit as number),
    startsAt: startsAt.toISOString(),
    resetsAt: resetsAt?.toISOString() ?? null,
    forecast: null,
  }
}

/** The id of a limit as the caller knows it: the operator sees it as it is in the store. */
export function limitIdFor(caller: Caller, id: string): string {
  return caller.isOperator ? id : clientId(caller.tenant, id)
}

/** Limits by their ids. */
export function byId(limits: readonly Limit[]): LimitsById {
  return new Map(limits.map((limit) => [limit.id, limit]))
}

/** Whose money a limit counts in one of its scopes. */
function countedBy({ member, tenant }: { readonly member: string | undefined; readonly tenant: string | undefined }, limit: Pick<Limit, 'scope'> | undefined): ScopeId | undefined {
  if (limit === undefined) return undefined
  const { kind, id } = limit.scope
  const counted = { kind, id: member ?? id ?? kind }
  return kind === 'user' && tenant !== undefined ? { ...counted, tenant } : counted
}
