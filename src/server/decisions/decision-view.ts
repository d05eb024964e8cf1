// A decision as an answer: all of it for the operator; for a key of a tenant or a user nothing of budgets that they share with others but that
// they refuse. Its ids are the client's own.

import { limitOf, limitScope } from '../../budget/index.js'
import { fittingText, type AllowedDecision, type Decision, type Denial, type DeniedDecision } from '../../decision/index.js'
import { describeScope, type EnforcementContext, type ScopeId, type Verdict } from '../../enforcement/index.js'
import { problemOf, type BudgetProblem } from '../../integrations/problem.js'
import { rateLimitFields } from '../../integrations/rate-limit-fields.js'
import type { Caller } from '../caller.js'
import { clientId, clientIdFor, prefixOf } from '../ids.js'

/** An answer that is not written yet. */
export interface Answer {
  readonly status: number
  readonly body: object
  readonly headers?: Readonly<Record<string, string>>
}

const SHARED = 'a budget that is shared with others'
const OPEN = { sharedBudgets: true } as const
const NOTHING: EnforcementContext['facts'] = Object.freeze({})

/** Whose decision it is, and how its id came about. */
export interface Asked {
  readonly caller: Caller
  readonly tenant: string | undefined
  /** The id in the store that was asked with: a decision without the store may have another. Default: the decision's. */
  readonly id?: string
  /** The id was made for this very request: nobody else can have asked with it before. */
  readonly isOwnId: boolean
  /** No call follows: it was only asked what would be decided. */
  readonly isDryRun?: boolean
  /** It had been answered before, by this process, which alone knows of it. */
  readonly isRepeat?: boolean
  /** Where it is allowed, what to call and what is held is enough. */
  readonly isMinimal?: boolean
}

/** With when to ask again only where that may be told. */
type Told<Denied> = Omit<Denied, 'retryAfterMs'> & { readonly retryAfterMs?: number | null | undefined }

const MINIMAL = Object.freeze({ 'preference-applied': 'return=minimal' })

/** Nobody knows when a store comes back; it is worth asking soon. */
const STORE_AWAY_RETRY_S = 1
const STORE_AWAY = 'Whether the budget allows this request cannot be told now: the store does not answer, and nothing is held. Ask again after Retry-After, with a new Idempotency-Key.'

/** The answer to a check: 200 with the decision, or the denial's own status with a problem document that has all of the decision too. */
export function decisionAnswer(decision: Decision, asked: Asked): Answer {
  const { allowed } = decision
  if (allowed && asked.isMinimal === true) return minimalAnswer(decision, asked)
  const view = asked.caller.isOperator ? wholeOf(decision) : reachOf(decision, asked)
  const id = clientIdFor(asked.caller, asked.tenant, asked.id ?? decision.id)
  const dryRun = asked.isDryRun === true ? true : undefined
  const replayed = isReplayed(decision, asked)
  const { action, requestedModel, rungs, enforcedBy } = decision
  const { reason, verdicts, context } = view
  const { windows, now } = decision.context
  if (allowed) {
    const { model, estimatedCost, exact, expiresAt, ended } = decision
    const body = { id, allowed, action, model, requestedModel, estimatedCost, exact, expiresAt, rungs, reason, verdicts, context, replayed, ended, enforcedBy, dryRun }
    return { status: 200, body, headers: rateLimitFields(windows, now.getTime(), { isAdmitted: true }) }
  }
  const { denial } = view as DenialView
  const told = { ...denial, decisionId: id }
  const problem = (view as DenialView).problemOf(told)
  const { retryAfterMs, status } = denial
  const retryAfterS = denial.code === 'store-unavailable' ? STORE_AWAY_RETRY_S : retryAfterMs == null ? undefined : Math.ceil(retryAfterMs / 1_000)
  const body = { ...problem, id, allowed, action, requestedModel, rungs, reason, verdicts, context, replayed, enforcedBy, dryRun, denial: told }
  return { status, body, headers: { ...(retryAfterS !== undefined && { 'retry-after': String(retryAfterS) }), ...rateLimitFields(windows, now.getTime(), { isAdmitted: false, retryAfterS }) } }
}

/** Without what it was decided by. */
function minimalAnswer(decision: AllowedDecision, asked: Asked): Answer {
  const id = clientIdFor(asked.caller, asked.tenant, asked.id ?? decision.id)
  const { allowed, action, model, requestedModel, estimatedCost, exact, expiresAt, ended, enforcedBy } = decision
  const dryRun = asked.isDryRun === true ? true : undefined
  const body = { id, allowed, action, model, requestedModel, estimatedCost, exact, expiresAt, replayed: isReplayed(decision, asked), ended, enforcedBy, dryRun }
  return { status: 200, body, headers: MINIMAL }
}

/** A reserve whose answer was lost is sent again by the engine itself: to the client that is no repeat. */
function isReplayed(decision: Decision, { isRepeat, isOwnId }: Asked): boolean {
  return isRepeat === true || (decision.replayed && !isOwnId)
}

interface View {
  readonly reason: string
  readonly verdicts: readonly object[]
  readonly context: EnforcementContext
}

interface DenialView extends View {
  readonly denial: Told<Denial>
  problemOf(denial: Told<Denial>): Told<BudgetProblem>
}

