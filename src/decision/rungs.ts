// Which models a request may get, what each is expected to cost, and what the request policies say of each: all that can be known
// before the windows are asked.

import type { EnforcementCallbacks, Policy, Verdict } from '../enforcement/index.js'
import { InvalidRequestError, MissingEstimateError, PricesNotConfigured } from '../errors/index.js'
import { parseCount, parseUsd, type Amounts, type Usd } from '../money/index.js'
import type { Ladder } from '../pricing/index.js'
import type { Clock } from '../time/index.js'
import type { Account } from '../tracker/index.js'
import { requestContext } from './request-context.js'
import type { CheckRequest, ParsedRequest } from './request.js'

/** One rung of a request's ladder. */
export interface Rung {
  readonly model: string | undefined
  readonly amounts: Amounts
  /** What the request policies said of it, in the order of registration. */
  readonly verdicts: readonly Verdict[]
}

/** The expected cost of a request on a model, in USD, alone or with tokens. */
export type Estimate = (request: CheckRequest, model: string | undefined) => Usd | { readonly cost: Usd; readonly tokens?: number | undefined }

/** What the rungs of a request depend on beside the request. */
export interface RungSources {
  readonly ladder: Ladder | undefined
  readonly estimate: Estimate | undefined
  readonly callbacks: EnforcementCallbacks
  readonly blocksWithoutCheaper: boolean
  readonly clock: Clock
}

/** The rungs of a request, rung 0 first. */
export interface Rungs {
  readonly rungs: readonly Rung[]
  /** Absent: no request policy refuses any rung. */
  readonly refused: readonly boolean[] | undefined
  /** A request policy says DEGRADE of rung 0. */
  readonly degrade: boolean
  /** DEGRADE has nothing cheaper to offer for this model, and the configuration says to block then. */
  readonly degradeBlocks: boolean
}

const NO_VERDICTS: readonly Verdict[] = Object.freeze([])

/**
 * Prepares the rungs. The ladder is walked only where something that judges this request can say DEGRADE (DESIGN 3.2). Throws
 * `MissingEstimateError` or `PricesNotConfigured` where a limited unit has no estimate.
 */
export function prepareRungs(request: ParsedRequest, account: Account, policies: readonly Policy<string>[], sources: RungSources): Rungs {
  const { model } = request.given
  const { ladder, estimate } = sources
  const amounts = estimateFirst(request, estimate, account)
  const first: Rung = { model, amounts, verdicts: askRequestPolicies(request, account, policies, sources, model, amounts) }
  const degrade = first.verdicts.some(isDegrade)
  const rungs = [first]
  let degradeBlocks = false
  if (ladder !== undefined && model !== undefined && (degrade || canDegrade(account))) {
    for (const cheaper of ladder.chain(model).slice(1)) {
      const above = (rungs.at(-1) as Rung).amounts
      const own = estimate === undefined ? undefined : readEstimate(estimate, request, cheaper)
      const estimated = { microcents: own?.microcents ?? above.microcents, tokens: own?.tokens ?? above.tokens }
      rungs.push({ model: cheaper, amounts: estimated, verdicts: askRequestPolicies(request, account, policies, sources, cheaper, estimated) })
    }
    degradeBlocks = sources.blocksWithoutCheaper && !ladder.knows(model)
  }
  const refused = policies.length === 0 ? undefined : rungs.map(({ verdicts }) => verdicts.some(isBlock))
  return { rungs, refused, degrade, degradeBlocks }
}

function askRequestPolicies(
  request: ParsedRequest,
  account: Account,
  policies: readonly Policy<string>[],
  { callbacks, clock }: RungSources,
  model: string | undefined,
  amounts: Amounts,
): readonly Verdict[] {
  if (policies.length === 0) return NO_VERDICTS
  const context = requestContext(request, account, model, [], amounts, clock())
  return policies.map((policy) => callbacks.ask(policy, context))
}

const isDegrade = (verdict: Verdict): boolean => verdict.action === 'DEGRADE'
const isBlock = (verdict: Verdict): boolean => verdict.action === 'BLOCK'

function estimateFirst(request: ParsedRequest, estimate: Estimate | undefined, account: Account): Amounts {
  const { given } = request
  const own = given.estimatedCost === undefined && estimate !== undefined ? readEstimate(estimate, request, given.model) : undefined
  const microcents = given.estimatedCost === undefined ? own?.microcents : parseUsd(given.estimatedCost, 'estimatedCost', 'round-up')
  const limitsTokens = account.scopes.some(({ budget }) => budget.limitsTokens)
  const tokens = request.tokens ?? (own ?? (limitsTokens && estimate !== undefined ? readEstimate(estimate, request, given.model) : undefined))?.tokens
  if (microcents === undefined && account.scopes.some(({ budget }) => budget.limitsMoney)) throw missingCost(given)
  if (tokens === undefined && limitsTokens) {
    throw new MissingEstimateError('inputTokens, maxOutputTokens: a token limit applies, and the request does not say how many tokens it may use. Give both (0 where there are none).')
  }
  return { microcents: microcents ?? 0, tokens: tokens ?? 0 }
}

function missingCost(given: CheckRequest): MissingEstimateError | PricesNotConfigured {
  if (given.inputTokens !== undefined || given.maxOutputTokens !== undefined) {
    return new PricesNotConfigured('inputTokens: tokens were given where money is limited, and no prices are configured. Give estimatedCost in USD, or the option estimate(request, model).')
  }
  return new MissingEstimateError('estimatedCost: is missing. Give the expected cost in USD (0 asks only whether the budget is exhausted), or configure estimate(request, model).')
}

function readEstimate(estimate: Estimate, request: ParsedRequest, model: string | undefined): { microcents: number; tokens: number | undefined } {
  const field = `estimate(${model ?? 'no model'})`
  const estimated: unknown = estimate(request.given, model)
  if (typeof estimated !== 'object' || estimated === null) return { microcents: parseUsd(estimated, field, 'round-up'), tokens: undefined }
  if (estimated instanceof Promise) {
    estimated.catch(() => {})
    throw new InvalidRequestError(`${field}: returned a promise. Estimates are synchronous: load what they need beforehand.`)
  }
  const { cost, tokens } = estimated as { cost?: unknown; tokens?: unknown }
  return { microcents: parseUsd(cost, `${field}.cost`, 'round-up'), tokens: tokens === undefined ? undefined : parseCount(tokens, `${field}.tokens`) }
}

function canDegrade(account: Account): boolean {
  return account.scopes.some(({ budget }) => budget.canDegrade)
}
