// The explanation of a decision for one who asks over HTTP: by the id that they know, only of their own, and without what budgets of
// others say.

import type { ExplainedRung, Explanation, Objection } from '../../decision/index.js'
import { UnknownDecisionError } from '../../errors/index.js'
import type { Caller } from '../caller.js'
import { clientIdFor } from '../ids.js'
import type { Engine } from '../service.js'
import { deniedReason, inWords } from './told.js'

/** The explanation under the id that the store has, as far as the caller may know it; `undefined` where none is kept, or it is another's. */
export async function explanationFor(engine: Engine, caller: Caller, id: string): Promise<Explanation | undefined> {
  let explanation: Explanation
  try {
    explanation = await engine.explain(id)
  } catch (error) {
    if (error instanceof UnknownDecisionError) return undefined
    throw error
  }
  const { userId, tenant } = explanation.who
  if (!caller.isOperator && (tenant !== caller.tenant || (caller.userId !== undefined && userId !== caller.userId))) return undefined
  const told = caller.isOperator ? explanation : withoutOthers(explanation, caller)
  return { ...told, decisionId: clientIdFor(caller, tenant, told.decisionId) }
}

/** The same without the windows that the caller may not see, and without all that would tell how full they are. */
function withoutOthers(explanation: Explanation, caller: Caller): Explanation {
  const { who, windows, rungs, verdicts, reason, code, fitting, action } = explanation
  const places = windows.map(({ scope }, index) => (caller.maySee(scope) ? index : -1)).filter((index) => index >= 0)
  const isWhole = places.length === windows.length
  const words = (text: string): string => inWords(text, who.tenant)
  const objections = (against: readonly Objection[]): Objection[] =>
    against.flatMap((each) => ('policy' in each ? (isWhole || each.reason === undefined ? [each] : [withoutReason(each)]) : places.includes(each.window) ? [{ ...each, window: places.indexOf(each.window) }] : []))
  const hidden = isWhole ? undefined : windows.find(({ scope, hit }) => !caller.maySee(scope) && (code === undefined ? hit !== null : hit === 'block'))
  const told = code === undefined ? (hidden === undefined ? reason : `${action}.`) : deniedReason({ code, message: reason, ...(hidden !== undefined && { scope: hidden.scope }), largestFittingOutput: fitting.largestFittingOutput }, windows, caller)
  return {
    ...explanation,
    reason: words(told),
    windows: places.map((place) => windows[place] as (typeof windows)[number]).map((window) => (window.title === undefined ? window : { ...window, title: words(window.title) })),
    rungs: rungs.map((rung): ExplainedRung => ({ ...rung, against: objections(rung.against) })),
    verdicts: verdicts.map(({ scope, reason: why, error: _error, ...verdict }) => (scope !== undefined && !caller.maySee(scope) ? verdict : { ...verdict, ...(scope !== undefined && { scope }), ...(why !== undefined && { reason: words(why) }) })),
    fitting: isWhole ? fitting : {},
  }
}

function withoutReason({ reason: _reason, ...objection }: Extract<Objection, { readonly policy: string }>): Objection {
  return objection
}
