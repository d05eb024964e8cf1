// Why somebody was refused, as a sentence for whoever may know it: as it was decided, where the decision is kept; else what its code means.

import type { DenialCode } from '../../decision/index.js'
import type { Caller } from '../caller.js'
import { explanationFor } from './explained.js'
import type { Engine } from '../service.js'

const WORDS: Readonly<Record<DenialCode, string>> = {
  budget: 'A budget does not allow it.',
  rate: 'Too many requests in too short a time.',
  policy: 'A policy does not allow it.',
  'policy-error': 'A policy could not be asked, and the request is not allowed without it.',
  'store-unavailable': 'Whether the budget allows it could not be told.',
}

/** The sentence of a refusal, by the id that the store has and the code of its entry. */
export async function deniedWords(engine: Engine, caller: Caller, decisionId: string, code: string): Promise<string> {
  // That a decision cannot be read is no reason to show nothing.
  const explanation = await explanationFor(engine, caller, decisionId).catch(() => undefined)
  return explanation?.reason ?? (Object.hasOwn(WORDS, code) ? WORDS[code as DenialCode] : code)
}
