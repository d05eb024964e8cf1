// One request between the store's reply and the decision: which action it comes to, and everything that may be asked about it
// later. Works on what was read; asks no store.

import { combineVerdicts, describeScope, hits, isThresholdPolicy, mostSevere, percentOf, type EnforcementAction, type EnforcementContext, type Verdict } from '../enforcement/index.js'
import { amountIn, toPublic, toUsd } from '../money/index.js'
import type { Placement } from '../outage/index.js'
import type { PriceQuery } from '../pricing/index.js'
import { READING_SIZE, type Admitted, type Freeing, type Refused } from '../store/index.js'
import { NEVER } from '../time/index.js'
import { largestFitting, namedScopes, windowViews, type JudgedScope, type JudgedWindow } from '../tracker/index.js'
import { DENIAL_STATUS, errorWord, offerFor, type Denial, type DenialCode, type Offers } from './denial.js'
import type { Basis, EnforcedBy } from './decision.js'
import { explanationOf, type Explanation } from './explanation.js'
import { chargeFacts, type Question } from './question.js'
import { requestContext } from './request-context.js'
import { fittingText, refusalText } from './refusal-text.js'
import { endsWithItsScope, fitsAllAt, lastingLongest, refusalsOf, type Refusal } from './retry.js'
import { amountsAt, type Rung } from './rungs.js'
import { slimmer } from './slim.js'
import { collectVerdicts } from './verdicts.js'

const BY_SHARE = 'The budget store is away: this process decides by its share of what was left, and counts the rest as used.'
const UNAVAILABLE = 'The budget store is not available, and this request is not allowed without it (onStoreError). Try again, with a new idempotencyKey if one was given.'
const RESET = "The budget store has lost its data, and no request is allowed until it is repaired from the ledger with tracker.audit({ repair: 'counters' }), or the loss is accepted with store.acceptReset()."
const NO_FREEING: ReadonlyMap<number, readonly Freeing[]> = new Map()

/** A request with the store's answer. What may be asked of it is worked out when it is asked for. */
export class Assessment implements Basis {
  readonly enforcedBy: EnforcedBy
  isSettled = false
  action: 'ALLOW' | 'WARN' | 'DEGRADE' | undefined
  readonly #question: Question
  readonly #answer: Admitted | Refused
  /** The chosen rung; 0 when refused. */
  readonly #rung: number
  #context: EnforcementContext | undefined
  #verdicts: readonly Verdict[] | undefined

  constructor(question: Question, answer: Admitted | Refused, enforcedBy: EnforcedBy) {
    this.enforcedBy = enforcedBy
    this.#question = question
    this.#answer = answer
    this.#rung = answer.outcome === 'admitted' ? answer.rung : 0
  }

  get id(): string {
    return this.#question.id
  }

  get sessionId(): string | undefined {
    return this.#question.request.given.sessionId
  }

  get isDryRun(): boolean {
    return this.#question.request.isDryRun
  }

