// What a session has spent and what is left to it, from windows that were read: its own, and those of the sessions that it is nested
// in. Pure.

import type { ScopeId, WindowView } from '../enforcement/index.js'
import { toUsd, type Unit } from '../money/index.js'

/** One unit of a session in integers. */
export interface UnitFigures {
  readonly spent: number
  readonly held: number
  /** The session's own cap; `null`: none. */
  readonly cap: number | null
  /** The least that its cap and those of the sessions around it leave; `null` where none of them has one. */
  readonly remaining: number | null
}

/** A session at one moment, in ms since the epoch. */
export interface Figures {
  readonly at: number
  readonly usd: UnitFigures
  readonly tokens: UnitFigures
}

/** The figures of the session with this scope. `isHeld`: the estimate of the request that the windows were read for is held by now. */
export function figuresOf(windows: readonly WindowView[], scope: ScopeId, at: number, isHeld: boolean): Figures {
  const ofSessions = windows.filter((window) => window.scope.kind === scope.kind)
  const unitFigures = (unit: Unit): UnitFigures => {
    const views = ofSessions.filter((window) => window.unit === unit)
    const own = views.find((window) => window.scope.id === scope.id)?.exact ?? { spent: 0, held: 0, limit: null, estimate: 0 }
    const left = views.flatMap(({ exact }) => (exact.limit === null ? [] : [Math.max(0, exact.limit - exact.spent - exact.held - (isHeld ? exact.estimate : 0))]))
    return { spent: own.spent, held: own.held + (isHeld ? own.estimate : 0), cap: own.limit, remaining: left.length === 0 ? null : Math.min(...left) }
  }
  return { at, usd: unitFigures('usd'), tokens: unitFigures('tokens') }
}

/** Microcents as USD, where there are any. */
export function usdOrNull(microcents: number | null): number | null {
  return microcents === null ? null : toUsd(microcents)
}
