// A decision as plain data that can be checked by hand: every window with the sum that was tested, every rung with what stood against
// it, and what would have fitted. Works on what was read when it was made; asks no store and no policy.

import { hits, lowerCeiling, type Ceiling, type Combine, type EnforcementAction, type ScopeId, type Standing, type Verdict } from '../enforcement/index.js'
import { amountIn, formatUsd, MAX_AMOUNT, toPublic, toUsd, type Amounts, type Unit } from '../money/index.js'
import { READING_SIZE, type Admitted, type Refused } from '../store/index.js'
import { NEVER } from '../time/index.js'
import { largestFitting, namedScopes, type JudgedWindow } from '../tracker/index.js'
import type { EnforcedBy } from './decision.js'
import type { Denial, DenialCode } from './denial.js'
import type { Question } from './question.js'
import { endOfLimit, endsWithItsScope } from './retry.js'
import type { Rung } from './rungs.js'
import { clipped } from './slim.js'

/** One sum and what it was compared with: `0.95 spent + 0.02 held + 0.05 estimate = 1.02 > 1.00`, and the same in integers alone. */
export interface Arithmetic {
  readonly words: string
  /** In microcents, tokens or requests: `95000000 + 2000000 + 5000000 = 102000000 > 100000000`. */
  readonly integers: string
}

/** What a threshold makes of a window: a request may end at `max` at the most, and none may begin at `pre` or above. */
export interface ExplainedCeiling {
  readonly max: number
  readonly pre: number
  /** The same as integers: microcents for money. */
  readonly exact: Ceiling
}

/** A threshold that a request can hit. */
export type ThresholdKind = 'block' | 'degrade' | 'warn'

/** One window of one scope before the request. Money is USD numbers; `exact` has the integers. */
export interface ExplainedWindow {
  readonly scope: ScopeId
  /** For a sentence, where a limit that was made at run time has one of its own. */
  readonly title?: string
  readonly period: string
  readonly unit: Unit
  /** `null`: counted, but without a limit. */
  readonly limit: number | null
  readonly spent: number
  readonly held: number
  readonly remaining: number | null
  /** What the rung that counts would add. */
  readonly estimate: number
  readonly ceilings: { readonly block: ExplainedCeiling; readonly degrade: ExplainedCeiling | null; readonly warn: ExplainedCeiling | null }
  /** The most severe threshold that the rung that counts hits; `null`: none. */
  readonly hit: ThresholdKind | null
  /** The sum of the rung that counts, against that threshold; where none is hit, against the one that blocks. */
  readonly arithmetic: Arithmetic
  /** ISO 8601; `resetsAt` is `null` for a window that never does, and the end of a limit that ends before. */
  readonly startsAt: string
  readonly resetsAt: string | null
  readonly exact: { readonly limit: number | null; readonly spent: number; readonly held: number; readonly remaining: number | null; readonly estimate: number }
}

/**
 * What stood against a rung: a threshold of a window (its place in `windows`, with the sum), or a policy with its reason. A degrade
 * threshold, or a policy that says DEGRADE, stands against rung 0 alone. `afterHold`: a function said so of what was admitted.
 */
export type Objection =
  | { readonly threshold: 'block' | 'degrade'; readonly window: number; readonly arithmetic: Arithmetic }
  | { readonly policy: string; readonly action: 'DEGRADE' | 'BLOCK'; readonly reason?: string; readonly afterHold?: true }

/** One model of the ladder with its estimate. */
export interface ExplainedRung {
  readonly model?: string
  readonly provider?: string
  /** USD. */
  readonly estimatedCost: number
  readonly tokens: number
  /** The prices that the estimate was worked out by; absent where it was given. */
  readonly priceVersion?: string
  /** `chosen`, `refused`, `degraded` (it would have fitted, and a cheaper one was asked for), or `untried`: one above it was taken. */
  readonly result: 'chosen' | 'refused' | 'degraded' | 'untried'
  readonly against: readonly Objection[]
  readonly exact: { readonly microcents: number; readonly tokens: number }
}

/** What one policy said. */
export interface ExplainedVerdict {
  readonly policy: string
  readonly action: EnforcementAction
  readonly reason?: string
  readonly scope?: ScopeId
  readonly wouldHave?: EnforcementAction
  /** The message of what the policy threw. */
  readonly error?: string
}

