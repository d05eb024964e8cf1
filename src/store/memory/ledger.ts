// The ledger in memory: the newest entries in a ring, and running sums over all that ever were. Entries are kept as references
// to their charges and written out when somebody reads them.

import { RunningTotals, type ChargedWindow, type LedgerEntry, type LedgerKind, type LedgerTotals } from '../../ledger/index.js'
import { READING_SIZE, type LedgerSink } from '../contract.js'
import type { Charge } from './charge.js'

interface Line {
  /** The order of writing, over both rings. */
  readonly number: number
  readonly kind: LedgerKind
  readonly at: number
  readonly charge: Charge
  readonly microcents: number
  readonly tokens: number
  readonly correction: number
  readonly reason: string | undefined
}

interface Note {
  readonly number: number
  readonly entry: LedgerEntry
}

/** A bounded ledger. What carries no money has a ring of its own, so that a flood of denials does not push out what was spent. */
export class MemoryLedger implements LedgerSink {
  readonly #lines: Ring<Line>
  readonly #notes: Ring<Note>
  readonly #totals = new RunningTotals()
  #written = 0

  constructor(capacity: number) {
    this.#lines = new Ring(capacity)
    this.#notes = new Ring(capacity)
  }

  append(entry: LedgerEntry): void {
    this.#notes.put({ number: (this.#written += 1), entry })
  }

  /** Writes one change of money of a charge. */
  write(kind: LedgerKind, charge: Charge, at: number, microcents: number, tokens: number, reason?: string): void {
    if (kind !== 'released') this.#totals.add(microcents, tokens, charge.model, charge.request.facts.provider, charge.request.facts.tier)
    const correction = kind === 'corrected' ? (charge.corrections += 1) : 0
    this.#lines.put({ number: (this.#written += 1), kind, at, charge, microcents, tokens, correction, reason })
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    const kept = [...this.#lines.fromOldest(), ...this.#notes.fromOldest()].sort((a, b) => a.number - b.number)
    for (const written of kept) yield 'entry' in written ? written.entry : writtenOut(written)
  }

  /** The charges behind the kept entries, newest first by their ending: a correction makes an old charge no newer. */
  *chargesFromNewest(): Generator<Charge> {
    for (const { charge, kind } of this.#lines.fromOldest().reverse()) if (kind !== 'corrected') yield charge
  }

  totals(): LedgerTotals {
    return this.#totals.snapshot()
  }
}

/** The newest of what was put in, up to a number. */
class Ring<T> {
  readonly #capacity: number
  readonly #kept: T[] = []
  #oldest = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  put(item: T): void {
    if (this.#kept.length < this.#capacity) {
      this.#kept.push(item)
      return
    }
    this.#kept[this.#oldest] = item
    this.#oldest = (this.#oldest + 1) % this.#capacity
  }

  fromOldest(): T[] {
    return [...this.#kept.slice(this.#oldest), ...this.#kept.slice(0, this.#oldest)]
  }
}

function writtenOut({ kind, at, charge, microcents, tokens, correction, reason }: Line): LedgerEntry {
  const { facts } = charge.request
  return Object.freeze({
    id: `${charge.id}:${kind}${correction > 0 ? `:${correction}` : ''}`,
    kind,
    at,
    decisionId: charge.id,
    tenant: facts.user.tenant,
    userId: facts.user.userId,
    tier: facts.tier,
    sessionId: facts.sessionId,
    provider: facts.provider,
    requestedModel: facts.model,
    model: charge.model,
    microcents,
    tokens,
    estimatedMicrocents: charge.held.microcents,
    openedAt: charge.openedAt,
    charged: chargedWindows(charge),
    reason,
    metadata: facts.metadata,
  })
}

function chargedWindows(charge: Charge): ChargedWindow[] {
  const charged: ChargedWindow[] = []
  let at = 0
  for (const { scope, windows } of charge.request.scopes) {
    for (const terms of windows) {
      charged.push({ scope, window: terms.window, startsAt: terms.source.kind === 'calendar' ? (charge.readings[at] as number) : charge.endedAt })
      at += READING_SIZE
    }
  }
  return charged
}
