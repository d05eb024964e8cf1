// The ledger of a store: entries as rows, written in the transaction that changes the money, and running sums that are brought up to
// date every so often, so that neither a request nor a summary pays for all that ever was.

import { MAX_NAMES, OTHERS, UNKNOWN, type Conditions, type CostDetails, type EntryField, type EntryPage, type EntrySum, type LedgerEntry, type LedgerKind, type LedgerRung, type LedgerTotals, type ModelTotals } from '../../ledger/index.js'
import { modelOf, READING_SIZE, type LedgerSink, type ScopeTerms, type WindowTerms } from '../contract.js'
import type { ChargeLedger } from '../counting/life.js'
import type { MaybePromise } from '../maybe-promise.js'
import type { ChargeTable, StoredCharge } from './charges.js'
import type { Connection } from './connection.js'
import { perform, type SqliteStatement } from './driver.js'
import type { EndingTable } from './endings.js'
import { entryInsert, EntryReader, jsonOf, valuesOf } from './entries.js'
import { EntryQueries } from './queries.js'

/** How many entries may stand outside the sums, and outside the index of endings. */
const MOST_UNSUMMED = 4_096
const DIMENSIONS = { all: "''", model: 'model', provider: 'provider', tier: 'tier' } as const

interface SumRow {
  readonly dimension: string
  readonly name: string
  readonly microcents: number
  readonly tokens: number
  readonly entries: number
}

/** The table of entries with its sums. */
export class StoreLedger implements LedgerSink, ChargeLedger {
  readonly #connection: Connection
  readonly #charges: ChargeTable
  readonly #endings: EndingTable
  readonly #reader: EntryReader
  readonly #queries: EntryQueries
  readonly #insert: SqliteStatement
  readonly #sums: SqliteStatement
  readonly #addSum: SqliteStatement
  readonly #tails: readonly SqliteStatement[]
  readonly #summed: SqliteStatement
  readonly #setSummed: SqliteStatement
  #last = 0

