// The audit of a store that may be away: asked at once or not at all. It knows no time limit: to read a whole ledger takes its time.

import type { Auditor } from '../store/index.js'

/** The same auditor, each step only after `assertThere`, which throws while the store is away. */
export function guardedAuditor(auditor: Auditor, assertThere: () => void): Auditor {
  const there = (): Auditor => {
    assertThere()
    return auditor
  }
  const { standing, hides } = auditor
  return {
    ...(standing !== undefined && { standing: () => standing.call(there()) }),
    ...(hides !== undefined && { hides: hides.bind(auditor) }),
    snapshot: () => there().snapshot(),
    correct: (...given) => there().correct(...given),
    append: (...given) => there().append(...given),
    repaired: () => there().repaired?.(),
    get registry() {
      return there().registry
    },
  }
}
