// A refusal as an application passes it on: which budget, how full, until when, and what would still fit.

import type { ScopeId } from '../enforcement/index.js'
import type { Unit } from '../money/index.js'

/** Why a request was refused. */
export type DenialCode = 'budget' | 'rate' | 'policy' | 'policy-error' | 'store-unavailable'

/** The HTTP status that each reason means. */
export const DENIAL_STATUS: Readonly<Record<DenialCode, 402 | 403 | 429 | 503>> = {
  budget: 402,
  rate: 429,
  policy: 403,
  'policy-error': 403,
  'store-unavailable': 503,
}

const ERRORS: Readonly<Record<DenialCode, string>> = {
  budget: 'budget_exceeded',
  rate: 'rate_limited',
  policy: 'policy_blocked',
  'policy-error': 'policy_failed',
  'store-unavailable': 'store_unavailable',
}

/** Plain data for an HTTP answer or a message. Money is USD numbers. The window fields are those of the refusal that lasts longest. */
export interface Denial {
  readonly error: string
  readonly code: DenialCode
  readonly status: 402 | 403 | 429 | 503
  readonly message: string
  readonly decisionId: string
  readonly scope?: ScopeId | undefined
  /** The period of the window that refused: `daily`, `rolling:1m`, … */
  readonly window?: string | undefined
  readonly unit?: Unit | undefined
  readonly limit?: number | undefined
  /** spent + held. */
  readonly used?: number | undefined
  /** When the window ends, or the limit that it is of, where that ends before; `null`: never. */
  readonly resetsAt?: Date | null | undefined
  /** From how many percent of the limit on requests are refused, where that is below 100. */
  readonly refusedFromPct?: number | undefined
  /** Until the request would fit if nothing else changed; `null`: never. */
  readonly retryAfterMs: number | null
  /** The largest estimate in USD that would be admitted now; `null`: none. */
  readonly largestFittingCost?: number | null | undefined
  /**
   * The cheapest model open to the request, and the largest `maxOutputTokens` with which it would be admitted now; `null`: none. Where the
   * request was estimated by its tokens.
   */
  readonly largestFittingOutput?: { readonly model: string; readonly maxOutputTokens: number } | null | undefined
  /** Set where the store was away and this process's share of the budget did not suffice: the request may fit when it is back. */
  readonly local?: true | undefined
  readonly upgradeUrl?: string | undefined
  /** What to offer the user, such as `Pro ($29/mo)`: where a budget of the user's own refused and `suggestUpgrade` knows of more. */
  readonly upgrade?: string | undefined
}

/** What a denial offers to whoever wants more. */
export interface Offers {
  readonly upgradeUrl?: string | undefined
  readonly suggestUpgrade?: ((tier: string) => string | undefined) | undefined
}

/** The offer for a user of that tier; a suggestion that fails is none: a refusal must stay a value. */
export function offerFor(tier: string | undefined, { suggestUpgrade }: Offers): string | undefined {
  if (tier === undefined) return undefined
  try {
    return suggestUpgrade?.(tier)
  } catch {
    return undefined
  }
}

/** The `error` word of a denial. */
export function errorWord(code: DenialCode): string {
  return ERRORS[code]
}