  constructor(connection: Connection, charges: ChargeTable, endings: EndingTable) {
    this.#connection = connection
    this.#charges = charges
    this.#endings = endings
    this.#reader = new EntryReader(connection)
    this.#queries = new EntryQueries(connection)
    this.#insert = entryInsert(connection)
    this.#sums = connection.prepare('SELECT dimension, name, microcents, tokens, entries FROM sum ORDER BY rowid')
    this.#addSum = connection.prepare('INSERT INTO sum (dimension, name, microcents, tokens, entries) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET microcents = microcents + excluded.microcents, tokens = tokens + excluded.tokens, entries = entries + excluded.entries')
    // What moves spend from one client to another (it says its calls) was summed when it was charged.
    this.#tails = Object.entries(DIMENSIONS).map(([dimension, column]) =>
      connection.prepare(`
        SELECT '${dimension}' AS dimension, coalesce(${column}, '${UNKNOWN}') AS name, total(microcents) AS microcents, total(tokens) AS tokens, count(*) AS entries
        FROM entry WHERE seq > ? AND seq <= ? AND kind IN ('settled', 'expired', 'recorded', 'corrected') AND calls IS NULL GROUP BY 2 ORDER BY min(seq)`),
    )
    this.#summed = connection.prepare('SELECT summed FROM head')
    this.#setSummed = connection.prepare('UPDATE head SET summed = ?')
  }

  append(...entries: readonly LedgerEntry[]): void {
    const write = (): void => {
      for (const entry of entries) perform(this.#insert, ...valuesOf(entry))
    }
    if (entries.length > 1) this.#connection.write(write)
    else this.#connection.once(write)
  }

  /** The same within a transaction. */
  add(entry: LedgerEntry): void {
    this.#last = Number(this.#insert.run(...valuesOf(entry)).lastInsertRowid)
  }

  entries(until?: number): AsyncIterable<LedgerEntry> {
    return this.#reader.entries(until)
  }

  page(conditions: Conditions, limit: number, after?: string): EntryPage {
    return this.#queries.page(conditions, limit, after)
  }

  part(conditions: Conditions, limit: number, after?: string): EntryPage {
    return this.#queries.part(conditions, limit, after)
  }

  sums(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): MaybePromise<readonly EntrySum[]> {
    return this.#queries.sums(conditions, by, boundaries)
  }

  totals(): LedgerTotals {
    return this.#connection.read(() => {
      const known = new Sums(this.#sums.all() as SumRow[])
      known.addAll(this.#tail(this.summed(), this.#reader.last()))
      return known.totals()
    })
  }

  /** The number of the last entry. */
  last(): number {
    return this.#reader.last()
  }

  /** A transaction begins: what one that was rolled back has written is not there. */
  begin(): void {
    this.#last = 0
  }

  /** Brings the sums and the index of endings up to date if many entries have come since. Called at the end of a transaction. */
  sumUp(summed: number): void {
    if (this.#last - summed < MOST_UNSUMMED) return
    const known = new Sums(this.#sums.all() as SumRow[])
    for (const { dimension, name, microcents, tokens, entries } of known.placed(this.#tail(summed, this.#last))) perform(this.#addSum, dimension, name, microcents, tokens, entries)
    this.#endings.index(summed, this.#last)
    perform(this.#setSummed, this.#last)
  }

  write(kind: LedgerKind, charge: StoredCharge, at: number, microcents: number, tokens: number, details?: CostDetails, reason?: string, microcentsAt = at, tokensAt = at): void {
    const { id, facts, heldMicrocents, heldTokens, openedAt, model, provider } = charge
    const { user, tier, sessionId, scopes, model: requestedModel, metadata } = facts
    const isCorrection = kind === 'corrected'
    const number = isCorrection ? `:${(charge.corrections += 1)}` : ''
    const { lastInsertRowid } = this.#insert.run(
      `${id}:${kind}${number}`, kind, at, id, user.tenant ?? null, user.userId, tier ?? null, sessionId ?? null, provider ?? null, requestedModel ?? null, model ?? null,
      microcents, tokens, heldMicrocents, openedAt, chargedJson(charge, microcentsAt, tokensAt), reason ?? null, jsonOf(metadata), jsonOf(details),
      jsonOf(scopes), heldTokens, jsonOf(rungsOf(charge)), null, isCorrection ? null : this.#charges.placedOf(charge),
    ) // prettier-ignore
    this.#last = Number(lastInsertRowid)
    if (!isCorrection) charge.entry = this.#last
  }

  /** Up to which entry sums and index go. */
  summed(): number {
    return (this.#summed.get() as { readonly summed: number }).summed
  }

  #tail(after: number, until: number): SumRow[] {
    return this.#tails.flatMap((tail) => tail.all(after, until) as SumRow[])
  }
}

/** Sums by dimension and name, bounded in number. */
class Sums {
  readonly #sums = new Map<string, Map<string, { microcents: number; tokens: number; entries: number }>>(Object.keys(DIMENSIONS).map((dimension) => [dimension, new Map()]))

  constructor(rows: readonly SumRow[]) {
    this.addAll(rows)
  }

  addAll(rows: readonly SumRow[]): void {
    for (const { dimension, name, microcents, tokens, entries } of this.placed(rows)) {
      const sum = this.#sums.get(dimension)?.get(name) as { microcents: number; tokens: number; entries: number }
      sum.microcents += microcents
      sum.tokens += tokens
      sum.entries += entries
    }
  }

  /** The rows under the names that they count under. */
  placed(rows: readonly SumRow[]): SumRow[] {
    return rows.map((row) => {
      const sums = this.#sums.get(row.dimension) as Map<string, { microcents: number; tokens: number; entries: number }>
      const name = sums.has(row.name) || sums.size < MAX_NAMES ? row.name : OTHERS
      if (!sums.has(name)) sums.set(name, { microcents: 0, tokens: 0, entries: 0 })
      return { ...row, name }
    })
  }

  totals(): LedgerTotals {
    const all = this.#sums.get('all')?.get('') ?? { microcents: 0, tokens: 0, entries: 0 }
    const by = (dimension: string): ReadonlyMap<string, ModelTotals> => this.#sums.get(dimension) as ReadonlyMap<string, ModelTotals>
    return { ...all, byModel: by('model'), byProvider: by('provider'), byTier: by('tier') }
  }
}

/** What was held, or would have been, on each model that was open to a request; of one alone the entry's own columns say it. */
function rungsOf({ rungs, facts }: StoredCharge): LedgerRung[] | undefined {
  return rungs.length > 1 ? rungs.map(({ microcents, tokens }, rung) => ({ model: modelOf(facts, rung), microcents, tokens })) : undefined
}

/** What of an entry's JSON is the same for all requests with these windows: by window, what stands before the instant. */
const fragments = new WeakMap<readonly WindowTerms[], readonly string[]>()

/** The charged windows of an entry in JSON, put together by hand: it is written for every request. */
function chargedJson({ scopes, readings, openedAt, uncounted }: StoredCharge, microcentsAt: number, tokensAt: number): string {
  let json = ''
  let at = 0
  for (const { scope, windows } of scopes) {
    const scopeJson = JSON.stringify(scope)
    const names = fragmentsOf(windows)
    for (let position = 0; position < windows.length; position += 1) {
      const { unit, source } = windows[position] as WindowTerms
      const startsAt = readings[at] as number
      at += READING_SIZE
      if (unit === 'requests' && uncounted) continue
      const instant = source.kind === 'calendar' ? startsAt : unit === 'usd' ? microcentsAt : unit === 'tokens' ? tokensAt : openedAt
      json += `${json === '' ? '' : ','}{"scope":${scopeJson}${names[position]}${instant}}`
    }
  }
  return `[${json}]`
}

function fragmentsOf(windows: ScopeTerms['windows']): readonly string[] {
  let known = fragments.get(windows)
  if (known === undefined) {
    known = windows.map(({ window }) => `,"window":${JSON.stringify(window)},"startsAt":`)
    fragments.set(windows, known)
  }
  return known
}
