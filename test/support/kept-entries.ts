// A sink that keeps everything, in memory: what a ledger outside of a store knows when the store has lost its data.

import type { EntrySink, LedgerEntry } from '../../src/index.js'

/** Each entry once, by id and time, in the order in which they came. */
export class KeptEntries implements EntrySink {
  readonly kept = new Map<string, LedgerEntry>()

  write(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) this.kept.set(`${entry.id} ${entry.at}`, entry)
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    yield* this.kept.values()
  }
}
