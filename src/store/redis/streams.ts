// The two streams that ledger entries are appended to, read as one ledger in the order of writing: whole, or from where a page ended.
// Whatever is appended or cut meanwhile, nothing comes twice.

import { matches, noCursor, type Conditions, type EntryPage, type EntrySource, type LedgerEntry } from '../../ledger/index.js'
import type { Effect } from '../contract.js'
import type { Connection } from './connection.js'
import { unpackAlert, unpackEntry } from './entries.js'

const READ_AT_ONCE = 500
const BEGINNING = '0-0'

/** One item of a stream. */
export interface Item {
  readonly id: string
  readonly stream: 'outbox' | 'notes'
  readonly entry: LedgerEntry | undefined
  readonly alert: Extract<Effect, { kind: 'threshold' }> | undefined
  /** Of a note: the item of the outbox after which it was written. */
  readonly after: string
}

/** How far each stream was read: the ids of the last items. */
export interface Position {
  readonly outbox: string
  readonly notes: string
}

/** An entry, and how far was read with it. */
export interface Placed {
  readonly entry: LedgerEntry
  readonly position: Position
}

/** Before everything. */
export const FIRST: Position = Object.freeze({ outbox: BEGINNING, notes: BEGINNING })

/** The ledger that stands in the streams of one data set. */
export class Streams implements EntrySource {
  readonly #connection: Connection

  constructor(connection: Connection) {
    this.#connection = connection
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    for await (const { entry } of this.from(FIRST)) yield entry
  }

  async page(conditions: Conditions, limit: number, after?: string): Promise<EntryPage> {
    const entries: LedgerEntry[] = []
    let reached = after === undefined ? FIRST : parsePosition(after)
    for await (const { entry, position } of this.from(reached)) {
      if (!matches(entry, conditions)) continue
      if (entries.length === limit) return { entries, next: positionText(reached) }
      entries.push(entry)
      reached = position
    }
    return { entries }
  }

  /** What stands behind a position, in the order of writing. */
  async *from({ outbox, notes }: Position): AsyncGenerator<Placed> {
    await this.#connection.fields()
    for await (const { id, stream, entry } of this.#merged(outbox, notes)) {
      if (stream === 'outbox') outbox = id
      else notes = id
      if (entry !== undefined) yield { entry, position: { outbox, notes } }
    }
  }

  /** The first items of both streams, up to 500, in the order of writing. */
  async first(): Promise<Item[]> {
    const first: Item[] = []
    for await (const item of this.#merged(BEGINNING, BEGINNING)) if (first.push(item) === READ_AT_ONCE) break
    return first
  }

  /** Removes items: somebody else has what was in them. */
  async remove(items: readonly Item[]): Promise<void> {
    for (const stream of ['outbox', 'notes'] as const) {
      const ids = items.filter((item) => item.stream === stream).map(({ id }) => id)
      if (ids.length > 0) await this.#connection.command('XDEL', this.#keyOf(stream), ...ids)
    }
  }

  async *#merged(outbox: string, notes: string): AsyncGenerator<Item> {
    const charged = this.#behind('outbox', outbox)
    const noted = this.#behind('notes', notes)
    let [first, second] = [await charged.next(), await noted.next()]
    while (first.done !== true || second.done !== true) {
      if (second.done === true || (first.done !== true && !isBefore(second.value.after, first.value.id))) {
        yield first.value as Item
        first = await charged.next()
      } else {
        yield second.value
        second = await noted.next()
      }
    }
  }

  async *#behind(stream: Item['stream'], after: string): AsyncGenerator<Item> {
    for (;;) {
      const items = (await this.#connection.command('XRANGE', this.#keyOf(stream), `(${after}`, '+', 'COUNT', READ_AT_ONCE)) as [Buffer, Buffer[]][]
      for (const [id, [, item, , second]] of items) yield itemOf(id.toString(), stream, item as Buffer, second)
      if (items.length < READ_AT_ONCE) return
      after = (items.at(-1) as [Buffer, Buffer[]])[0].toString()
    }
  }

  #keyOf(stream: Item['stream']): string {
    return this.#connection.keys[stream === 'outbox' ? 5 : 6] as string
  }
}

/** Beside what it is, an item of the outbox may have the details of a cost, and a note has its place. */
function itemOf(id: string, stream: Item['stream'], item: Buffer, second: Buffer | undefined): Item {
  const isNote = stream === 'notes'
  return { id, stream, entry: unpackEntry(item, isNote ? undefined : second), alert: unpackAlert(item), after: (isNote && second?.toString()) || '' }
}

function isBefore(a: string, b: string): boolean {
  const [aTime, aCount] = a.split('-').map(Number) as [number, number]
  const [bTime, bCount] = b.split('-').map(Number) as [number, number]
  return aTime < bTime || (aTime === bTime && aCount < bCount)
}

/** A position as text. */
export function positionText({ outbox, notes }: Position): string {
  return `${outbox}/${notes}`
}

/** A position from its text. Throws `InvalidRequestError` for any other. */
export function parsePosition(after: unknown): Position {
  const [, outbox, notes] = (typeof after === 'string' && /^(\d{1,19}-\d{1,19})\/(\d{1,19}-\d{1,19})$/.exec(after)) || []
  if (outbox === undefined || notes === undefined) throw noCursor(after)
  return { outbox, notes }
}
