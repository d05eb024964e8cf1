// What a log says that happened, whatever file it came from: requests with their endings, and in a ledger also costs without a
// decision, refunds and changes of configuration. Knows neither files nor engines.

import type { LedgerEntry, LedgerRung } from '../ledger/index.js'

/** What a decision was. */
export type LoggedAction = 'ALLOW' | 'WARN' | 'DEGRADE' | 'BLOCK'

/** How the hold of a request ended. */
export type LoggedEnding = 'settled' | 'released' | 'expired'

/** One request of the log, in the order of opening. Amounts are integers: microcents and tokens. */
export interface LoggedRequest {
  readonly kind: 'request'
  /** Where it stands: from 1, the header of a CSV included; for ledger entries, which entry ended it. */
  readonly row: number
  /** When it asked, in ms since the epoch. */
  readonly at: number
  /** The order in which the log was written. */
  readonly order: number
  /** True where it asked after everything that ended at the same instant: see {@link compareCalls}. */
  readonly opensLast: boolean
  /** The decision's id; absent in logs that have none. */
  readonly id: string | undefined
  readonly userId: string
  readonly tenant: string | undefined
  readonly tier: string | undefined
  readonly sessionId: string | undefined
  readonly scopes: Readonly<Record<string, string>> | undefined
  readonly provider: string | undefined
  /** The model asked for. */
  readonly model: string | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined
  /** What it was expected to use, where the log says tokens and no estimate. */
  readonly inputTokens: number | undefined
  readonly maxOutputTokens: number | undefined
  /** What was held for it, or would have been for the model asked for. */
  readonly estimatedMicrocents: number | undefined
  readonly estimatedTokens: number | undefined
  /** All models that were open to it with their estimates, where more than one was. */
  readonly rungs: readonly LedgerRung[] | undefined
  /** Absent: the log says nothing of a decision (then it was allowed). */
  readonly action: LoggedAction | undefined
  /** The model that the decision gave. */
  readonly decidedModel: string | undefined
  /** The model that answered, where it was another one. */
  readonly answeredModel: string | undefined
  /** Absent for what was refused. */
  readonly ending: LoggedEnding | undefined
  readonly endedAt: number
  /** What it cost; absent where the log does not say. */
  readonly microcents: number | undefined
  readonly tokens: number | undefined
  /** What was used, where the log says it. */
  readonly usage: LoggedUsage | undefined
  /** When the first of the windows began that it was charged to, in ms since the epoch; absent where the log does not say it. */
  readonly windowsSince: number | undefined
}

/** Tokens that were read and written, and further kinds by their names in a `Usage`. */
export interface LoggedUsage {
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
  readonly [kind: string]: number | undefined
}

/** Something else that a ledger says: a cost without a decision, money given back, a cost that came late, a change of configuration. */
export interface LoggedNote {
  readonly kind: 'recorded' | 'corrected' | 'configured'
  readonly row: number
  readonly at: number
  readonly order: number
  readonly opensLast: false
  readonly entry: LedgerEntry
}

/** One thing that a log says. */
export type LoggedCall = LoggedRequest | LoggedNote

/**
 * The order in which a log is replayed: by time; at one instant first what ended, was noted or came and went at that instant, in the order
 * of the log, then the requests that asked then and ended later. (Whether such a request asked before or after an ending of
 * the same millisecond, a ledger does not say.) Requests of ledgers that open last are in the order of their ids, which is that of asking
 * where one process made them.
 */
export function compareCalls(a: LoggedCall, b: LoggedCall): number {
  if (a.at !== b.at) return a.at - b.at
  if (a.opensLast !== b.opensLast) return a.opensLast ? 1 : -1
  if (a.opensLast && b.opensLast && a.id !== undefined && b.id !== undefined && a.id !== b.id) return a.id < b.id ? -1 : 1
  return a.order - b.order
}
