// The ledger in memory: the newest entries in a ring, and running sums over all that ever were. Entries are kept as references
// to their charges and written out when somebody reads them.

import { RunningTotals, type ChargedWindow, type Conditions, type CostDetails, type EntryPage, type LedgerEntry, type LedgerKind, type LedgerRung, type LedgerTotals } from '../../ledger/index.js'
import { modelOf, READING_SIZE, type LedgerSink } from '../contract.js'
import type { Charge, ChargePool } from './charge.js'
import { mergedRings, pageOfRings, Ring } from './ring.js'

/** One change of money. A line that falls out of the ring is written over: see {@link Charge} for why. */
class Line {
  /** The order of writing, over both rings. */
  number = 0
  kind: LedgerKind = 'settled'
  at = 0
  charge: Charge
  microcents = 0
  tokens = 0
  correction = 0
  details: CostDetails | undefined
  reason: string | undefined
  /** As they were then: a late settle may name others. */
  model: string | undefined
  provider: string | undefined
  /** The instants whose buckets its amounts are in. */
  microcentsAt = 0
  tokensAt = 0

  constructor(charge: Charge) {
    this.charge = charge
  }
}

interface Note {
  readonly number: number
  readonly entry: LedgerEntry
}

/**
 * A bounded ledger. What carries no money has a ring of its own, so that a flood of denials does not push out what was spent; and
 * so have what audits have appended, which belongs to no charge, and what moves spend, of which half would be worse than nothing: that ring
 * takes what fits, and loses nothing.
 */
export class StoreLedger implements LedgerSink {
  readonly #lines: Ring<Line>
  readonly #notes: Ring<Note>
  readonly #appended: Ring<Note>
  readonly #moved: Ring<Note>
  readonly #capacity: number
  readonly #rings: readonly Ring<Line | Note>[]
  readonly #pool: ChargePool
  readonly #totals = new RunningTotals()
  #written = 0
  #complete = true

  constructor(capacity: number, pool: ChargePool) {
    this.#lines = new Ring(capacity)
    this.#notes = new Ring(capacity)
    this.#appended = new Ring(capacity)
    this.#moved = new Ring(capacity)
    this.#capacity = capacity
    this.#rings = [this.#lines, this.#notes, this.#appended, this.#moved] as readonly Ring<Line | Note>[]
    this.#pool = pool
  }

  /** Whether every entry that carries money is still kept. */
  get complete(): boolean {
    return this.#complete
  }

  /** How many entries {@link move} takes: none where what they would move may be gone. */
  get room(): number {
    return this.#complete ? this.#capacity - this.#moved.size : 0
  }

  append(...entries: readonly LedgerEntry[]): void {
    for (const entry of entries) this.#notes.put({ number: (this.#written += 1), entry })
  }

  /** Appends an entry that charges money for no charge of this store's. */
  charge(entry: LedgerEntry): void {
    this.#totals.add(entry.microcents, entry.tokens, entry.model, entry.provider, entry.tier)
    if (this.#appended.put({ number: (this.#written += 1), entry })) this.#complete = false
  }

  /** Appends an entry that moves what was charged before. There must be room for it. */
  move(entry: LedgerEntry): void {
    this.#moved.put({ number: (this.#written += 1), entry })
  }

  /** Writes one change of money of a charge: how its cost was found, why it was changed, and the instants whose rolling buckets it changed. */
  write(kind: LedgerKind, charge: Charge, at: number, microcents: number, tokens: number, details?: CostDetails, reason?: string, microcentsAt = at, tokensAt = at): void {
    if (kind !== 'released') this.#totals.add(microcents, tokens, charge.model, charge.provider, charge.facts.tier)
    const correction = kind === 'corrected' ? (charge.corrections += 1) : 0
    const line = this.#lines.next ?? new Line(charge)
    charge.holders += 1
    if (this.#lines.put(line)) {
      this.#complete = false
      this.#pool.letGo(line.charge)
    }
    line.number = this.#written += 1
    line.kind = kind
    line.at = at
    line.charge = charge
    line.microcents = microcents
    line.tokens = tokens
    line.correction = correction
    line.details = details
    line.reason = reason
    line.model = charge.model
    line.provider = charge.provider
    line.microcentsAt = microcentsAt
    line.tokensAt = tokensAt
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    // Written out before the reader gets the first: by the time of the second a line may be another's.
    yield* this.written()
  }

  /** The entries that are kept, oldest first. */
  written(): LedgerEntry[] {
    return Array.from(mergedRings(this.#rings), entryOf)
  }

  page(conditions: Conditions, limit: number, after?: string): EntryPage {
    return pageOfRings(this.#rings, entryOf, this.#written, conditions, limit, after)
  }

  /** The charges behind the kept entries, newest first by their ending: a correction makes an old charge no newer. */
  chargesFromNewest(): Charge[] {
    const endings = this.#lines.fromOldest().filter(({ kind }) => kind !== 'corrected')
    return endings.reverse().map(({ charge }) => charge)
  }

  totals(): LedgerTotals {
    return this.#totals.snapshot()
  }
}

function entryOf(written: Line | Note): LedgerEntry {
  return written instanceof Line ? writtenOut(written) : written.entry
}

function writtenOut(line: Line): LedgerEntry {
  const { kind, at, charge, microcents, tokens, correction, details, reason, model, provider } = line
  const { facts } = charge
  return Object.freeze({
    id: `${charge.id}:${kind}${correction > 0 ? `:${correction}` : ''}`,
    kind,
    at,
    decisionId: charge.id,
    tenant: facts.user.tenant,
    userId: facts.user.userId,
    tier: facts.tier,
    sessionId: facts.sessionId,
    scopes: facts.scopes,
    provider,
    requestedModel: facts.model,
    model,
    microcents,
    tokens,
    estimatedMicrocents: charge.heldMicrocents,
    estimatedTokens: charge.heldTokens,
    rungs: rungsOf(charge),
    openedAt: charge.openedAt,
    charged: chargedWindows(line),
    reason,
    details,
    metadata: facts.metadata,
  })
}

function rungsOf({ rungs, facts }: Charge): LedgerRung[] | undefined {
  return rungs.length > 1 ? rungs.map(({ microcents, tokens }, rung) => ({ model: modelOf(facts, rung), microcents, tokens })) : undefined
}

function chargedWindows({ charge, microcentsAt, tokensAt }: Line): ChargedWindow[] {
  const charged: ChargedWindow[] = []
  let at = 0
  for (const { scope, windows } of charge.scopes) {
    for (const terms of windows) {
      const countedAt = terms.unit === 'usd' ? microcentsAt : terms.unit === 'tokens' ? tokensAt : charge.openedAt
      const startsAt = terms.source.kind === 'calendar' ? (charge.readings[at] as number) : countedAt
      at += READING_SIZE
      if (terms.unit !== 'requests' || !charge.uncounted) charged.push({ scope, window: terms.window, startsAt })
    }
  }
  return charged
}
