// What is wrong, as an answer of HTTP: problem documents (RFC 9457), and which status each error of the engine means. What nobody foresaw is a
// 500 that says nothing of its inside; the log has it.

import { HTTPException } from 'hono/http-exception'
import { BudgetExceededError } from '../decision/index.js'
import { isBursarError, type BursarError, type BursarErrorCode } from '../errors/index.js'
import { problemOf } from '../integrations/problem.js'
import { overHttp } from './remedies.js'

/** The statuses of problems. */
export type ProblemStatus = 400 | 401 | 402 | 403 | 404 | 405 | 408 | 409 | 412 | 413 | 415 | 422 | 429 | 500 | 503

/** Codes that the server has beside those of the engine's errors. */
export type ProblemCode = BursarErrorCode | 'UNAUTHENTICATED' | 'FORBIDDEN' | 'NOT_FOUND' | 'METHOD_NOT_ALLOWED' | 'CONFLICT' | 'PRECONDITION_FAILED' | 'INCOMPLETE' | 'TOO_LARGE' | 'TOO_FAST' | 'MALFORMED' | 'UNSUPPORTED' | 'UNAVAILABLE' | 'INTERNAL'

/** An answer that is thrown. `detail` says field, value and remedy, and nothing of anybody else's. */
export class Problem extends Error {
  readonly status: ProblemStatus
  readonly code: ProblemCode
  readonly headers: Readonly<Record<string, string>>

  constructor(status: ProblemStatus, code: ProblemCode, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.headers = headers
  }
}

const TITLES: Readonly<Record<ProblemStatus, string>> = {
  400: 'Malformed request',
  401: 'Not authenticated',
  402: 'Budget exceeded',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Request timeout',
  409: 'Conflict',
  412: 'Changed since',
  413: 'Too large',
  415: 'Unsupported media type',
  422: 'Invalid request',
  429: 'Too fast',
  500: 'Internal error',
  503: 'Unavailable',
}

const STATUS: Readonly<Record<BursarErrorCode, ProblemStatus>> = {
  INVALID_CONFIG: 422,
  INVALID_REQUEST: 422,
  INVALID_AMOUNT: 422,
  UNKNOWN_TIER: 422,
  UNKNOWN_SCOPE: 422,
  MISSING_ESTIMATE: 422,
  MISSING_COST: 422,
  PRICES_NOT_CONFIGURED: 422,
  UNPRICED_MODEL: 422,
  INVALID_ROW: 422,
  UNKNOWN_SESSION: 404,
  UNKNOWN_HOLD: 404,
  UNKNOWN_DECISION: 404,
  UNKNOWN_LIMIT: 404,
  ID_REUSED: 409,
  ALREADY_ENDED: 409,
  HOLD_EXPIRED: 409,
  DUPLICATE_REQUEST: 409,
  BUDGET_EXCEEDED: 402,
  STORE_STALE: 503,
  STORE_UNAVAILABLE: 503,
  STORE_RESET: 503,
  CLOSED: 503,
}

/** A problem document. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: ProblemStatus
  readonly detail: string
  readonly code: string
}

/** What an error is told as. `isUnforeseen`: nobody has thought of it, and the log should have it. */
export interface ToldError {
  readonly document: ProblemDocument
  readonly headers: Readonly<Record<string, string>>
  readonly isUnforeseen: boolean
}

/**
 * An error as a problem. `prefix` is what stands before the caller's ids in the store (`/`: the operator, who may have named any tenant):
 * nobody knows them by it.
 */
export function tell(error: unknown, prefix = ''): ToldError {
  if (error instanceof Problem) return { document: documentOf(error.status, error.code, error.message), headers: error.headers, isUnforeseen: false }
  if (error instanceof HTTPException) return { document: ofFramework(error), headers: {}, isUnforeseen: false }
  if (error instanceof BudgetExceededError) {
    const document = problemOf(error.denial, undefined, { sharedBudgets: false })
    return { document: document as ProblemDocument, headers: {}, isUnforeseen: false }
  }
  if (!isBursarError(error)) return { document: documentOf(500, 'INTERNAL', 'The server failed. Its log says why.'), headers: {}, isUnforeseen: true }
  const status = STATUS[error.code] ?? 500
  // What a store says of itself is the operator's: addresses stand in it.
  const isOperators = status >= 500
  const detail = isOperators ? 'The store of the budgets does not answer. Repeat the request, with the same Idempotency-Key.' : overHttp(shown(error, prefix))
  return { document: documentOf(status, error.code, detail), headers: status === 503 ? { 'retry-after': '1' } : {}, isUnforeseen: isOperators }
}

/** The message with ids as the client knows them. */
function shown(error: BursarError, prefix: string): string {
  if (prefix === '') return error.message
  const { id } = error as { readonly id?: unknown }
  if (typeof id === 'string') {
    const bare = id.startsWith(prefix) ? id.slice(prefix.length) : prefix === '/' ? id.slice(id.indexOf('/') + 1) : id
    return error.message.replaceAll(`"${id}"`, `"${bare}"`)
  }
  return error.message.replaceAll(`"${prefix}`, '"')
}

/** What the framework refuses before a route is asked. */
function ofFramework({ status, message }: HTTPException): ProblemDocument {
  if (status === 415) return documentOf(415, 'UNSUPPORTED', 'content-type: is not application/json. Send JSON, and say so.')
  if (status === 413) return documentOf(413, 'TOO_LARGE', 'body: is too large. Send less.')
  return documentOf(400, 'MALFORMED', message === '' ? 'The request cannot be read.' : `${message}.`)
}

/** The media type of problem documents. */
export const PROBLEM_TYPE = 'application/problem+json'

/** A problem document as an answer. */
export function problemAnswer(document: ProblemDocument, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(document), { status: document.status, headers: { 'content-type': PROBLEM_TYPE, 'cache-control': 'no-store', ...headers } })
}

/** A document of one's own. */
export function documentOf(status: ProblemStatus, code: ProblemCode, detail: string): ProblemDocument {
  return { type: `urn:bursar:problem:${code.toLowerCase().replaceAll('_', '-')}`, title: TITLES[status], status, detail, code }
}
