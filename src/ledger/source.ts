// Reading a ledger wherever it is kept: whole, page by page, and summed by fields and stretches of time. A source that can do it better
// than by reading everything says so; what it must give is what stands here.

import { InvalidRequestError } from '../errors/index.js'
import { ExactSum } from '../money/index.js'
import { callsOf, type LedgerEntry } from './entry.js'
import { matches, textOf, type Conditions, type EntryField } from './filter.js'

/** Some entries, and where the next ones begin. */
export interface EntryPage {
  readonly entries: readonly LedgerEntry[]
  /** Give it back to go on; absent after the last entry. Opaque, and good for as long as the ledger keeps its entries. */
  readonly next?: string | undefined
}

/** What entries of one group add up to. Exact, however many they are. */
export interface EntrySum {
  /** Which stretch of time: `boundaries[bucket]` up to the next one. 0 where there are none. */
  readonly bucket: number
  /** The texts of the fields that it was grouped by; `undefined` for entries without the field. */
  readonly texts: readonly (string | undefined)[]
  readonly entries: number
  readonly calls: number
  readonly denials: number
  readonly tokens: bigint
  readonly microcents: bigint
}

/** A ledger that can be read. */
export interface EntrySource {
  /** Everything that is kept, in the order of writing. */
  entries(): AsyncIterable<LedgerEntry>
  /**
   * Up to `limit` entries that match, in the order of writing, after those that `after` (the `next` of a page) stands behind. No entry
   * is missed or comes twice, also while others are written. Throws `InvalidRequestError` for an `after` of something else. Absent: all is read.
   */
  page?(conditions: Conditions, limit: number, after?: string): EntryPage | Promise<EntryPage>
  /**
   * The same for a source that answers at once, which looks at no more entries than a process can wait for: a page may have fewer than
   * `limit`, or none, though its `next` says that it goes on. Absent: {@link page} is asked.
   */
  part?(conditions: Conditions, limit: number, after?: string): EntryPage
  /**
   * What the entries that match add up to, by the texts of fields and by stretches of time: `boundaries` ascend, n + 1 of them are n
   * stretches (start included, end not), and what was written outside is left out; without any, time does not matter. Groups of which there
   * is no entry are left out; in no order. Absent: all is read.
   */
  sums?(conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[]): readonly EntrySum[] | Promise<readonly EntrySum[]>
}

/** How many entries are looked at, and how many are given, before the process may turn to something else: some milliseconds. */
const LOOKED_AT = 1_000
const GIVEN = 125

/** How many entries are asked for at once where somebody reads them all; of what answers at once fewer. */
const PAGE = 1_000
const PART = 500

/** The entries that match, in the order of writing, in memory of one page. However fast they are read, the process has its turn in between. */
export async function* entriesOf(source: EntrySource, conditions: Conditions): AsyncIterable<LedgerEntry> {
  const { page, part } = source
  const next = part === undefined ? page?.bind(source, conditions, PAGE) : part.bind(source, conditions, PART)
  if (next === undefined) {
    let looked = 0
    for await (const entry of source.entries()) {
      if ((looked += 1) % GIVEN === 0) await nextTurn()
      if (matches(entry, conditions)) yield entry
    }
    return
  }
  for (let after: string | undefined; ; ) {
    const { entries, next: place } = await next(after)
    for (let given = 0; given < entries.length; given += GIVEN) {
      yield* entries.slice(given, given + GIVEN)
      await nextTurn()
    }
    if (place === undefined) return
    if (entries.length === 0) await nextTurn()
    after = place
  }
}

/** See {@link EntrySource.page}: by the source itself, or by reading everything. */
export async function pageOf(source: EntrySource, conditions: Conditions, limit: number, after?: string): Promise<EntryPage> {
  if (source.part !== undefined) return pageOfParts((place, most) => (source as Required<EntrySource>).part(conditions, most, place), limit, after)
  if (source.page !== undefined) return source.page(conditions, limit, after)
  const last = after === undefined ? undefined : parseIdentity(after)
  const found = await scanned(source, conditions, limit, last)
  // What the last page ended with is no longer kept: then all that is kept came after it.
  return found ?? ((await scanned(source, conditions, limit, undefined)) as EntryPage)
}