/** What would have got more. Each is absent where the question does not arise. */
export interface WouldHaveFitted {
  /** USD: the largest estimate that would have been admitted; on a DEGRADE, without a cheaper model. `null`: none. */
  readonly largestFittingCost?: number | null
  readonly largestFittingOutput?: { readonly model: string; readonly maxOutputTokens: number } | null
  /** Until the request would fit if nothing else changed; `null`: never. */
  readonly retryAfterMs?: number | null
  readonly exact?: { readonly largestFittingMicrocents: number | null }
}

/** Everything that one decision was made from: JSON data, which a program can keep, and from which the action can be worked out again. */
export interface Explanation {
  readonly decisionId: string
  /** ISO 8601, store time. */
  readonly at: string
  readonly action: EnforcementAction
  readonly code?: DenialCode
  /** One sentence for people. */
  readonly reason: string
  readonly enforcedBy: EnforcedBy
  /** A repeat: windows, rungs and estimates are those of the first request; the policies are those of the repeat. */
  readonly replayed: boolean
  readonly who: {
    readonly userId: string
    readonly tenant?: string
    readonly tier?: string
    readonly standing?: Standing
    readonly sessionId?: string
    readonly scopes?: Readonly<Record<string, string>>
  }
  readonly model: { readonly requested?: string; readonly used?: string; readonly provider?: string }
  /**
   * True where the windows admitted it: then a hold was opened (with `enforcedBy: 'none'`, none), and if a policy refused it all the
   * same, was taken back.
   */
  readonly admitted: boolean
  /** The rung that the windows are counted with: the one admitted, or 0. */
  readonly rung: number
  readonly rungs: readonly ExplainedRung[]
  /** The request asked for a cheaper model: a threshold of a window was hit by rung 0, or a request policy said so. */
  readonly degrade: boolean
  /** A model without a cheaper one below it: there a degrade threshold refuses (`onNoCheaperModel`). */
  readonly degradeBlocks: boolean
  readonly combine: Combine
  readonly verdicts: readonly ExplainedVerdict[]
  readonly windows: readonly ExplainedWindow[]
  readonly fitting: WouldHaveFitted
}

/** What an explanation is made of. */
export interface Explained {
  readonly question: Question
  readonly answer: Admitted | Refused
  /** The rung that counts. */
  readonly rung: number
  readonly enforcedBy: EnforcedBy
  readonly action: EnforcementAction
  readonly verdicts: readonly Verdict[]
  readonly denial: Denial | undefined
}

/** The explanation of one decision: frozen at its top, and not to be changed. */
export function explanationOf({ question, answer, rung: counted, enforcedBy, action, verdicts, denial }: Explained): Explanation {
  const { id, request, account, prepared, callbacks } = question
  const { given, user } = request
  const places = placesOf(question, answer)
  const { rungs } = prepared
  const rung = rungs[counted] as Rung
  const admitted = answer.outcome === 'admitted'
  const degrade = admitted ? answer.degrade : prepared.degrade || places.some(({ terms, used }) => terms.degrade !== null && hits(terms.degrade, used, amountIn(terms.unit, (rungs[0] as Rung).amounts)))
  const after = admitted && action === 'BLOCK' ? verdicts.filter((verdict) => verdict.action === 'BLOCK' && !rung.verdicts.includes(verdict)).flatMap(objectionOf) : []
  const against = (each: Rung, index: number): readonly Objection[] => {
    if (admitted && index > counted) return []
    const before = objectionsTo(each, index, places)
    return index === counted ? [...before, ...after.map((objection) => ({ ...objection, afterHold: true as const }))] : before
  }
  return Object.freeze({
    decisionId: id,
    at: new Date(answer.now).toISOString(),
    action,
    ...present({ code: denial?.code }),
    reason: denial?.message ?? reasonOf(action, verdicts),
    enforcedBy,
    replayed: admitted && answer.replay !== undefined,
    who: { userId: user.userId, ...present({ tenant: user.tenant, tier: account.tier, standing: account.standing, sessionId: given.sessionId, scopes: namedScopes(given.scopes) }) },
    model: present({ requested: given.model, used: action === 'BLOCK' ? undefined : rung.model, provider: rung.provider }),
    admitted,
    rung: counted,
    rungs: rungs.map((each, index) => explainedRung(each, resultOf(index, counted, admitted, action), against(each, index))),
    degrade,
    degradeBlocks: prepared.degradeBlocks,
    combine: callbacks.combine,
    verdicts: verdicts.map(explainedVerdict),
    windows: places.map((place) => explainedWindow(place, rung.amounts, prepared.degradeBlocks && counted === 0)),
    fitting: fittingOf(question, answer, action, denial, degrade),
  })
}

