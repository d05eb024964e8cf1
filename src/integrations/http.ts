// One HTTP request under a budget, whatever the framework: who asks, the check, and what is told. The shells around it (fetch, hono,
// express) know how their framework answers, and nothing of budgets.

import type { Bursar } from '../bursar.js'
import { assertMayCall, type AllowedDecision, type CheckRequest, type Decision, type Denial, type Identity } from '../decision/index.js'
import type { EnforcementContext, ScopeId } from '../enforcement/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { assertKnownFields } from '../tracker/index.js'
import { identityReader, type IdentityOf } from './identity-of.js'
import { denialOf, problemAnswer, refusalOf, type Disclosure, type ProblemAnswer } from './problem.js'
import { rateLimitFields } from './rate-limit-fields.js'

/** What is asked before a handler runs: a request without what the identity says. */
export type HttpCheck = Omit<CheckRequest, 'userId' | 'userTier' | 'tenant' | 'sessionId' | 'scopes' | 'idempotencyKey'>

/** Options of the HTTP integrations. */
export interface HttpBudgetOptions<Call, Tier extends string = string, Group extends string = string> {
  /**
   * Whose request it is: a value, or a function of the request. It is in force in all that the handler does (`bursar.runAs`): wrapped
   * clients in it need none. A function that gives no identity is an error: refuse who is not known before, or throw what your framework
   * answers with 401.
   */
  readonly identity: IdentityOf<Call, Tier, Group>
  /**
   * What to ask for the request itself: a value, or a function of the request. Default: no money and no tokens, which asks only whether a
   * budget is exhausted; windows of requests do not count that. The calls in the handler are asked for on their own. A request that you give
   * is counted as one beside them, and its hold is not extended: give `holdTtl` where answers take long.
   */
  readonly request?: HttpCheck | ((call: Call) => HttpCheck | Promise<HttpCheck>) | undefined
  /**
   * Whether answers have the `RateLimit` fields, which tell the limits of the user's own budgets and what was left of them when the request
   * came, less what it holds itself: by default nothing. What the calls of the handler hold and spend is not in it. Default true.
   */
  readonly rateLimit?: boolean | undefined
  /**
   * Whether a refusal tells limit and use of budgets that are shared with others, and what would still fit where such a budget takes part.
   * Default false.
   */
  readonly sharedBudgets?: boolean | undefined
}

/** A request that was decided on. */
export interface OpenedRequest {
  readonly decision: Decision
  /** Runs the handler as the one who asks. */
  run<Result>(handler: () => Result): Result
}

const OPTIONS = ['identity', 'request', 'rateLimit', 'sharedBudgets']
const NOTHING: HttpCheck = Object.freeze({ estimatedCost: 0, inputTokens: 0, maxOutputTokens: 0 })

/**
 * True for what no middleware asks a budget for: OPTIONS. A browser's preflight has no credentials, so nobody could say whose it is, and
 * an answer other than the handler's own would keep the real request from coming.
 */
export function passesUnchecked(method: string | undefined): boolean {
  return method === 'OPTIONS'
}

/** Not the user's own. */
const SOMEBODY_ELSES: ScopeId = Object.freeze({ kind: 'another user', id: '' })

function isSameUser(a: EnforcementContext, b: EnforcementContext): boolean {
  return a.userId === b.userId && a.tenant === b.tenant
}

/** True for a denial that names a user who is not this one. */
function isOthers({ scope }: Denial, { userId, tenant }: EnforcementContext): boolean {
  return scope?.kind === 'user' && (scope.id !== userId || scope.tenant !== tenant)
}

/** What all HTTP integrations do. */
export class HttpBudget<Call, Tier extends string, Group extends string> {
  readonly #bursar: Bursar<Tier, Group>
  readonly #identityOf: (call: Call) => Promise<Identity<Tier, Group> | undefined>
  readonly #request: HttpBudgetOptions<Call>['request']
  readonly #disclosure: Disclosure

  /** Throws `InvalidConfigError` or `InvalidRequestError` for options that cannot work. `where` names the integration. */
  constructor(bursar: Bursar<Tier, Group>, options: HttpBudgetOptions<Call, Tier, Group>, where: string) {
    assertKnownFields(options, OPTIONS, where)
    const { identity, request = NOTHING, rateLimit = true, sharedBudgets = false } = options
    if (identity === undefined) throw new InvalidConfigError(`${where}.identity: is missing. Give { userId }, or a function of the request that gives it.`)
    this.#bursar = bursar
    this.#identityOf = identityReader<Call, Tier, Group>(identity)
    this.#request = request
    this.#disclosure = { rateLimit, sharedBudgets }
  }

  /** Decides on a request. Rejects for what is wrong with the options' answers, as `check` does; then nothing is held. */
  async open(call: Call): Promise<OpenedRequest> {
    const identity = (await this.#identityOf(call)) as Identity<Tier, Group>
    const request = typeof this.#request === 'function' ? await this.#request(call) : (this.#request as HttpCheck)
    const run = <Result>(handler: () => Result): Result => this.#bursar.runAs(identity, handler)
    const decision = await run(() => this.#bursar.check(request as CheckRequest<Tier, Group>, { countRequest: request !== NOTHING }))
    // A repeat has no hold of its own, and must not end that of the first.
    return { decision: decision.allowed ? assertMayCall(decision) : decision, run }
  }

  /** The answer to an error of a handler, where it is a refusal or has one in it: by the windows that refused, or those of the request. */
  answerToError(error: unknown, admitted: AllowedDecision): ProblemAnswer | undefined {
    const denial = denialOf(error)
    if (denial === undefined) return undefined
    const refused = refusalOf(error)
    if (refused === undefined ? !isOthers(denial, admitted.context) : isSameUser(refused.context, admitted.context)) return this.answerTo(denial, refused ?? admitted)
    // A call for somebody else was refused: that is all that this user hears.
    return problemAnswer({ ...denial, scope: SOMEBODY_ELSES }, admitted, { ...this.#disclosure, sharedBudgets: false })
  }

  /** The answer to a refusal. */
  answerTo(denial: Denial, decision: Decision): ProblemAnswer {
    return problemAnswer(denial, decision, this.#disclosure)
  }

  /**
   * The header fields of an answer that is no refusal: how the user's own windows stood when the request came, less what it holds itself.
   * They are sent before a handler has ended: its calls are not in them.
   */
  fieldsOf({ windows, context }: AllowedDecision): Readonly<Record<string, string>> {
    return this.#disclosure.rateLimit ? rateLimitFields(windows, context.now.getTime(), { isAdmitted: true }) : {}
  }
}