async function pageOfParts(part: (after: string | undefined, limit: number) => EntryPage, limit: number, after: string | undefined): Promise<EntryPage> {
  const all: LedgerEntry[] = []
  let place = after
  while (all.length < limit) {
    const { entries, next } = part(place, limit - all.length)
    all.push(...entries)
    if (next === undefined) return { entries: all }
    place = next
    await nextTurn()
  }
  // Whether another one matches may be found far behind the last.
  for (let ahead = place; ; await nextTurn()) {
    const { entries, next } = part(ahead, 1)
    if (entries.length > 0) return { entries: all, next: place as string }
    if (next === undefined) return { entries: all }
    ahead = next
  }
}

/** See {@link EntrySource.sums}: by the source itself, or by reading everything. */
export async function sumsOf(source: EntrySource, conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[] = []): Promise<readonly EntrySum[]> {
  if (source.sums !== undefined) return source.sums(conditions, by, boundaries)
  const groups = new Map<string, Group>()
  let seen = 0
  for await (const entry of entriesOf(source, conditions)) {
    if ((seen += 1) % LOOKED_AT === 0) await nextTurn()
    const bucket = bucketOf(entry.at, boundaries)
    if (bucket === undefined) continue
    const texts = by.map((field) => textOf(entry, field))
    const key = JSON.stringify([bucket, ...texts.map((text) => text ?? null)])
    let group = groups.get(key)
    if (group === undefined) {
      group = new Group(bucket, texts)
      groups.set(key, group)
    }
    group.add(entry)
  }
  return [...groups.values()].map((group) => group.sum)
}

/** Lets the process do what it has to: what answers at once would keep it from everything else for as long as it is asked. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => void (globalThis.setImmediate ?? setTimeout)(resolve))
}

/** Which stretch an instant is in; `undefined` for none. */
export function bucketOf(instant: number, boundaries: readonly number[]): number | undefined {
  if (boundaries.length === 0) return 0
  let low = 0
  let high = boundaries.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((boundaries[middle] as number) <= instant) low = middle + 1
    else high = middle
  }
  return low === 0 || low === boundaries.length ? undefined : low - 1
}

class Group {
  readonly #bucket: number
  readonly #texts: readonly (string | undefined)[]
  readonly #microcents = new ExactSum()
  readonly #tokens = new ExactSum()
  #entries = 0
  #calls = 0
  #denials = 0

  constructor(bucket: number, texts: readonly (string | undefined)[]) {
    this.#bucket = bucket
    this.#texts = texts
  }

  add(entry: LedgerEntry): void {
    this.#microcents.add(entry.microcents)
    this.#tokens.add(entry.tokens)
    this.#entries += 1
    this.#calls += callsOf(entry)
    if (entry.kind === 'denied') this.#denials += 1
  }

  get sum(): EntrySum {
    return { bucket: this.#bucket, texts: this.#texts, entries: this.#entries, calls: this.#calls, denials: this.#denials, tokens: this.#tokens.value, microcents: this.#microcents.value }
  }
}

type Identity = readonly [id: string, at: number, openedAt: number | null]

/** A page of what comes after an entry; `undefined` where that entry is not there. */
async function scanned(source: EntrySource, conditions: Conditions, limit: number, last: Identity | undefined): Promise<EntryPage | undefined> {
  const entries: LedgerEntry[] = []
  let begun = last === undefined
  for await (const entry of source.entries()) {
    if (!begun) begun = isEntry(entry, last as Identity)
    else if (matches(entry, conditions)) {
      if (entries.length === limit) return { entries, next: identityOf(entries.at(-1) as LedgerEntry) }
      entries.push(entry)
    }
  }
  return begun ? { entries } : undefined
}

function identityOf({ id, at, openedAt }: LedgerEntry): string {
  return JSON.stringify([id, at, openedAt ?? null] satisfies Identity)
}

function isEntry(entry: LedgerEntry, [id, at, openedAt]: Identity): boolean {
  return entry.id === id && entry.at === at && (entry.openedAt ?? null) === openedAt
}

function parseIdentity(after: string): Identity {
  try {
    const parsed = JSON.parse(after) as unknown
    if (Array.isArray(parsed) && parsed.length === 3 && typeof parsed[0] === 'string' && typeof parsed[1] === 'number') return parsed as unknown as Identity
  } catch {
    // Said below.
  }
  throw noCursor(after)
}

/** What a cursor is refused with that no page has given. */
export function noCursor(after: unknown): InvalidRequestError {
  return new InvalidRequestError(`after: ${JSON.stringify(after)} is no cursor of this ledger. Give the next of the page before, or none to begin.`)
}
