// Waiting for a condition, never for a time. Knows nothing of what is waited for.

import { setTimeout as pause } from 'node:timers/promises'

/** Asks again and again until the answer is neither `undefined` nor `false`, and gives it; rejects after `withinMs` with `what`. */
export async function until<Answer>(
  what: string,
  ask: () => Answer | Promise<Answer>,
  { withinMs = 30_000, everyMs = 10 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<Exclude<Answer, undefined | false>> {
  const deadline = performance.now() + withinMs
  let failure: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer as Exclude<Answer, undefined | false>
      failure = undefined
    } catch (error) {
      failure = error
    }
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`, { cause: failure })
    await pause(everyMs)
  }
}
