// Budgets for Hono: the middleware, by the shape of Hono's context.

import type { Bursar } from '../bursar.js'
import type { AllowedDecision } from '../decision/index.js'
import { HttpBudget, passesUnchecked, type HttpBudgetOptions } from './http.js'
import type { ProblemAnswer } from './problem.js'
import { endingWith, nobodyThere, problemResponse } from './responses.js'

export type { HttpBudgetOptions, HttpCheck } from './http.js'
export type { IdentityOf } from './identity-of.js'
export type { BudgetProblem } from './problem.js'

/** What is called of Hono's context, and what an identity can be read from; a function that needs more says so: `(c: Context) => …`. */
export interface HonoContext {
  readonly req: { readonly raw: Request; readonly path: string; readonly method: string; header(name: string): string | undefined; query(name: string): string | undefined }
  res: Response
  error: Error | undefined
  /** Whether somebody has answered. */
  readonly finalized: boolean
  // What other middlewares have set, each of its own type.
  // oxlint-disable-next-line typescript/no-explicit-any
  get(key: string): any
  set(key: 'budget', decision: AllowedDecision): void
}

/** For `new Hono<{ Variables: BudgetVariables }>()`: what `c.get('budget')` gives behind the middleware, to all but OPTIONS. */
export interface BudgetVariables {
  budget: AllowedDecision
}

/**
 * A middleware for Hono: `app.use('/chat', budget(bursar, { identity: (c) => ({ userId: c.get('user').id }) }))`. The request is checked,
 * and what comes after it runs as its user, with the decision in `c.get('budget')`. A refusal becomes its status with a problem document:
 * of the request, or (as `BudgetExceededError`) of a call in a handler, unless `app.onError` has answered that with another status than
 * 500. When the whole answer is sent, or the client has gone, a decision that nobody ended is abandoned: what it metered is settled, else
 * its hold is released. OPTIONS passes without a question, an identity and a decision. Throws `InvalidConfigError` for options that
 * cannot work.
 */
export function budget<Tier extends string, Group extends string, Context extends HonoContext = HonoContext>(
  bursar: Bursar<Tier, Group>,
  options: HttpBudgetOptions<Context, NoInfer<Tier>, NoInfer<Group>>,
): (context: Context, next: () => Promise<void>) => Promise<Response | undefined> {
  const http = new HttpBudget(bursar, options, 'hono')
  return async (context, next) => {
    if (passesUnchecked(context.req.method)) {
      await next()
      return undefined
    }
    const { decision, run } = await http.open(context)
    if (!decision.allowed) return problemResponse(http.answerTo(decision.toDenial(), decision))
    if (context.req.raw.signal.aborted) {
      await decision.giveUp()
      return nobodyThere()
    }
    context.set('budget', decision)
    try {
      await run(next)
      // Hono says what is wrong with a handler that has answered nothing; to read its answer would make one.
      if (!context.finalized) {
        await decision.giveUp()
        return undefined
      }
      // Hono has given the error to its onError before anybody else hears of it; what answers nothing in particular says 500.
      const answer = context.res.status === 500 ? http.answerToError(context.error, decision) : undefined
      const response = answer === undefined ? context.res : replaced(context.res, answer)
      const ending = await endingWith(response, context.req.raw, http.fieldsOf(decision), () => decision.giveUp())
      // Set over another response, Hono would lay the other's header fields over this one's.
      context.res = undefined as unknown as Response
      context.res = ending
    } catch (error) {
      await decision.giveUp()
      throw error
    }
    return undefined
  }
}

/** The answer with the other header fields of the one that it replaces: those that other middlewares have set. */
function replaced({ headers }: Response, { status, headers: own, body }: ProblemAnswer): Response {
  const all = new Headers(headers)
  for (const name of ['content-length', 'content-encoding', 'etag', 'last-modified']) all.delete(name)
  for (const [name, value] of Object.entries(own)) all.set(name, value)
  return new Response(body, { status, headers: all })
}
