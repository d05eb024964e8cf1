// A refusal as an answer of HTTP: the status, a problem document (RFC 9457) and the header fields. Says of budgets that are shared
// with others nothing but that they refuse.

import type { DeniedDecision, Denial, DenialCode } from '../decision/index.js'
import type { WindowView } from '../enforcement/index.js'
import { isBursarError } from '../errors/index.js'
import { isOwn, rateLimitFields } from './rate-limit-fields.js'

/** The problem document of a refusal. Money is USD numbers, as in {@link Denial}. */
export interface BudgetProblem {
  /** `urn:bursar:denial:` and the code. */
  readonly type: string
  readonly title: string
  readonly status: Denial['status']
  readonly detail: string
  /** The decision: `urn:bursar:decision:` and its id. */
  readonly instance: string
  readonly code: DenialCode
  readonly window?: string | undefined
  readonly unit?: Denial['unit']
  readonly limit?: number | undefined
  readonly used?: number | undefined
  readonly refusedFromPct?: number | undefined
  /** ISO 8601; `null`: never. */
  readonly resetsAt?: string | null | undefined
  readonly retryAfterMs: number | null
  readonly largestFittingCost?: number | null | undefined
  readonly largestFittingOutput?: Denial['largestFittingOutput']
  readonly upgrade?: string | undefined
  readonly upgradeUrl?: string | undefined
}

/** An answer that any server can send. */
export interface ProblemAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What an answer may tell. */
export interface Disclosure {
  /** Whether the `RateLimit` fields are sent, which tell the limits of the user's own budgets and what is left. */
  readonly rateLimit: boolean
  /** Whether limit and use of budgets are told that are shared with others. */
  readonly sharedBudgets: boolean
}

const TITLES: Readonly<Record<DenialCode, string>> = {
  budget: 'Budget exceeded',
  rate: 'Too many requests',
  policy: 'Not allowed by policy',
  'policy-error': 'Not allowed by policy',
  'store-unavailable': 'Budgets unavailable',
}

const SHARED = 'A budget that is shared with others does not allow this request now.'
/** The error of a policy and the state of a store are the operator's, not the client's. */
const INTERNAL: Readonly<Partial<Record<DenialCode, string>>> = {
  'policy-error': 'A policy could not be asked, and the request is not allowed without it.',
  'store-unavailable': 'Whether the budget allows this request cannot be told now. Try again later.',
}

/** The refusal that an error carries, whichever copy of bursar threw it: also one that came when the AI SDK tried a failed call again. */
export function denialOf(error: unknown): Denial | undefined {
  if (isBursarError(error)) return 'denial' in error ? (error.denial as Denial) : undefined
  const last: unknown = error instanceof Error && 'lastError' in error ? error.lastError : undefined
  return isBursarError(last) ? denialOf(last) : undefined
}

/** The decision behind that refusal, where the error has it. */
export function refusalOf(error: unknown): DeniedDecision | undefined {
  if (isBursarError(error)) return 'decision' in error ? (error.decision as DeniedDecision | undefined) : undefined
  return error instanceof Error && 'lastError' in error && isBursarError(error.lastError) ? refusalOf(error.lastError) : undefined
}

/** The problem document of a refusal. */
export function problemOf(denial: Denial, { sharedBudgets }: Pick<Disclosure, 'sharedBudgets'>): BudgetProblem {
  const { code, status, scope, retryAfterMs, upgrade, upgradeUrl } = denial
  const isTold = sharedBudgets || scope === undefined || isOwn(scope)
  return {
    type: `urn:bursar:denial:${code}`,
    title: TITLES[code],
    status,
    detail: INTERNAL[code] ?? (isTold ? denial.message : SHARED),
    instance: `urn:bursar:decision:${encodeURIComponent(denial.decisionId.toWellFormed())}`,
    code,
    ...(isTold && windowMembers(denial)),
    retryAfterMs,
    ...(upgrade !== undefined && { upgrade }),
    ...(upgradeUrl !== undefined && { upgradeUrl }),
  }
}

/** The whole answer to a refused request. `windows`: as they stood when the request came, `now` in ms since the epoch. */
export function problemAnswer(denial: Denial, windows: readonly WindowView[], now: number, disclosure: Disclosure): ProblemAnswer {
  const { retryAfterMs } = denial
  const retryAfterS = retryAfterMs === null ? undefined : Math.ceil(retryAfterMs / 1_000)
  return {
    status: denial.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
      ...(disclosure.rateLimit && rateLimitFields(windows, now, { isAdmitted: false, retryAfterS })),
    },
    body: JSON.stringify(problemOf(denial, disclosure)),
  }
}

function windowMembers({ window, unit, limit, used, refusedFromPct, resetsAt, largestFittingCost, largestFittingOutput }: Denial): Partial<BudgetProblem> {
  const members = { window, unit, limit, used, refusedFromPct, resetsAt: resetsAt?.toISOString() ?? resetsAt, largestFittingCost, largestFittingOutput }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
