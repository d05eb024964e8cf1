// The ledger of a store that may be away, and everything else that is read piece by piece: each piece in time, or none.

import type { LedgerSink, MaybePromise } from '../store/index.js'

/** Asks the store for one operation, in time or not at all. */
export type Ask = <T>(operation: string, ask: () => MaybePromise<T>) => MaybePromise<T>

/** A ledger of which every answer is asked for by `ask`. */
export function guardedLedger(ledger: LedgerSink, ask: Ask): LedgerSink {
  return {
    append: (entry) => ask('ledger', () => ledger.append(entry)),
    entries: () => stepwise('ledger', () => ledger.entries(), ask),
    totals: () => ask('ledger', () => ledger.totals()),
  }
}

/** The same values, each asked for by `ask`. */
export async function* stepwise<T>(operation: string, values: () => AsyncIterable<T>, ask: Ask): AsyncIterable<T> {
  const iterator = values()[Symbol.asyncIterator]()
  let finished = false
  try {
    for (;;) {
      const step = await ask(operation, () => iterator.next())
      if (step.done === true) {
        finished = true
        return
      }
      yield step.value
    }
  } finally {
    // One that failed or hangs is not asked to end in good order.
    if (!finished) void Promise.resolve(iterator.return?.()).catch(() => {})
  }
}
