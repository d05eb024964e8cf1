// Texts that an application's policies gave, as they are kept with a decision: short, and without whatever hangs on a thrown error.

import type { Verdict } from '../enforcement/index.js'

/** How much is kept of such a text. */
const MOST_TEXT = 1_000

/** A text as it is kept. */
export function clipped(text: string): string {
  return text.length <= MOST_TEXT ? text : `${text.slice(0, MOST_TEXT)}…`
}

/** Verdicts as they are kept: the same one again for the same verdict, and itself where nothing is to be left out. */
export function slimmer(): (verdict: Verdict) => Verdict {
  const known = new Map<Verdict, Verdict>()
  return (verdict) => {
    let slim = known.get(verdict)
    if (slim === undefined) known.set(verdict, (slim = slimmed(verdict)))
    return slim
  }
}

function slimmed(verdict: Verdict): Verdict {
  const { reason, error } = verdict
  if (error === undefined && (reason === undefined || clipped(reason) === reason)) return verdict
  // What was thrown may be no error at all, whatever its type says.
  return Object.freeze({ ...verdict, ...(reason !== undefined && { reason: clipped(reason) }), ...(error !== undefined && { error: { name: 'Error', message: clipped(String(error.message)) } }) })
}