  /** The scope ids by kind that the request named. */
  get scopes(): Readonly<Record<string, string>> | undefined {
    return namedScopes(this.#question.request.given.scopes)
  }

  get requestedModel(): string | undefined {
    return this.#question.request.given.model
  }

  get replayed(): boolean {
    return this.#answer.outcome === 'admitted' && this.#answer.replay !== undefined
  }

  get rungs(): readonly Rung[] {
    return this.#question.prepared.rungs
  }

  priced(): Omit<PriceQuery, 'model'> & { readonly model: string | undefined } {
    const { user } = this.#question.request
    return { model: this.rung.model, provider: this.rung.provider, tenant: user.tenant, at: this.#answer.now }
  }

  placement(): Placement {
    const { request, account, prepared, spending = account } = this.#question
    return { scopes: spending.scopes, facts: chargeFacts(request, spending, prepared), idGiven: request.given.idempotencyKey !== undefined }
  }

  /** The rung that counts: the chosen one, or the one asked for where all are refused. */
  get rung(): Rung {
    return this.rungs[this.#rung] as Rung
  }

  context(): EnforcementContext {
    if (this.#context !== undefined) return this.#context
    const { request, account } = this.#question
    const { readings, now } = this.#answer
    const { model, amounts } = this.rung
    this.#context = requestContext(request, account, model, windowViews(account.scopes, readings, amounts), amounts, now)
    return this.#context
  }

  verdicts(): readonly Verdict[] {
    if (this.#verdicts !== undefined) return this.#verdicts
    const { account, policies, prepared, callbacks } = this.#question
    const judged = { context: this.context(), account, policies, requestVerdicts: this.rung.verdicts, degradeBlocks: prepared.degradeBlocks, refused: this.#answer.outcome === 'refused' }
    const verdicts = collectVerdicts(judged, callbacks)
    this.#verdicts = this.#rung === 0 ? verdicts : Object.freeze([...verdicts, this.#ladderVerdict()])
    return this.#verdicts
  }

  /**
   * The action. INVARIANT (EXPLAINED): the policies on the decision's own context give it, raised to DEGRADE where the model is
   * not the one asked for. Thresholds alone are compared as integers; verdicts are collected only where a function must be asked.
   */
  judge(asksFunctions: boolean): EnforcementAction {
    const { callbacks } = this.#question
    if (callbacks.verbose) this.verdicts()
    if (this.#answer.outcome === 'refused') return 'BLOCK'
    const least: EnforcementAction = this.#rung > 0 ? 'DEGRADE' : 'ALLOW'
    if (callbacks.combine === 'first-match') return mostSevere(least, combineVerdicts(this.verdicts(), 'first-match'))
    if (asksFunctions) return mostSevere(least, combineVerdicts(this.verdicts(), 'most-severe'))
    if (this.#rung > 0 || this.#answer.degrade) return 'DEGRADE'
    return this.#warns() ? 'WARN' : 'ALLOW'
  }

  /** Why the request is refused: by its windows, a rate limit among them, or a policy. */
  code(): DenialCode {
    if (this.#answer.outcome === 'admitted' || this.#allowedRungs().length === 0) {
      const blocking = this.verdicts().filter((verdict) => verdict.action === 'BLOCK')
      return blocking.length > 0 && blocking.every((verdict) => verdict.error !== undefined) ? 'policy-error' : 'policy'
    }
    const refusals = this.#refusals(this.#allowedRungs().at(-1) as Rung)
    // No window refuses: a request policy asked for a cheaper model where the ladder has none.
    if (refusals.length === 0) return 'policy'
    return refusals.every(({ terms }) => terms.unit === 'requests') ? 'rate' : 'budget'
  }

  /** The refusal as plain data. `storeWasReset`: the store was asked, and has lost its data. */
  denial(code: DenialCode, offers: Offers = {}, storeWasReset = false): Denial {
    const { upgradeUrl } = offers
    const general = { error: errorWord(code), code, status: DENIAL_STATUS[code], decisionId: this.id, ...(upgradeUrl !== undefined && { upgradeUrl }) }
    if (code === 'store-unavailable') {
      return Object.freeze({ ...general, message: storeWasReset ? RESET : UNAVAILABLE, retryAfterMs: null })
    }
    if (code !== 'budget' && code !== 'rate') {
      const blocking = this.verdicts().find((verdict) => verdict.action === 'BLOCK')
      const message = blocking === undefined ? 'The request is refused.' : `Policy "${blocking.policy}" refuses the request${blocking.reason === undefined ? '.' : `: ${blocking.reason}.`}`
      return Object.freeze({ ...general, message, retryAfterMs: null })
    }
    const rungs = this.#allowedRungs()
    const fits = rungs.map((rung) => fitsAllAt(this.#refusals(rung))).filter((at) => at !== null)
    const retryAfterMs = fits.length === 0 ? null : Math.min(...fits) - this.#answer.now
    const longest = lastingLongest(this.#refusals(rungs.at(-1) as Rung))
    if (longest === undefined) throw new TypeError(`${this.id}: a window refused the request, and none is found that does`)
    const { scope, terms, spent, held, endsAt } = longest
    const { account, prepared } = this.#question
    const largest = largestFitting(account.scopes, this.#answer.readings, this.rung.amounts.tokens, prepared.degradeBlocks)
    const fittingOutput = this.#largestFittingOutput(rungs)
    const isLocal = this.enforcedBy === 'local'
    const upgrade = scope.kind === 'user' ? offerFor(account.tier, offers) : undefined
    // A threshold of 100 % is the limit itself, and needs no word.
    const fromPct = terms.limit !== null && longest.ceiling.max < terms.limit ? percentOf(terms.limit, longest.ceiling.pre) : undefined
    return Object.freeze({
      ...general,
      ...(fromPct !== undefined && { refusedFromPct: fromPct }),
      ...(isLocal && { local: true as const }),
      ...(upgrade !== undefined && { upgrade }),
      message: `${this.#refusalText(longest, rungs.at(-1) as Rung, fromPct)}${fittingText(fittingOutput)}${isLocal ? ` ${BY_SHARE}` : ''}${upgrade === undefined ? '' : ` Upgrade to ${upgrade} for more.`}`,
      scope,
      window: terms.period,
      unit: terms.unit,
      limit: toPublic(terms.unit, terms.limit ?? terms.block.max),
      used: toPublic(terms.unit, spent + held),
      resetsAt: endsAt === NEVER || endsWithItsScope(scope) ? null : new Date(endsAt),
      retryAfterMs,
      largestFittingCost: largest === null ? null : toUsd(largest),
      ...(fittingOutput !== undefined && { largestFittingOutput: fittingOutput }),
    })
  }

  /**
   * The same, to be kept for as long as somebody may ask: without what the application has attached to its request, which may be large.
   * Functions are asked before, where they have not been: what they would say later is another matter.
   */
  toKeep(): Assessment {
    const { request, policies } = this.#question
    if (policies.some((policy) => !isThresholdPolicy(policy))) this.verdicts()
    const { query: _query, metadata: _metadata, ...given } = request.given
    const { prepared } = this.#question
    const slim = slimmer()
    const rungs = prepared.rungs.map((rung) => (rung.verdicts.length === 0 ? rung : { ...rung, verdicts: rung.verdicts.map(slim) }))
    const kept = new Assessment({ ...this.#question, prepared: { ...prepared, rungs }, request: { ...request, given, facts: undefined } }, this.#answer, this.enforcedBy)
    kept.#verdicts = this.#verdicts?.map(slim)
    return kept
  }

  /** All that it was decided by, as plain data. `code`: why it was refused; `storeWasReset` as for a denial. */
  explain(action: EnforcementAction, code: DenialCode | undefined, storeWasReset: boolean): Explanation {
    const denial = code === undefined ? undefined : this.denial(code, {}, storeWasReset)
    return explanationOf({ question: this.#question, answer: this.#answer, rung: this.#rung, enforcedBy: this.enforcedBy, action, verdicts: this.verdicts(), denial })
  }

  #refusalText(refusal: Refusal, rung: Rung, fromPct: number | undefined): string {
    const { request, prepared } = this.#question
    const { block, degrade } = refusal.terms
    const isForCheaper = prepared.degradeBlocks && degrade !== null && degrade.max < block.max && refusal.ceiling.max === degrade.max
    const isOpenEnded = rung.price !== undefined && request.maxOutputTokens === undefined && rung.amounts.tokens > (request.inputTokens ?? 0)
    return refusalText({ refusal, rung, fromPct, withoutCheaper: isForCheaper ? this.requestedModel : undefined, isOpenEnded })
  }

  /** How much the cheapest model may write to fit now; `undefined` where the request was not estimated by its tokens. */
  #largestFittingOutput(rungs: readonly Rung[]): { readonly model: string; readonly maxOutputTokens: number } | null | undefined {
    const { model, price, amounts } = rungs.at(-1) as Rung
    const { request } = this.#question
    if (model === undefined || price === undefined || request.inputTokens === undefined) return undefined
    const fits = (output: number): boolean => this.#refusals({ amounts: amountsAt(price, request, output) }).length === 0
    let fitting = 0
    let tooMany = amounts.tokens - request.inputTokens
    if (tooMany === 0) return undefined
    // The dearest price of a token does not fall with their number, so what fits is all below one bound.
    while (tooMany - fitting > 1) {
      const middle = Math.floor((fitting + tooMany) / 2)
      if (fits(middle)) fitting = middle
      else tooMany = middle
    }
    return fitting === 0 ? null : Object.freeze({ model, maxOutputTokens: fitting })
  }

  /** Why the model is not the one asked for: what stood against rung 0. */
  #ladderVerdict(): Verdict {
    const [first] = this.rungs
    const asked = first as Rung
    const said = asked.verdicts.find((verdict) => verdict.action === 'BLOCK' || verdict.action === 'DEGRADE')
    const full = this.#refusals(asked, true)[0]
    const why = said !== undefined ? `${said.policy} says ${said.action}${said.reason === undefined ? '' : `, ${said.reason}`}` : full === undefined ? 'it does not fit' : `the ${full.terms.period} budget of ${full.title ?? describeScope(full.scope)} has no room for it`
    return Object.freeze({ policy: 'ladder', action: 'DEGRADE', reason: `${this.rung.model} instead of ${asked.model}: ${why}` })
  }

  /** The rungs that no request policy refuses: those on which the windows decided. */
  #allowedRungs(): readonly Rung[] {
    const { rungs, refused } = this.#question.prepared
    return refused === undefined ? rungs : rungs.filter((_, index) => refused[index] !== true)
  }

  #refusals(rung: Pick<Rung, 'amounts'>, degradeBlocks = this.#question.prepared.degradeBlocks): Refusal[] {
    const freeing = this.#answer.outcome === 'refused' ? this.#answer.freeing : NO_FREEING
    return refusalsOf(this.#question.account, { readings: this.#answer.readings, freeing }, rung.amounts, degradeBlocks)
  }

  #warns(): boolean {
    const { readings } = this.#answer
    const { amounts, verdicts } = this.rung
    if (verdicts.some((verdict) => verdict.action === 'WARN')) return true
    const { scopes } = this.#question.account
    let at = 0
    for (let index = 0; index < scopes.length; index += 1) {
      const { windows } = scopes[index] as JudgedScope
      for (let position = 0; position < windows.length; position += 1) {
        const { warn, unit } = windows[position] as JudgedWindow
        if (warn !== null && hits(warn, (readings[at + 2] as number) + (readings[at + 3] as number), amountIn(unit, amounts))) return true
        at += READING_SIZE
      }
    }
    return false
  }
}