function wholeOf(decision: Decision): View | DenialView {
  const verdicts = decision.verdicts.map((verdict) => (verdict.error === undefined ? verdict : { ...verdict, error: verdict.error.message }))
  const { context } = decision
  if (decision.allowed) return { reason: decision.reason, verdicts, context }
  const denial = decision.toDenial()
  // Of policies that fail and stores that are away the operator hears in `reason`.
  return { reason: denial.message, verdicts, context, denial, problemOf: (told) => withWord(problemOf(told as Denial, decision.windows, OPEN)) }
}

/** A store that is away is not asked again with the same id: what it was asked last may still reach it, and is taken back. */
function withWord(problem: BudgetProblem): BudgetProblem {
  return problem.code === 'store-unavailable' ? { ...problem, detail: STORE_AWAY } : problem
}

/** What the caller may see of it. */
function reachOf(decision: Decision, { caller }: Asked): View | DenialView {
  const { context } = decision
  const seen = context.windows.filter(({ scope }) => caller.maySee(scope))
  const seesAll = seen.length === context.windows.length
  const own = ownNames(caller, context)
  const windows = seen.map((window) => (window.scope.kind === 'limit' ? { ...window, scope: own.scope(window.scope) } : window))
  const verdicts = decision.verdicts.map((verdict) => verdictFor(verdict, caller, seesAll, own))
  const told = { ...context, windows, facts: NOTHING }
  if (!decision.allowed) return { ...denialFor(decision, caller, seesAll, own), verdicts, context: told }
  return { reason: seesAll ? own.text(decision.reason) : reasonFor(decision.action, verdicts, context), verdicts, context: told }
}

/** A verdict on a budget that others share says what it came to, and no more; that of a policy that failed does not say how. */
function verdictFor({ policy, action, reason, scope, wouldHave, error }: Verdict, caller: Caller, seesAll: boolean, own: OwnNames): Pick<Verdict, 'policy' | 'action' | 'reason' | 'scope' | 'wouldHave'> {
  if (scope !== undefined && !caller.maySee(scope)) return { policy: 'shared', action }
  // What the ladder says may be of any window.
  const isTold = reason !== undefined && error === undefined && (seesAll || policy !== 'ladder')
  return { policy, action, ...(isTold && { reason: own.text(reason) }), ...(scope !== undefined && { scope: own.scope(scope) }), ...(wouldHave !== undefined && { wouldHave }) }
}

function reasonFor(action: string, verdicts: readonly ReturnType<typeof verdictFor>[], context: EnforcementContext): string {
  const spoken = verdicts.find((verdict) => verdict.action === action && verdict.reason !== undefined)
  if (spoken !== undefined) return `${spoken.policy}${spoken.scope === undefined ? '' : ` for ${describeScope(spoken.scope)}`}: ${spoken.reason}`
  if (action !== 'ALLOW') return `${SHARED} asks for it`
  if (context.periodName === undefined) return 'no limit of your own applies'
  return `${context.budgetUsedPct} % of the ${context.periodName} budget would be used`
}

function denialFor(decision: DeniedDecision, caller: Caller, seesAll: boolean, own: OwnNames): Omit<DenialView, 'verdicts' | 'context'> {
  const whole = decision.toDenial()
  const { error, code, status, decisionId, scope, local, upgradeUrl, upgrade } = whole
  const isTold = scope === undefined || caller.maySee(scope)
  // What would fit is what the fullest window leaves: beside one that others share it would tell how much they have spent.
  const fitting = seesAll ? whole : withoutFitting(whole)
  const named = { ...fitting, message: own.text(fitting.message), ...(scope !== undefined && { scope: own.scope(scope) }) }
  const toProblem = (told: Told<Denial>): Told<BudgetProblem> => {
    const { retryAfterMs: after, ...problem } = withWord(problemOf(told as Denial, isTold ? decision.windows : undefined, { sharedBudgets: isTold }))
    // When a request of which size would fit tells what others spend, and the limit.
    return isTold ? { ...problem, retryAfterMs: after } : problem
  }
  // The problem document has the words for what is not told.
  const { detail } = toProblem(named)
  const denial: Told<Denial> = isTold ? { ...named, message: detail } : { error, code, status, decisionId, message: detail, local, upgradeUrl, upgrade }
  return { reason: detail, denial, problemOf: toProblem }
}

function withoutFitting(denial: Denial): Denial {
  const { largestFittingCost: _cost, largestFittingOutput: output, ...rest } = denial
  const sentence = fittingText(output)
  return sentence === '' ? rest : { ...rest, message: rest.message.replaceAll(sentence, '') }
}

/** Names of limits as the caller knows them. */
interface OwnNames {
  scope(scope: ScopeId): ScopeId
  text(text: string): string
}

const AS_IT_IS: OwnNames = { scope: (scope) => scope, text: (text) => text }

/** A tenant's own limits stand behind its name, in the store. */
function ownNames({ tenant }: Caller, { windows }: EnforcementContext): OwnNames {
  if (!windows.some(({ scope }) => scope.kind === 'limit')) return AS_IT_IS
  const prefix = prefixOf(tenant)
  return {
    scope: (scope) => {
      const limit = limitOf(scope)
      return limit === undefined ? scope : limitScope({ ...limit, limitId: clientId(tenant, limit.limitId) })
    },
    text: (text) => text.replaceAll(`"${prefix}`, '"').replaceAll(`limit ${encodeURIComponent(prefix)}`, 'limit '),
  }
}
