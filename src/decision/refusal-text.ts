// A refusal in sentences for people: which budget, how full, why so early, until when, and what would fit. Decides nothing.

import { sessionOf } from '../budget/index.js'
import { describeScope, hits } from '../enforcement/index.js'
import { amountIn, describeAmount } from '../money/index.js'
import { NEVER } from '../time/index.js'
import type { Refusal } from './retry.js'
import type { Rung } from './rungs.js'

/** What a refusal is told by. */
export interface Refused {
  readonly refusal: Refusal
  /** The cheapest rung that was open. */
  readonly rung: Rung
  /** From how many percent of the limit on requests are refused, where that is below 100. */
  readonly fromPct: number | undefined
  /** Set where the window would not refuse a model that has a cheaper one below it: the model that has none. */
  readonly withoutCheaper: string | undefined
  /** The request was estimated by its tokens, and said of its output no maximum. */
  readonly isOpenEnded: boolean
}

/** The refusal of a window. */
export function refusalText({ refusal, rung, fromPct, withoutCheaper, isOpenEnded }: Refused): string {
  const { scope, title, terms, spent, held, endsAt, endsForGood, ceiling } = refusal
  const { unit, period, limit } = terms
  const session = sessionOf(scope)
  const amount = amountIn(unit, rung.amounts)
  const which = session === undefined ? `The ${period} budget of ${title ?? describeScope(scope)}` : `The cap of session ${session.sessionId}`
  const asked = unit === 'requests' ? '' : ` and this request would add ${describeAmount(unit, amount)}`
  const verb = unit === 'usd' || spent + held === 1 ? 'is' : 'are'
  const sentences = [`${which} is ${describeAmount(unit, limit ?? terms.block.max)}; ${describeAmount(unit, spent + held)} ${verb} used${asked}.`]
  if (withoutCheaper !== undefined) sentences.push(`From ${fromPct ?? 100} % of it on a cheaper model is asked for, and the ladder has none for ${withoutCheaper} (onNoCheaperModel).`)
  else if (fromPct !== undefined) sentences.push(`Requests are refused from ${fromPct} % of it on.`)
  if (isOpenEnded) sentences.push('The request names no maximum of its output, so all that the model can write is counted.')
  if (unit !== 'requests' && hits(ceiling, 0, amount)) {
    const isBeyondAll = limit === null || amount > limit || fromPct === undefined
    sentences.push(`By itself it ${isBeyondAll ? 'is more than the whole budget' : `reaches ${fromPct} % of it`}, and ${endsForGood ? 'does not fit before the limit ends' : 'never fits'}.`)
  }
  const end = new Date(endsAt)
  sentences.push(session !== undefined ? 'It does not reset; it can be raised.' : endsAt === NEVER ? 'It never resets.' : `It ${endsForGood ? 'ends' : 'resets'} at ${end.toISOString()}.`)
  return sentences.join(' ')
}

/** What would fit now, where anything would. */
export function fittingText(fitting: { readonly model: string; readonly maxOutputTokens: number } | null | undefined): string {
  return fitting === null || fitting === undefined ? '' : ` With at most ${fitting.maxOutputTokens} output tokens, ${fitting.model} would fit now.`
}
