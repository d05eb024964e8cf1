// Which models a request may get, what each is expected to cost, and what the request policies say of each: all that can be known
// before the windows are asked.

import type { EnforcementCallbacks, Policy, Verdict } from '../enforcement/index.js'
import { InvalidRequestError, MissingEstimateError } from '../errors/index.js'
import { modelVerdict } from '../limits/index.js'
import { describeAmount, parseCount, parseUsd, type Amounts, type Usd } from '../money/index.js'
import { mostOutput, type Ladder, type Price } from '../pricing/index.js'
import { assertInstant, type Clock } from '../time/index.js'
import type { Account } from '../tracker/index.js'
import { requestContext } from './request-context.js'
import type { CallCaps, IdentifiedRequest, ParsedRequest } from './request.js'
import type { Tariff } from './tariff.js'

/** One rung of a request's ladder. */
export interface Rung {
  readonly model: string | undefined
  readonly amounts: Amounts
  /** Whose price the model has: the request's provider, or (a cheaper model of another one) nobody's in particular. */
  readonly provider: string | undefined
  /** The price that the amounts come from, where they come from tokens. */
  readonly price: Price | undefined
  /** What the request policies said of it, in the order of registration. */
  readonly verdicts: readonly Verdict[]
}

/** The expected cost of a request on a model, in USD, alone or with tokens. */
export type Estimate = (request: IdentifiedRequest, model: string | undefined) => Usd | { readonly cost: Usd; readonly tokens?: number | undefined }