interface Place {
  readonly scope: ScopeId
  readonly title: string | undefined
  readonly terms: JudgedWindow
  readonly startsAt: number
  readonly endsAt: number
  readonly spent: number
  readonly held: number
  readonly used: number
}

function placesOf({ account }: Question, { readings }: Admitted | Refused): Place[] {
  const places: Place[] = []
  for (const judged of account.scopes) {
    const { scope, windows, title } = judged
    for (const terms of windows) {
      const at = places.length * READING_SIZE
      const [startsAt, endsAt, spent, held] = readings.slice(at, at + READING_SIZE) as [number, number, number, number]
      places.push({ scope, title, terms, startsAt, endsAt: Math.min(endsAt, endOfLimit(judged)), spent, held, used: spent + held })
    }
  }
  return places
}

function explainedWindow({ scope, title, terms, startsAt, endsAt, spent, held, used }: Place, amounts: Amounts, degradeBlocks: boolean): ExplainedWindow {
  const { unit, limit, period, block, degrade, warn } = terms
  const estimate = amountIn(unit, amounts)
  const isHit = (ceiling: Ceiling | null): ceiling is Ceiling => ceiling !== null && hits(ceiling, used, estimate)
  const hit = isHit(block) ? 'block' : isHit(degrade) ? (degradeBlocks ? 'block' : 'degrade') : isHit(warn) ? 'warn' : null
  const refusing = degradeBlocks && degrade !== null ? lowerCeiling(degrade, block) : block
  const compared = hit === 'degrade' ? (degrade as Ceiling) : hit === 'warn' ? (warn as Ceiling) : refusing
  const remaining = limit === null ? null : Math.max(0, limit - used)
  const shown = (ceiling: Ceiling): ExplainedCeiling => ({ max: toPublic(unit, ceiling.max), pre: toPublic(unit, ceiling.pre), exact: { ...ceiling } })
  return {
    scope: { ...scope },
    ...present({ title: title === undefined ? undefined : clipped(title) }),
    period,
    unit,
    limit: limit === null ? null : toPublic(unit, limit),
    spent: toPublic(unit, spent),
    held: toPublic(unit, held),
    remaining: remaining === null ? null : toPublic(unit, remaining),
    estimate: toPublic(unit, estimate),
    ceilings: { block: shown(block), degrade: degrade && shown(degrade), warn: warn && shown(warn) },
    hit,
    arithmetic: arithmeticOf(unit, spent, held, estimate, compared),
    startsAt: new Date(startsAt).toISOString(),
    resetsAt: endsAt === NEVER || endsWithItsScope(scope) ? null : new Date(endsAt).toISOString(),
    exact: { limit, spent, held, remaining, estimate },
  }
}

/**
 * The sum of a window against a ceiling, exact also past 2^53. The limit itself is hit by passing it, or by having been used up before;
 * a threshold below 100 % by reaching it.
 */
function arithmeticOf(unit: Unit, spent: number, held: number, estimate: number, { max, pre }: Ceiling): Arithmetic {
  const used = BigInt(spent) + BigInt(held)
  const total = used + BigInt(estimate)
  const isLimit = max === pre
  const isPassed = total > BigInt(max)
  const isUsedUp = !isPassed && used >= BigInt(pre)
  const sign = isPassed ? (isLimit ? '>' : '≥') : isUsedUp ? '≥' : isLimit ? '≤' : '<'
  const word = (amount: number | bigint): string => (unit === 'usd' ? formatUsd(amount) : String(amount))
  const compared = max === MAX_AMOUNT && !isPassed ? ', and nothing refuses it' : ` ${sign} ${word(pre)}${unit === 'usd' ? '' : ` ${unit}`}${isUsedUp ? ', used up before it' : ''}`
  return {
    words: `${word(spent)} spent + ${word(held)} held + ${word(estimate)} estimate = ${word(total)}${compared}`,
    integers: `${spent} + ${held} + ${estimate} = ${total} ${sign} ${pre}`,
  }
}

