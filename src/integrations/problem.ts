// A refusal as an answer of HTTP: the status, a problem document (RFC 9457) and the header fields. Says of budgets that are shared
// with others nothing but that they refuse.

import { fittingText, type Decision, type DeniedDecision, type Denial, type DenialCode } from '../decision/index.js'
import type { WindowView } from '../enforcement/index.js'
import { isBursarError, type BursarError } from '../errors/index.js'
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
  /** This and the next: where no budget that is shared with others takes part, or `sharedBudgets` is set. */
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

/** Beyond so many errors within one nobody has wrapped a refusal: they are endless. */
const MOST_ERRORS = 100

/** The refusal that an error carries, whichever copy of bursar threw it: also one that an SDK or the application has put into its own. */
export function denialOf(error: unknown): Denial | undefined {
  return refusingIn(error)?.denial
}

/** The decision behind that refusal, where the error has it. */
export function refusalOf(error: unknown): DeniedDecision | undefined {
  const refusing = refusingIn(error)
  return refusing !== undefined && 'decision' in refusing ? (refusing.decision as DeniedDecision | undefined) : undefined
}

/**
 * The problem document of a refusal. `windows`: those that were asked; where they are not known, they count as shared. What would still
 * fit is what is left in the fullest of them: beside a shared one it would tell how much the others have spent.
 */
export function problemOf(denial: Denial, windows: readonly WindowView[] | undefined, { sharedBudgets }: Pick<Disclosure, 'sharedBudgets'>): BudgetProblem {
  const { code, status, scope, retryAfterMs, upgrade, upgradeUrl } = denial
  const isTold = sharedBudgets || scope === undefined || isOwn(scope)
  const told = sharedBudgets || areOwn(windows) ? denial : withoutFitting(denial)
  return {
    type: `urn:bursar:denial:${code}`,
    title: TITLES[code],
    status,
    detail: INTERNAL[code] ?? (isTold ? told.message : SHARED),
    instance: `urn:bursar:decision:${encodeURIComponent(denial.decisionId.toWellFormed())}`,
    code,
    ...(isTold && windowMembers(told)),
    retryAfterMs,
    ...(upgrade !== undefined && { upgrade }),
    ...(upgradeUrl !== undefined && { upgradeUrl }),
  }
}

/** The whole answer to a refused request, by the decision that refused it, or the one that had let in the handler in which a call was. */
export function problemAnswer(denial: Denial, decision: Pick<Decision, 'allowed' | 'windows' | 'context'>, disclosure: Disclosure): ProblemAnswer {
  const { allowed, windows, context } = decision
  const { retryAfterMs } = denial
  const retryAfterS = retryAfterMs === null ? undefined : Math.ceil(retryAfterMs / 1_000)
  return {
    status: denial.status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }),
      ...(disclosure.rateLimit && rateLimitFields(windows, context.now.getTime(), { isAdmitted: false, retryAfterS })),
    },
    // The call in the handler may have asked other windows than the request.
    body: JSON.stringify(problemOf(denial, allowed ? undefined : windows, disclosure)),
  }
}

/**
 * The error of the refusal within an error: the SDKs' `stream()` and tool runners wrap what they throw as `cause`; the AI SDK says what its
 * retries ended with as `lastError` and `errors`.
 */
function refusingIn(error: unknown): (BursarError & { readonly denial: Denial }) | undefined {
  // A set grows while it is gone through, and has a cycle once.
  const met = new Set<unknown>([error])
  for (const each of met) {
    if (typeof each !== 'object' || each === null) continue
    if (isBursarError(each) && 'denial' in each) return each as BursarError & { readonly denial: Denial }
    const { lastError, cause, errors } = each as { readonly lastError?: unknown; readonly cause?: unknown; readonly errors?: unknown }
    for (const inner of [lastError, cause, ...(Array.isArray(errors) ? errors.slice(-MOST_ERRORS) : [])]) if (met.size < MOST_ERRORS) met.add(inner)
  }
  return undefined
}

function areOwn(windows: readonly WindowView[] | undefined): boolean {
  return windows !== undefined && windows.every(({ scope }) => isOwn(scope))
}

/** The same without what would still fit: neither as members, nor as the sentence that a denial's message has of it. */
function withoutFitting(denial: Denial): Denial {
  const { largestFittingOutput: fitting } = denial
  const sentence = fittingText(fitting)
  const message = sentence === '' ? denial.message : denial.message.replaceAll(sentence, '')
  return { ...denial, message, largestFittingCost: undefined, largestFittingOutput: undefined }
}

function windowMembers({ window, unit, limit, used, refusedFromPct, resetsAt, largestFittingCost, largestFittingOutput }: Denial): Partial<BudgetProblem> {
  const members = { window, unit, limit, used, refusedFromPct, resetsAt: resetsAt?.toISOString() ?? resetsAt, largestFittingCost, largestFittingOutput }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}
