// Budgets for handlers of the Fetch API: Next.js, Deno, Bun, Cloudflare, and whatever else gives a Request and takes a Response.

import type { Bursar } from '../bursar.js'
import type { AllowedDecision } from '../decision/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { HttpBudget, type HttpBudgetOptions } from './http.js'
import { endingWith, nobodyThere, problemResponse } from './responses.js'

export type { HttpBudgetOptions, HttpCheck } from './http.js'
export type { IdentityOf } from './identity-of.js'
export type { BudgetProblem } from './problem.js'

/** What runs under a budget; `rest` is what the framework gives beside the request. */
export type BudgetedHandler<Req extends Request, Rest extends unknown[]> = (request: Req, decision: AllowedDecision, ...rest: Rest) => Response | Promise<Response>

const decisions = new WeakMap<Request, AllowedDecision>()

/** The decision on a request, for code that is given the request alone; `undefined` outside of {@link budgeted}. */
export function decisionOf(request: Request): AllowedDecision | undefined {
  return decisions.get(request)
}

/**
 * Wraps a handler of the Fetch API: `export const POST = budgeted(bursar, { identity }, async (request, decision) => …)`. The request is
 * checked, and the handler runs as its user. A refusal, of the request or (as `BudgetExceededError`) of a call in the handler, becomes its
 * status with a problem document. When the whole answer is sent, or the client has gone, a decision that the handler did not end is
 * abandoned: what it metered is settled, else its hold is released. Other errors of the handler are passed on; one that answers with no
 * Response is an `InvalidConfigError`. Every method is checked: answer OPTIONS of a browser's preflight, which has no credentials, before
 * it. Throws `InvalidConfigError` for options that cannot work.
 */
export function budgeted<Tier extends string, Group extends string, Req extends Request = Request, Rest extends unknown[] = []>(
  bursar: Bursar<Tier, Group>,
  options: HttpBudgetOptions<Req, NoInfer<Tier>, NoInfer<Group>>,
  handler: BudgetedHandler<Req, Rest>,
): (request: Req, ...rest: Rest) => Promise<Response> {
  const budget = new HttpBudget(bursar, options, 'fetch')
  return async (request, ...rest) => {
    const opened = await budget.open(request)
    const { decision } = opened
    if (!decision.allowed) return problemResponse(budget.answerTo(decision.toDenial(), decision))
    if (request.signal.aborted) {
      await decision.giveUp()
      return nobodyThere()
    }
    decisions.set(request, decision)
    try {
      const response: unknown = await opened.run(() => handler(request, decision, ...rest))
      if (!isResponse(response)) throw noResponse(response, handler.name)
      return await endingWith(response, request, budget.fieldsOf(decision), () => decision.giveUp())
    } catch (error) {
      await decision.giveUp()
      const answer = budget.answerToError(error, decision)
      if (answer === undefined) throw error
      return problemResponse(answer)
    }
  }
}

/** By its shape: a framework may bring a Response of its own. */
function isResponse(value: unknown): value is Response {
  return typeof value === 'object' && value !== null && 'body' in value && 'headers' in value && typeof (value as { readonly status?: unknown }).status === 'number'
}

function noResponse(value: unknown, name: string): InvalidConfigError {
  const what = typeof value === 'object' && value !== null ? 'an object' : String(value)
  return new InvalidConfigError(`fetch.handler: ${name === '' ? 'it' : `"${name}"`} answered with ${what}, which is no Response. Return one on every path, such as new Response(null, { status: 204 }).`)
}
