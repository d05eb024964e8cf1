// Which thresholds a charge has just crossed, decided where the counter changes, so that each is announced once.

import type { Effect, ScopeTerms, WindowTerms } from '../contract.js'
import { bucketExpiresAt, bucketIndex } from '../../time/index.js'
import { ALERTED_AT, ALERTED_PCT, LIMIT_SEEN, spanOf, type Cells } from './cells.js'

/**
 * Adds an effect for each threshold that `spent` has reached and that this window instance has not announced, ascending.
 * INVARIANT (ALERT-ONCE): only a limit above the highest that the instance has seen arms thresholds again; for a rolling
 * window, its length without an alert does.
 */
export function raiseAlerts(effects: Effect[], scope: ScopeTerms, terms: WindowTerms, cells: Cells, slot: number, spent: number, at: number): void {
  const { limit, alerts, source } = terms
  if (limit === null || alerts.length === 0) return
  // A window that has ended announces nothing more: whether its counters are still there is chance.
  if (source.kind === 'calendar' && at >= spanOf(cells, slot).endsAt) return
  if (limit > (cells[slot + LIMIT_SEEN] as number)) {
    cells[slot + LIMIT_SEEN] = limit
    cells[slot + ALERTED_PCT] = 0
  }
  if (source.kind === 'rolling' && (cells[slot + ALERTED_PCT] as number) > 0 && at >= (cells[slot + ALERTED_AT] as number) + source.rule.lengthMs) {
    cells[slot + ALERTED_PCT] = 0
  }
  for (const { thresholdPct, at: amount } of alerts) {
    if (spent < amount) return
    if (thresholdPct <= (cells[slot + ALERTED_PCT] as number)) continue
    cells[slot + ALERTED_PCT] = thresholdPct
    if (source.kind === 'rolling') cells[slot + ALERTED_AT] = at
    const { startsAt, endsAt } = source.kind === 'calendar' ? spanOf(cells, slot) : { startsAt: at, endsAt: bucketExpiresAt(source.rule, bucketIndex(source.rule, at)) }
    const alertId = `${scope.key}:${terms.window}:${startsAt}:${cells[slot + LIMIT_SEEN]}:${thresholdPct}`
    effects.push({ kind: 'threshold', alertId, scope: scope.scope, window: terms.window, unit: terms.unit, thresholdPct, limit, spent, startsAt, endsAt })
  }
}
