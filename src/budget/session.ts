// What a session may spend, as a budget: everything from its start to its end, in money and in tokens, limited or not.

import type { Lifetime } from '../time/index.js'
import type { CompiledBudget } from './plan.js'
import { windowName } from './window.js'

/** The caps of a session in integers; `null`: counted without a cap. */
export interface SessionCaps {
  readonly microcents: number | null
  readonly tokens: number | null
}

const PERIOD = 'total'

/** The budget of a session with these caps. It names no policies: like any shared budget it is judged strictly. */
export function sessionBudget(sessionId: string, { microcents, tokens }: SessionCaps, calendar: Lifetime): CompiledBudget {
  const source = Object.freeze({ kind: 'calendar' as const, calendar })
  const windows = ([['usd', microcents], ['tokens', tokens]] as const).map(([unit, limit]) => Object.freeze({ window: windowName(PERIOD, unit), period: PERIOD, unit, limit, source }))
  return Object.freeze({ path: `session "${sessionId}"`, policies: undefined, windows: Object.freeze(windows) })
}
