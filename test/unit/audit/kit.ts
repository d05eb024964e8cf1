// Hand-made snapshots for the tests of audits: a few words for entries, counters and open holds.

import type { LedgerEntry, LedgerKind } from '../../../src/ledger/index.js'
import type { ScopeId } from '../../../src/enforcement/index.js'
import type { AuditSnapshot, CountedScope, CountedWindow, OpenHold } from '../../../src/store/index.js'

export const HOUR = 3_600_000
export const NOON = Date.UTC(2026, 0, 15, 12)
export const TODAY = Date.UTC(2026, 0, 15)
export const YESTERDAY = Date.UTC(2026, 0, 14)
export const ann: ScopeId = { kind: 'user', id: 'ann' }
export const team: ScopeId = { kind: 'team', id: 'search' }

/** An entry with an id like those of stores. `charged`: `[scope, window, startsAt]`. */
export function entry(decisionId: string, kind: LedgerKind, microcents: number, charged: readonly [ScopeId, string, number][], more: Partial<LedgerEntry> = {}): LedgerEntry {
  const windows = charged.map(([scope, window, startsAt]) => ({ scope, window, startsAt }))
  return { id: `${decisionId}:${kind}${kind === 'corrected' ? ':1' : ''}`, kind, at: NOON, decisionId, userId: 'ann', microcents, tokens: 0, charged: windows, ...more }
}

/** A counted window: `spent` as pairs of start and amount. */
export function counted(window: string, spent: readonly [number, number][], held = 0): CountedWindow {
  const unit = window.slice(window.lastIndexOf('/') + 1) as CountedWindow['unit']
  return { window, unit, held, spent: spent.map(([startsAt, amount]) => ({ startsAt, amount })) }
}

/** A counted scope: lifetime cost and entries, then its windows. */
export function scopeOf(scope: ScopeId, microcents: number, entries: number, ...windows: readonly CountedWindow[]): CountedScope {
  return { scope, microcents, entries, windows }
}

/** An open hold placed in these windows. */
export function hold(id: string, microcents: number, placed: readonly [ScopeId, string, number][], more: Partial<OpenHold> = {}): OpenHold {
  return { id, amounts: { microcents, tokens: 0 }, openedAt: NOON, placed: placed.map(([scope, window, startsAt]) => ({ scope, window, startsAt })), ...more }
}

/** A snapshot at noon with a complete ledger. */
export function snapshot(scopes: readonly CountedScope[], entries: readonly LedgerEntry[], more: Partial<AuditSnapshot> = {}): AuditSnapshot {
  return { now: NOON, complete: true, scopes, holds: [], repairs: 0, entries: () => each(entries), ...more }
}

async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  yield* items
}