function objectionsTo({ amounts, verdicts }: Rung, index: number, places: readonly Place[]): Objection[] {
  const objections = verdicts.filter(({ action }) => action === 'BLOCK' || index === 0).flatMap(objectionOf)
  places.forEach(({ terms, spent, held, used }, window) => {
    const estimate = amountIn(terms.unit, amounts)
    const { unit, block, degrade } = terms
    const objection = (threshold: 'block' | 'degrade', ceiling: Ceiling): void => void objections.push({ threshold, window, arithmetic: arithmeticOf(unit, spent, held, estimate, ceiling) })
    if (hits(block, used, estimate)) objection('block', block)
    else if (degrade !== null && index === 0 && hits(degrade, used, estimate)) objection('degrade', degrade)
  })
  return objections
}

function objectionOf({ policy, action, reason }: Verdict): Objection[] {
  return action === 'BLOCK' || action === 'DEGRADE' ? [{ policy, action, ...present({ reason: reason === undefined ? undefined : clipped(reason) }) }] : []
}

function resultOf(index: number, counted: number, admitted: boolean, action: EnforcementAction): ExplainedRung['result'] {
  if (!admitted) return 'refused'
  if (index > counted) return 'untried'
  if (index === counted) return action === 'BLOCK' ? 'refused' : 'chosen'
  return 'refused'
}

function explainedRung({ model, provider, amounts, price }: Rung, result: ExplainedRung['result'], against: readonly Objection[]): ExplainedRung {
  const { microcents, tokens } = amounts
  // Passed over, and nothing refuses it: only a cheaper model was asked for.
  const isOnlyDegraded = result === 'refused' && against.length > 0 && against.every((each) => ('policy' in each ? each.action : each.threshold).toLowerCase() === 'degrade')
  return {
    ...present({ model, provider, priceVersion: price?.version }),
    estimatedCost: toUsd(microcents),
    tokens,
    result: isOnlyDegraded ? 'degraded' : result,
    against,
    exact: { microcents, tokens },
  }
}

function explainedVerdict({ policy, action, reason, scope, wouldHave, error }: Verdict): ExplainedVerdict {
  return { policy, action, ...present({ reason: reason === undefined ? undefined : clipped(reason), scope: scope && { ...scope }, wouldHave, error: error && clipped(error.message) }) }
}

function fittingOf({ account, prepared }: Question, { readings }: Admitted | Refused, action: EnforcementAction, denial: Denial | undefined, degrade: boolean): WouldHaveFitted {
  const largest = (degradeBlocks: boolean): Pick<WouldHaveFitted, 'largestFittingCost' | 'exact'> => {
    const microcents = largestFitting(account.scopes, readings, (prepared.rungs[0] as Rung).amounts.tokens, degradeBlocks)
    return { largestFittingCost: microcents === null ? null : toUsd(microcents), exact: { largestFittingMicrocents: microcents } }
  }
  if (denial !== undefined) {
    const { largestFittingOutput, retryAfterMs, code } = denial
    return code === 'budget' || code === 'rate' ? { ...largest(prepared.degradeBlocks), ...present({ largestFittingOutput }), retryAfterMs } : {}
  }
  return action === 'DEGRADE' && degrade && readings.length > 0 ? largest(true) : {}
}

function reasonOf(action: EnforcementAction, verdicts: readonly Verdict[]): string {
  const saying = verdicts.filter((verdict) => verdict.action === action)
  // The ladder's own word comes last, and says the most.
  const last = saying.findLast(({ reason }) => reason !== undefined) ?? saying[0]
  if (action === 'ALLOW' || last === undefined) return action === 'ALLOW' ? 'Nothing stands against it.' : `A threshold says ${action}.`
  return clipped(last.reason === undefined ? `${last.policy} says ${action}` : `${last.policy}: ${last.reason}`)
}

/** The same fields without those that are `undefined`: JSON has none. */
function present<Fields extends object>(fields: Fields): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> }
}
