// A sink that never sees what was chosen to be hidden: entries are anonymised before they are handed on. What is read is what was written.

import { anonymiseAssigned, anonymiseEntry, Anonymiser, isAssignment, parseAnonymised, type AnonymisableField, type AnonymisingOptions, type LedgerEntry } from '../ledger/index.js'
import type { EntrySink } from './auditing.js'
import type { MaybePromise } from './maybe-promise.js'

/** The fields that say which scope an entry is of: without them no audit can find its counters. */
const SCOPE_BEARING = /^(tenant|userId|tier|sessionId|scopes\..*)$/

/**
 * A sink in front of another one, to which chosen fields go replaced: `[redacted]` where the replacing fails, so that neither the entry nor
 * anything readable is written wrong. Ids, amounts and times are kept: writing again writes nothing twice. Reading passes through: filters
 * find what was written, so ask for the replaced texts. Alerts are handed on only where no scope is hidden, since they name theirs; the
 * tracker's events tell them in any case. Spend that is booked to a client is read back from the sink, where it was replaced before: only the
 * client is replaced in it. A store that keeps its ledger itself keeps what it is given. Throws `InvalidConfigError`.
 */
export function anonymised(sink: EntrySink, options: AnonymisingOptions): EntrySink {
  const parsed = parseAnonymised(options)
  const hidesScopes = parsed.fields.some((field) => SCOPE_BEARING.test(field))
  const asked = new Anonymiser(parsed)
  const { page, sums, announce } = sink
  // Whether a ledger is complete is asked of the sink that a store has.
  const { isBounded } = sink
  return {
    write: (entries) => {
      const anonymiser = new Anonymiser(parsed)
      const write = (hidden: readonly LedgerEntry[]): MaybePromise<void> => {
        if (anonymiser.failure !== undefined) tell(parsed, anonymiser.failure.error, anonymiser.failure.field)
        return sink.write(hidden)
      }
      if (entries.some(isAssignment)) return anonymiseAssigned(entries, anonymiser, sink).then(write)
      return write(entries.map((entry) => anonymiseEntry(entry, anonymiser)))
    },
    entries: () => sink.entries(),
    ...(page !== undefined && { page: page.bind(sink) }),
    ...(sums !== undefined && { sums: sums.bind(sink) }),
    ...(announce !== undefined && !hidesScopes && { announce: announce.bind(sink) }),
    ...(isBounded !== undefined && { isBounded }),
    hides: (field) => asked.hides(field) || (sink.hides === undefined ? sink.isAnonymised === true : sink.hides(field)),
    ...((hidesScopes || sink.isAnonymised === true) && { isAnonymised: true }),
  }
}

/** What it says is not repeated: it may have the text in it. */
function tell({ onFailure }: AnonymisingOptions, error: unknown, field: AnonymisableField): void {
  if (onFailure === undefined) {
    const message = `bursar: the anonymiser failed on ${field}; "[redacted]" was written in its place. Give onFailure to see the error.`
    if (globalThis.process?.emitWarning === undefined) console.warn(message)
    else globalThis.process.emitWarning(message, 'BursarWarning')
    return
  }
  try {
    onFailure(error, field)
  } catch {
    // Entries are written whoever fails to hear of it.
  }
}
