// Which models a request may get, what each is expected to cost, and what the request policies say of each: all that can be known
// before the windows are asked.

import { isRequestPolicy, type EnforcementCallbacks, type Verdict } from '../enforcement/index.js'
import { InvalidRequestError, MissingEstimateError, PricesNotConfigured } from '../errors/index.js'
import { parseCount, parseUsd, type Amounts, type Unit, type Usd } from '../money/index.js'
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
export function prepareRungs(request: ParsedRequest, account: Account, sources: RungSources): Rungs {
  const { given } = request
  const { ladder, callbacks } = sources
  const needed = limitedUnits(account)
  const policies = callbacks.policies.filter(isRequestPolicy)
  const ask = (model: string | undefined, amounts: Amounts): readonly Verdict[] => {
    if (policies.length === 0) return NO_VERDICTS
    const context = requestContext(request, account, model, [], amounts, sources.clock())
    return policies.map((policy) => callbacks.ask(policy, context))
  }
  const amounts = estimateFirst(request, sources.estimate, needed)
  const first: Rung = { model: given.model, amounts, verdicts: ask(given.model, amounts) }
  const degrade = first.verdicts.some((verdict) => verdict.action === 'DEGRADE')
  const walks = degrade || canDegrade(account)
  const rungs = [first]
  if (walks && ladder !== undefined && given.model !== undefined) {
    for (const model of ladder.chain(given.model).slice(1)) rungs.push(cheaperRung(model, rungs.at(-1) as Rung, request, sources.estimate, ask))
  }
  const refused = policies.length === 0 ? undefined : rungs.map((rung) => rung.verdicts.some((verdict) => verdict.action === 'BLOCK'))
  const stranded = walks && ladder !== undefined && given.model !== undefined && !ladder.knows(given.model)
  return { rungs, refused, degrade, degradeBlocks: stranded && sources.blocksWithoutCheaper }
}

function cheaperRung(model: string, above: Rung, request: ParsedRequest, estimate: Estimate | undefined, ask: (model: string, amounts: Amounts) => readonly Verdict[]): Rung {
  const own = estimate === undefined ? undefined : readEstimate(estimate, request, model)
  const amounts = { microcents: own?.microcents ?? above.amounts.microcents, tokens: own?.tokens ?? above.amounts.tokens }
  return { model, amounts, verdicts: ask(model, amounts) }
}

function estimateFirst(request: ParsedRequest, estimate: Estimate | undefined, needed: ReadonlySet<Unit>): Amounts {
  const { given } = request
  const own = given.estimatedCost === undefined && estimate !== undefined ? readEstimate(estimate, request, given.model) : undefined
  const microcents = given.estimatedCost === undefined ? own?.microcents : parseUsd(given.estimatedCost, 'estimatedCost', 'round-up')
  const tokens = request.tokens ?? own?.tokens
  if (microcents === undefined && needed.has('usd')) throw missingCost(given)
  if (tokens === undefined && needed.has('tokens')) {
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

function limitedUnits(account: Account): ReadonlySet<Unit> {
  const units = new Set<Unit>()
  for (const { windows } of account.scopes) for (const { limit, unit } of windows) if (limit !== null) units.add(unit)
  return units
}

function canDegrade(account: Account): boolean {
  return account.scopes.some(({ windows }) => windows.some(({ degrade }) => degrade !== null))
}
