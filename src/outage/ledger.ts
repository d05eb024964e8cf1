// The ledger of a store that may be away, and everything else that is read piece by piece: each piece in time, or none.

import type { EntrySource } from '../ledger/index.js'
import type { LedgerSink, MaybePromise } from '../store/index.js'

/** Asks the store for one operation, in time or not at all. */
export type Ask = <T>(operation: string, ask: () => MaybePromise<T>) => MaybePromise<T>

/** A ledger of which every answer is asked for by `ask`; what it sums up takes its time, and is only not begun while the store is away. */
export function guardedLedger(ledger: LedgerSink, ask: Ask, assertThere: () => void): LedgerSink {
  const summed = <Asked extends readonly unknown[], Answer>(read: (...asked: Asked) => Answer) => (...asked: Asked): Answer => {
    assertThere()
    return read(...asked)
  }
  return {
    append: (...entries) => ask('ledger', () => ledger.append(...entries)),
    entries: () => stepwise('ledger', () => ledger.entries(), ask),
    totals: () => ask('ledger', () => ledger.totals()),
    ...(ledger.page !== undefined && { page: summed(ledger.page.bind(ledger) as NonNullable<EntrySource['page']>) }),
    ...(ledger.sums !== undefined && { sums: summed(ledger.sums.bind(ledger) as NonNullable<EntrySource['sums']>) }),
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