/** What the rungs of a request depend on beside the request. */
export interface RungSources {
  readonly ladder: Ladder | undefined
  readonly estimate: Estimate | undefined
  readonly tariff: Tariff
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
const NO_PRICES = 'inputTokens: tokens were given where money is limited, and no prices are configured. Give estimatedCost in USD, or configure prices (priceBook() of bursar/prices) or estimate(request, model).'

/**
 * Prepares the rungs. The ladder is walked only where something that judges this request can say DEGRADE (DESIGN 3.2). Throws
 * `MissingEstimateError`, `PricesNotConfigured` or `UnpricedModelError` where a limited unit has no estimate.
 */
export function prepareRungs(request: ParsedRequest, account: Account, policies: readonly Policy<string>[], sources: RungSources): Rungs {
  const { model } = request.given
  const { ladder, estimate } = sources
  const { amounts, price } = estimateFirst(request, sources, account)
  const first: Rung = { model, provider: request.given.provider, amounts, price, verdicts: askRequestPolicies(request, account, policies, sources, model, amounts) }
  const degrade = first.verdicts.some(isDegrade)
  const rungs = [first]
  let degradeBlocks = false
  if (ladder !== undefined && model !== undefined && (degrade || canDegrade(account))) {
    const { provider, tenant } = request.given
    const name = ladder.nameOf(model, { provider, tenant })
    for (const cheaper of ladder.chain(name ?? model).slice(1)) {
      const above = (rungs.at(-1) as Rung).amounts
      const lower = estimate === undefined ? pricedRung(request, sources, cheaper) : undefined
      // What would cost more on a lower rung (long calls may) has no use for it.
      if (lower !== undefined && lower.amounts.microcents > above.microcents) continue
      const own = estimate === undefined ? lower?.amounts : readEstimate(estimate, request, cheaper)
      const estimated = { microcents: own?.microcents ?? above.microcents, tokens: own?.tokens ?? above.tokens }
      rungs.push({ model: cheaper, provider: lower === undefined ? request.given.provider : lower.provider, amounts: estimated, price: lower?.price, verdicts: askRequestPolicies(request, account, policies, sources, cheaper, estimated) })
    }
    degradeBlocks = sources.blocksWithoutCheaper && name === undefined
  }
  const refused = policies.length === 0 && request.caps === undefined && account.models === undefined ? undefined : rungs.map(({ verdicts }) => verdicts.some(isBlock))
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
  const beyond = ownVerdicts(request, account, model, amounts)
  if (policies.length === 0) return beyond
  const context = requestContext(request, account, model, [], amounts, clock())
  const said = policies.map((policy) => callbacks.ask(policy, context))
  return beyond.length === 0 ? said : [...said, ...beyond]
}

/** What no policy says: the tenant's models, and the request's own caps. */
function ownVerdicts(request: ParsedRequest, { models }: Account, model: string | undefined, amounts: Amounts): readonly Verdict[] {
  if (models === undefined && request.caps === undefined) return NO_VERDICTS
  const said = [models && modelVerdict(models, model, request.user.tenant), request.caps && capVerdict(request.caps, amounts)]
  return said.filter((verdict) => verdict !== undefined)
}

/** What the request's own caps say of a rung. */
function capVerdict({ microcents, tokens }: CallCaps, amounts: Amounts): Verdict | undefined {
  const dear = microcents !== undefined && amounts.microcents > microcents
  if (!dear && (tokens === undefined || amounts.tokens <= tokens)) return undefined
  const [unit, cap, amount] = dear ? (['usd', microcents, amounts.microcents] as const) : (['tokens', tokens as number, amounts.tokens] as const)
  return Object.freeze({ policy: dear ? 'maxCost' : 'maxTokens', action: 'BLOCK', reason: `the call may use ${describeAmount(unit, amount)}, and its cap is ${describeAmount(unit, cap)}` })
}

/** A lower rung by its price, where the request says its tokens; a model without one takes the rung above it. */
function pricedRung(request: ParsedRequest, { tariff, clock }: RungSources, model: string): (Estimated & { readonly provider: string | undefined }) | undefined {
  const { given, inputTokens } = request
  if (inputTokens === undefined || !tariff.isConfigured) return undefined
  const query = { model, tenant: given.tenant, at: assertInstant(clock(), 'clock') }
  // A cheaper model may be another provider's.
  const own = tariff.book?.find({ ...query, provider: given.provider })
  const price = own ?? tariff.find(query)
  return price === undefined ? undefined : { amounts: amountsAt(price, request), price, provider: own === undefined ? undefined : given.provider }
}

const isDegrade = (verdict: Verdict): boolean => verdict.action === 'DEGRADE'
const isBlock = (verdict: Verdict): boolean => verdict.action === 'BLOCK'

/** Amounts, and the price that they come from. */
interface Estimated {
  readonly amounts: Amounts
  readonly price: Price | undefined
}

function estimateFirst(request: ParsedRequest, sources: RungSources, account: Account): Estimated {
  const { given } = request
  const { estimate } = sources
  const own = given.estimatedCost === undefined && estimate !== undefined ? readEstimate(estimate, request, given.model) : undefined
  const limitsTokens = account.scopes.some(({ budget }) => budget.limitsTokens)
  const limitsMoney = account.scopes.some(({ budget }) => budget.limitsMoney)
  if (given.estimatedCost === undefined && own === undefined) {
    const priced = priceFirst(request, sources, limitsMoney)
    if (priced !== undefined) return priced
  }
  const microcents = given.estimatedCost === undefined ? own?.microcents : parseUsd(given.estimatedCost, 'estimatedCost', 'round-up')
  const tokens = request.tokens ?? (own ?? (limitsTokens && estimate !== undefined ? readEstimate(estimate, request, given.model) : undefined))?.tokens
  if (microcents === undefined && (limitsMoney || request.caps?.microcents !== undefined)) {
    throw new MissingEstimateError('estimatedCost: is missing. Give the expected cost in USD (0 asks only whether the budget is exhausted), inputTokens and a model with a price, or configure estimate(request, model).')
  }
  if (tokens === undefined && (limitsTokens || request.caps?.tokens !== undefined)) {
    throw new MissingEstimateError('inputTokens, maxOutputTokens: a token limit or maxTokens applies, and the request does not say how many tokens it may use. Give both (0 where there are none).')
  }
  return { amounts: { microcents: microcents ?? 0, tokens: tokens ?? 0 }, price: undefined }
}

/** The estimate of a request that brings tokens alone; `undefined` where it brings none, or nothing that has a limit needs a price. */
function priceFirst(request: ParsedRequest, { tariff, clock }: RungSources, limitsMoney: boolean): Estimated | undefined {
  const { given, inputTokens, maxOutputTokens } = request
  if (inputTokens === undefined && maxOutputTokens === undefined) return undefined
  if (!tariff.isConfigured && !limitsMoney && request.caps?.microcents === undefined) return undefined
  if (inputTokens === undefined) throw new MissingEstimateError('inputTokens: is missing beside maxOutputTokens. Give the most tokens that the call reads: tokensAtMost(text) is an upper bound for a text.')
  if (given.model === undefined && tariff.isConfigured) throw new MissingEstimateError('model: is missing, and the price of inputTokens depends on it. Name the model, or give estimatedCost in USD.')
  const price = tariff.priceOf({ model: given.model ?? '', provider: given.provider, tenant: given.tenant, at: assertInstant(clock(), 'clock') }, NO_PRICES)
  return { amounts: amountsAt(price, request), price }
}

/** The most that a request can use on a model of that price; `output` instead of its own maximum. */
export function amountsAt(price: Price, { given, inputTokens = 0, maxOutputTokens }: ParsedRequest, output = maxOutputTokens): Amounts {
  const most = output ?? mostOutput(price)
  return { microcents: price.mostFor(inputTokens, most, given.tokenKinds), tokens: parseCount(inputTokens + most, 'inputTokens + maxOutputTokens') }
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
