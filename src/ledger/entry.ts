// The immutable record of one change of money. Amounts are integers: microcents and tokens.

import type { ScopeId } from '../enforcement/index.js'

/** What happened. `denied` and `configured` carry no money. */
export type LedgerKind = 'settled' | 'released' | 'expired' | 'recorded' | 'corrected' | 'denied' | 'configured'

/** A window instance that an entry was charged to: the scope's key, the window's identity, and when that window started. */
export interface ChargedWindow {
  readonly scope: ScopeId
  readonly window: string
  /** ms since the epoch; for a rolling window, the instant whose bucket was charged. */
  readonly startsAt: number
}

/** How the cost of an entry was found: plain data, kept as it is. */
export interface CostDetails {
  /** The prices that were applied; absent where the cost was given. */
  readonly priceVersion?: string | undefined
  /** True where the provider did not say what was used, or not all of it: what it did not say was estimated. */
  readonly estimated?: true | undefined
  /** What was used, by kind: the fields of a `Usage`, but its cost. */
  readonly usage?: Readonly<Record<string, number>> | undefined
  /** Tokens by the labels that they were metered under. */
  readonly labels?: Readonly<Record<string, number>> | undefined
  /** What the decision was; absent where whoever ended the hold does not know it. */
  readonly action?: 'ALLOW' | 'WARN' | 'DEGRADE' | undefined
  /** On entries that book spend of nobody's to a client: in which run it was, and why. */
  readonly assignment?: { readonly run: string; readonly reason?: string | undefined } | undefined
}

/** One model that was open to a request, with what was held or would have been held for it. */
export interface LedgerRung {
  readonly model?: string | undefined
  readonly microcents: number
  readonly tokens: number
}

/** One entry of the ledger. */
export interface LedgerEntry {
  /** The hold's id, the kind, and for corrections their number. Unique with `at` and `openedAt`: an id of the caller's may be used again once it is forgotten. */
  readonly id: string
  readonly kind: LedgerKind
  /** ms since the epoch, in store time. */
  readonly at: number
  /** The decision or recorded cost that this entry belongs to. */
  readonly decisionId: string
  readonly tenant?: string | undefined
  /** Empty for what concerns no user: a limit of a team that was changed. */
  readonly userId: string
  readonly tier?: string | undefined
  readonly sessionId?: string | undefined
  /** The scope ids by kind that the request named: `{ team: 'search', apiKey: 'k1' }`. */
  readonly scopes?: Readonly<Record<string, string>> | undefined
  readonly provider?: string | undefined
  readonly requestedModel?: string | undefined
  readonly model?: string | undefined
  /** What was charged; negative for a refund, 0 where nothing was. */
  readonly microcents: number
  readonly tokens: number
  /** What had been held for it. */
  readonly estimatedMicrocents?: number | undefined
  readonly estimatedTokens?: number | undefined
  /** Where more than one model was open to the request: all of them, from the one asked for to the cheapest. */
  readonly rungs?: readonly LedgerRung[] | undefined
  readonly openedAt?: number | undefined
  readonly charged: readonly ChargedWindow[]
  readonly reason?: string | undefined
  /** How many calls it adds to or takes from a sum, where that does not follow from its kind: see {@link callsOf}. */
  readonly calls?: number | undefined
  /** On what was settled, recorded or corrected by a settle. */
  readonly details?: CostDetails | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

/** Sums of what was charged: over everything, by model and by provider (`unknown` where none was named). */
export interface LedgerTotals {
  readonly microcents: number
  readonly tokens: number
  readonly entries: number
  readonly byModel: ReadonlyMap<string, ModelTotals>
  readonly byProvider: ReadonlyMap<string, ModelTotals>
  readonly byTier: ReadonlyMap<string, ModelTotals>
}

/** Sums of one model, provider or tier. */
export interface ModelTotals {
  readonly microcents: number
  readonly tokens: number
  readonly entries: number
}

/**
 * The reason of entries that book spend of nobody's to a client: one takes it from nobody, one gives it to the client. What else says it
 * is none of them: they are known by their `calls`.
 */
export const ASSIGNED = 'assigned'

const CALLS: readonly LedgerKind[] = ['settled', 'expired', 'recorded']

/** How many LLM calls an entry stands for: 1 for what was settled, recorded, or never reported back. */
export function callsOf({ kind, calls }: Pick<LedgerEntry, 'kind' | 'calls'>): number {
  return calls ?? (CALLS.includes(kind) ? 1 : 0)
}

/** The action of the decision behind an entry, where the entry knows it. */
export function actionOf({ kind, details }: Pick<LedgerEntry, 'kind' | 'details'>): 'ALLOW' | 'WARN' | 'DEGRADE' | 'BLOCK' | undefined {
  return kind === 'denied' ? 'BLOCK' : details?.action
}
