// Which thresholds a charge has just crossed, decided where the counter changes, so that each is announced once.

import type { Effect, ScopeTerms, WindowTerms } from '../contract.js'
import { ALERTED_AT, ALERTED_PCT, LIMIT_SEEN, type Cells } from './cells.js'

/** The window after a charge. */
export interface ChargedState {
  readonly spent: number
  readonly startsAt: number
  readonly endsAt: number
  readonly at: number
}

/**
 * Adds an effect for each threshold that `spent` has reached and that this window instance has not announced, ascending.
 * INVARIANT (ALERT-ONCE): only a limit above the highest that the instance has seen arms thresholds again; for a rolling
 * window, its length without an alert does.
 */
export function raiseAlerts(effects: Effect[], scope: ScopeTerms, terms: WindowTerms, cells: Cells, slot: number, state: ChargedState): void {
  const { limit, alerts, source } = terms
  if (limit === null || alerts.length === 0) return
  if (limit > (cells[slot + LIMIT_SEEN] as number)) {
    cells[slot + LIMIT_SEEN] = limit
    cells[slot + ALERTED_PCT] = 0
  }
  const { spent, startsAt, endsAt, at } = state
  if (source.kind === 'rolling' && (cells[slot + ALERTED_PCT] as number) > 0 && at >= (cells[slot + ALERTED_AT] as number) + source.rule.lengthMs) {
    cells[slot + ALERTED_PCT] = 0
  }
  for (const { thresholdPct, at: amount } of alerts) {
    if (spent < amount) return
    if (thresholdPct <= (cells[slot + ALERTED_PCT] as number)) continue
    cells[slot + ALERTED_PCT] = thresholdPct
    if (source.kind === 'rolling') cells[slot + ALERTED_AT] = at
    const instance = source.kind === 'rolling' ? at : startsAt
    const alertId = `${scope.key}:${terms.window}:${instance}:${cells[slot + LIMIT_SEEN]}:${thresholdPct}`
    effects.push({ kind: 'threshold', alertId, scope: scope.scope, window: terms.window, unit: terms.unit, thresholdPct, limit, spent, startsAt, endsAt })
  }
}
