// Every verdict on one request, in one list: the registered policies on the user's own windows, the policies of shared budgets
// on theirs, and the strict one on what is always strict. Pure on a context and its terms (EXPLAINED).

import { focus, isRequestPolicy, type EnforcementCallbacks, type EnforcementContext, type Policy, type ThresholdPolicy, type Verdict } from '../enforcement/index.js'
import { MAX_AMOUNT } from '../money/index.js'
import type { Account, JudgedWindow } from '../tracker/index.js'

/** What verdicts are made from. */
export interface Judged {
  readonly context: EnforcementContext
  readonly account: Account
  /** The policies registered when the request was made. */
  readonly policies: readonly Policy<string>[]
  /** What the request policies said of the rung that counts. */
  readonly requestVerdicts: readonly Verdict[]
  readonly degradeBlocks: boolean
  readonly refused: boolean
}

/** The verdicts, the registered policies' first. */
export function collectVerdicts(judged: Judged, callbacks: EnforcementCallbacks): readonly Verdict[] {
  const { context, account, policies, requestVerdicts, degradeBlocks, refused } = judged
  const early = [...requestVerdicts]
  const verdicts = policies.map((policy) => (isRequestPolicy(policy) ? (early.shift() ?? callbacks.ask(policy, context)) : callbacks.ask(policy, context)))
  // What is left was said by the request's own caps.
  verdicts.push(...early)
  let at = 0
  account.scopes.forEach(({ scope, windows }, index) => {
    const views = context.windows.slice(at, at + windows.length)
    at += windows.length
    // The registered policies have judged the user's own windows; there only what is always strict is left.
    const left = new Map<ThresholdPolicy<string>, number[]>()
    windows.forEach((terms, position) => {
      if (terms.limit === null || (index === 0 && !isAlwaysStrict(terms))) return
      for (const judge of terms.judges) left.set(judge, [...(left.get(judge) ?? []), position])
    })
    for (const [judge, positions] of left) {
      const focused = focus(context, positions.map((position) => views[position] as (typeof views)[number]))
      verdicts.push(Object.freeze({ ...callbacks.ask(judge, focused), scope }))
    }
  })
  const overfull = context.windows.find(({ exact }) => exact.estimate > MAX_AMOUNT - (exact.spent + exact.held))
  if (overfull !== undefined) {
    verdicts.push(Object.freeze({ policy: 'exactness', action: 'BLOCK', scope: overfull.scope, reason: `the ${overfull.period} window would count more than 2^53 − 1` }))
  }
  if (degradeBlocks && refused && verdicts.some((verdict) => verdict.action === 'DEGRADE')) {
    verdicts.push(Object.freeze({ policy: 'noCheaperModel', action: 'BLOCK', reason: `the budget asks for a cheaper model, and the ladder has none for ${context.model ?? 'it'}` }))
  }
  return Object.freeze(verdicts)
}

function isAlwaysStrict(terms: JudgedWindow): boolean {
  return terms.unit === 'requests' || terms.limit === 0
}
