// What is decided while the store is away: refuse, let through unheld, or admit from this process's share of what was left.

import type { EnforcementAction, Policy } from '../enforcement/index.js'
import type { LocalHold } from '../outage/index.js'
import type { Admitted, Refused, ReserveRequest } from '../store/index.js'
import type { Foundation } from '../tracker/index.js'
import { Assessment } from './assessment.js'
import type { DenialCode } from './denial.js'
import { isStoreReset } from './failing.js'
import type { Question } from './question.js'

/** What `onStoreError` may say. */
export type OnStoreError = 'block' | 'allow' | 'local'

/** The answer without the store; `code` is why it is refused, where the assessment does not know better. */
export type AwayAnswer =
  | { readonly allowed: true; readonly assessment: Assessment; readonly action: Exclude<EnforcementAction, 'BLOCK'>; readonly expiresAt: number; readonly local: LocalHold | undefined }
  | { readonly allowed: false; readonly assessment: Assessment; readonly code: DenialCode | undefined; readonly storeWasReset?: boolean | undefined }

const storeUnavailable: Policy<string> = () => ({ action: 'BLOCK', reason: 'the store is not available' })

/**
 * Answers a request that failed with `error`, a failure of the store. `asked` is what the store would have been asked; without it,
 * not even who spends is known. A store that has lost its data refuses, whatever is configured.
 */
export function answerWithoutStore(foundation: Foundation, mode: OnStoreError, error: unknown, question: Question, asked: ReserveRequest | undefined, asksFunctions: boolean): AwayAnswer {
  const storeWasReset = isStoreReset(error)
  // A session whose caps nobody knows is not one without caps.
  if (!storeWasReset && question.account.lacksSession !== true) {
    if (mode === 'allow') return unheld(foundation, question, asksFunctions)
    const local = mode === 'local' && asked !== undefined ? byShare(foundation, question, asked, asksFunctions) : undefined
    if (local !== undefined) return local
  }
  const refused: Refused = { outcome: 'refused', now: foundation.clock(), readings: [], freeing: new Map(), effects: [] }
  return { allowed: false, assessment: new Assessment({ ...windowless(question), policies: [storeUnavailable] }, refused, 'none'), code: 'store-unavailable', storeWasReset }
}

/** Only money is let through unheld: what policies say of the request itself still counts. */
function unheld({ clock }: Foundation, question: Question, asksFunctions: boolean): AwayAnswer {
  const now = clock()
  const { prepared } = question
  const unread = { now, readings: [], effects: [] }
  const rung = prepared.refused === undefined ? 0 : prepared.refused.indexOf(false)
  if (rung < 0) return { allowed: false, assessment: new Assessment(windowless(question), { ...unread, outcome: 'refused', freeing: new Map() }, 'none'), code: undefined }
  const admitted: Admitted = { ...unread, outcome: 'admitted', rung, degrade: prepared.degrade, dueAt: now }
  return answer(new Assessment(windowless(question), admitted, 'none'), asksFunctions, now, undefined)
}

/** `undefined` where too little is known of the windows: then nothing is admitted. */
function byShare({ guard }: Foundation, question: Question, asked: ReserveRequest, asksFunctions: boolean): AwayAnswer | undefined {
  const local = guard?.answerLocally(asked)
  if (local === undefined) return undefined
  const { reply } = local
  const assessment = new Assessment(question, reply, 'local')
  if (reply.outcome === 'refused') return { allowed: false, assessment, code: undefined }
  return answer(assessment, asksFunctions, reply.dueAt, local.take)
}

function answer(assessment: Assessment, asksFunctions: boolean, expiresAt: number, take: (() => LocalHold) | undefined): AwayAnswer {
  const action = assessment.judge(asksFunctions)
  if (action === 'BLOCK') return { allowed: false, assessment, code: undefined }
  return { allowed: true, assessment, action, expiresAt, local: take?.() }
}

function windowless(question: Question): Question {
  return { ...question, account: { ...question.account, scopes: [] }, spending: question.account }
}
