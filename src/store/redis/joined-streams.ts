// The streams of all data sets as one ledger, merged by time. How far each was read is kept apart: what is written to one of them while
// others are read is not passed over.

import { matches, noCursor, type Conditions, type EntryPage, type EntrySource, type LedgerEntry } from '../../ledger/index.js'
import { FIRST, parsePosition, positionText, type Placed, type Position, type Streams } from './streams.js'

/** See the head of this file. */
export class JoinedStreams implements EntrySource {
  readonly #all: readonly Streams[]

  constructor(all: readonly Streams[]) {
    this.#all = all
  }

  async *entries(): AsyncIterable<LedgerEntry> {
    for await (const [, { entry }] of this.#from(new Map())) yield entry
  }

  async page(conditions: Conditions, limit: number, after?: string): Promise<EntryPage> {
    const entries: LedgerEntry[] = []
    const reached = after === undefined ? new Map<number, Position>() : this.#positionsIn(after)
    for await (const [index, { entry, position }] of this.#from(reached)) {
      if (!matches(entry, conditions)) continue
      if (entries.length === limit) return { entries, next: JSON.stringify([...reached].map(([set, at]) => [set, positionText(at)])) }
      entries.push(entry)
      reached.set(index, position)
    }
    return { entries }
  }

  async *#from(positions: ReadonlyMap<number, Position>): AsyncGenerator<readonly [index: number, placed: Placed]> {
    const iterators = this.#all.map((streams, index) => streams.from(positions.get(index) ?? FIRST))
    const heads = await Promise.all(iterators.map((iterator) => iterator.next()))
    for (;;) {
      let earliest = -1
      heads.forEach((head, index) => {
        if (head.done === true) return
        const best = heads[earliest]
        if (best === undefined || best.done === true || head.value.entry.at < best.value.entry.at) earliest = index
      })
      if (earliest < 0) return
      yield [earliest, (heads[earliest] as IteratorYieldResult<Placed>).value]
      heads[earliest] = await (iterators[earliest] as AsyncGenerator<Placed>).next()
    }
  }

  #positionsIn(after: string): Map<number, Position> {
    const positions = new Map<number, Position>()
    for (const [set, at] of listIn(after)) {
      if (!(Number.isSafeInteger(set) && (set as number) >= 0 && (set as number) < this.#all.length)) throw noCursor(after)
      positions.set(set as number, parsePosition(at))
    }
    return positions
  }
}

function listIn(after: string): readonly (readonly unknown[])[] {
  try {
    const parsed = JSON.parse(after) as unknown
    if (Array.isArray(parsed) && parsed.every(Array.isArray)) return parsed as unknown[][]
  } catch {
    // Said below.
  }
  throw noCursor(after)
}
