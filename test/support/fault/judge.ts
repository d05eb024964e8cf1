// What witnesses, ledger and counters have to say of the same money: each violation of a promise in one line. Sums for itself and
// asks no store to audit itself.

import type { LedgerEntry } from '../../../src/index.js'
import type { Testimony } from './witness-log.js'

/** The counters of one user. */
export interface Counters {
  readonly spent: number
  readonly held: number
}

/** Everything that is compared. */
export interface Evidence {
  readonly testimonies: readonly Testimony[]
  readonly ledger: readonly LedgerEntry[]
  readonly counters: ReadonlyMap<string, Counters>
  readonly limitMicrocents: number
}

const ENDINGS: readonly string[] = ['settled', 'released', 'expired']

/** Counters against the ledger and the limit (CONSERVATION, NO-OVERSPEND, ONE-ENDING): empty if all agree. */
export function bookkeepingErrors({ testimonies, ledger, counters, limitMicrocents }: Evidence): string[] {
  const errors: string[] = []
  const asked = new Set(testimonies.filter(({ what }) => what === 'asked').map(({ id }) => id))
  const written = new Set<string>()
  const ended = new Set<string>()
  for (const { id, decisionId, kind } of ledger) {
    if (written.has(id)) errors.push(`entry ${id} is in the ledger twice`)
    written.add(id)
    if (!asked.has(decisionId)) errors.push(`entry ${id} is of a request that nobody made`)
    if (!ENDINGS.includes(kind)) continue
    if (ended.has(decisionId)) errors.push(`hold ${decisionId} has ended twice`)
    ended.add(decisionId)
  }
  for (const [userId, { spent, held }] of counters) {
    const entries = ledger.filter((entry) => entry.userId === userId)
    const charged = sum(entries)
    // What was recorded without a hold is spent whatever the limit says, and blocks what comes after it.
    const unheld = sum(entries.filter(({ kind }) => kind === 'recorded'))
    if (spent !== charged) errors.push(`${userId}: spent is ${spent}, the ledger says ${charged}`)
    if (held !== 0) errors.push(`${userId}: ${held} is still held`)
    if (spent - unheld > limitMicrocents) errors.push(`${userId}: spent ${spent} of ${limitMicrocents}, ${unheld} of it without a hold`)
  }
  return errors
}

/** What was acknowledged to somebody and is not so in the ledger: empty if nothing was lost. */
export function lostAcknowledgements({ testimonies, ledger }: Evidence): Testimony[] {
  const byDecision = new Map<string, LedgerEntry[]>()
  for (const entry of ledger) byDecision.set(entry.decisionId, [...(byDecision.get(entry.decisionId) ?? []), entry])
  return testimonies.filter(({ what, id, microcents }) => {
    const entries = byDecision.get(id)
    if (what === 'held') return entries === undefined
    // A cost without a hold may have been recorded all the same.
    return (what === 'settled' || what === 'released' || what === 'lost') && (entries === undefined || sum(entries) !== microcents)
  })
}

/** Microcents of entries or testimonies. */
export function sum(amounts: readonly { readonly microcents: number }[]): number {
  return amounts.reduce((total, { microcents }) => total + microcents, 0)
}
