// Budgets for Express, and for plain servers of Node's: the middleware and its error handler, by the shapes of requests and responses.

import type { Bursar } from '../bursar.js'
import type { AllowedDecision } from '../decision/index.js'
import { HttpBudget, passesUnchecked, type HttpBudgetOptions } from './http.js'
import type { ProblemAnswer } from './problem.js'

export type { HttpBudgetOptions, HttpCheck } from './http.js'
export type { IdentityOf } from './identity-of.js'
export type { BudgetProblem } from './problem.js'

declare global {
  // What @types/express has for whoever adds to a request; without that package it is an interface that nobody reads.
  // oxlint-disable-next-line typescript/no-namespace
  namespace Express {
    interface Request {
      /** The decision on the request: behind the middleware `budget` of bursar/express, and not for OPTIONS. */
      budget?: AllowedDecision | undefined
    }
  }
}

/** What is read of a request; the middleware sets `budget`. Express' own `Request` has it too, as soon as this file is imported. */
export interface BudgetRequest {
  readonly method?: string | undefined
  /** Whether the client has left before its request was read. */
  readonly aborted?: boolean | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  budget?: AllowedDecision | undefined
}

/** What is called of a response. */
export interface BudgetResponse {
  statusCode: number
  readonly headersSent: boolean
  /** Whether all of it is said, its connection is closed, or gone. */
  readonly writableEnded?: boolean | undefined
  readonly closed?: boolean | undefined
  readonly destroyed?: boolean | undefined
  setHeader(name: string, value: string): unknown
  removeHeader(name: string): unknown
  end(text: string): unknown
  once(event: 'close', listener: () => void): unknown
}

/** Goes on with the next handler, or with what handles errors. */
export type Next = (error?: unknown) => void

/** How a refusal in the handlers of a request is answered: set by the middleware, used by {@link budgetErrors}. */
const answers = new WeakMap<object, (error: unknown) => ProblemAnswer | undefined>()

/**
 * A middleware for Express: `app.use('/chat', budget(bursar, { identity: (req: Request) => ({ userId: userOf(req) }) }))`, where `Request`
 * is that of express (a function that says nothing of its type gets a {@link BudgetRequest}). The request is checked, and what comes
 * after it runs as its user, with the decision in `req.budget`. A refusal becomes its status with a problem document; for a
 * `BudgetExceededError` of a call in a handler, mount {@link budgetErrors} behind the routes. When the answer is sent, or the client has
 * gone, a decision that nobody ended is abandoned: what it metered is settled, else its hold is released. For a client that has gone
 * before, nothing is asked and nothing more is called. OPTIONS passes without a question, an identity and a decision. Throws
 * `InvalidConfigError` for options that cannot work.
 */
export function budget<Tier extends string, Group extends string, Req extends object = BudgetRequest>(
  bursar: Bursar<Tier, Group>,
  options: HttpBudgetOptions<Req, NoInfer<Tier>, NoInfer<Group>>,
): (request: Req, response: BudgetResponse, next: Next) => Promise<void> {
  const http = new HttpBudget(bursar, options, 'express')
  return async (request, response, next) => {
    if (passesUnchecked((request as BudgetRequest).method)) return next()
    // Its `close` may have come, and would end no hold.
    if (isOver(request as BudgetRequest, response)) return
    let decision: AllowedDecision | undefined
    let isClosed = false
    response.once('close', () => {
      isClosed = true
      void decision?.giveUp()
    })
    let run: (handler: () => void) => void
    try {
      const opened = await http.open(request)
      run = opened.run
      if (!opened.decision.allowed) {
        if (!isOver(request as BudgetRequest, response)) send(response, http.answerTo(opened.decision.toDenial(), opened.decision))
        return
      }
      decision = opened.decision
    } catch (error) {
      return next(error)
    }
    const admitted = decision
    // The client has gone in the meantime: nothing is to be done for it.
    if (isClosed || isOver(request as BudgetRequest, response)) return admitted.giveUp()
    ;(request as BudgetRequest).budget = admitted
    answers.set(request, (error) => http.answerToError(error, admitted))
    for (const [name, value] of Object.entries(http.fieldsOf(admitted))) response.setHeader(name, value)
    run(() => next())
  }
}

/** True where nobody waits for an answer any more. */
function isOver({ aborted }: BudgetRequest, { writableEnded, closed, destroyed }: BudgetResponse): boolean {
  return aborted === true || writableEnded === true || closed === true || destroyed === true
}

/**
 * Handles errors behind the routes: `app.use(budgetErrors)`. A `BudgetExceededError` of a request that {@link budget} let through, also
 * within an error of an SDK, becomes its status with a problem document; every other error, and one that comes when the answer has
 * begun, goes on.
 */
export function budgetErrors(error: unknown, request: object, response: BudgetResponse, next: Next): void {
  const answer = response.headersSent ? undefined : answers.get(request)?.(error)
  if (answer === undefined) next(error)
  else send(response, answer)
}

function send(response: BudgetResponse, { status, headers, body }: ProblemAnswer): void {
  response.statusCode = status
  // What a handler has said of an answer that it did not give.
  for (const name of ['content-length', 'content-encoding', 'etag', 'last-modified']) response.removeHeader(name)
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
  response.end(body)
}
