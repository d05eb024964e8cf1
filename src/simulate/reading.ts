// From whatever a log is kept in to rows: a file, pieces of text, objects, or a ledger. Which of them it is, the first row says. Keeps one
// batch at a time.

import { InvalidConfigError, InvalidRowError } from '../errors/index.js'
import type { EntrySource, LedgerEntry } from '../ledger/index.js'
import { Columns, type ColumnMap, type ForeignRow } from './columns.js'
import { csvRowsOf, decoded, linesOf, type BrokenQuote, type TextRow } from './csv.js'
import { entryOf, isEntryLike, objectOfCells } from './ledger-rows.js'

type Pieces = AsyncIterable<unknown> | Iterable<unknown>

/**
 * Where a log comes from: the path of a file, a ledger, or its text, its entries or its rows one by one. What can be read only once can be
 * replayed only once: give a function that opens it anew.
 */
export type LogSource = string | EntrySource | Pieces | (() => Pieces)

/** How rows are read. */
export interface Reading {
  readonly map: ColumnMap | undefined
  readonly timeZone: string
  readonly separator: string
  /** Throws the error, or counts the row and leaves it out. */
  readonly bad: (error: InvalidRowError) => void
  /** True where `bad` leaves rows out. */
  readonly skipsBad: boolean
}

/** A log that was opened. */
export type Opened =
  | { readonly isLedger: true; readonly batches: AsyncIterable<{ readonly row: number; readonly entry: LedgerEntry }[]> }
  | { readonly isLedger: false; readonly batches: AsyncIterable<ForeignRow[]> }

type Rows = readonly TextRow<readonly string[] | BrokenQuote>[]

const BATCH = 512
const READ_BYTES = 262_144

/** Opens a log. Rejects with `InvalidConfigError` where there is none, and where a foreign one has no map. */
export async function openLog(source: LogSource, reading: Reading): Promise<Opened> {
  if (typeof source === 'string') return openText(fileOf(source), reading)
  if (isEntrySource(source)) return ofEntries(batchesOf(source.entries()), reading)
  const pieces = typeof source === 'function' ? source() : source
  if (!isIterable(pieces)) throw new InvalidConfigError('log: is nothing that can be read. Give the path of a file, a ledger, or an iterable of entries, rows or text.')
  const { first, all } = await peeked(pieces)
  if (typeof first === 'string' || first instanceof Uint8Array) return openText(all as AsyncIterable<string | Uint8Array>, reading)
  return openObjects(batchesOf(all), first, reading)
}

async function openText(pieces: AsyncIterable<string | Uint8Array>, reading: Reading): Promise<Opened> {
  const { first, all } = await peeked(written(decoded(pieces)))
  if (first === undefined) throw new InvalidConfigError('log: is empty, without even a header. Give a file in which something stands, or export the ledger again.')
  return /^\s*[[{]/.test(first) ? openLines(all as AsyncIterable<string>, reading) : openCsv(all as AsyncIterable<string>, reading)
}

async function openCsv(text: AsyncIterable<string>, reading: Reading): Promise<Opened> {
  let parsing: ((row: number, cells: readonly string[]) => unknown) | undefined
  const isParsed = (names: readonly string[], cells: readonly string[]): boolean => {
    try {
      parsing ??= rowsUnder(names.map((name) => name.trim()), reading).parse
      parsing(0, cells)
      return true
    } catch (error) {
      return !(error instanceof InvalidRowError)
    }
  }
  // What is read row by row at any cost begins anew at the next line; else the first row that cannot be read is named as it stands.
  const { first, all } = await peeked(csvRowsOf(text, reading.separator, reading.skipsBad ? isParsed : undefined))
  const [top] = first as Rows
  if (typeof top?.content === 'string') throw brokenQuote(top.row, top.content)
  const header = (top?.content ?? []).map((name) => name.trim())
  const double = header.find((name, place) => name !== '' && header.indexOf(name) !== place)
  if (double !== undefined) throw new InvalidConfigError(`log: has two columns ${JSON.stringify(double)}. Rename one of them in the header.`)
  const under = rowsUnder(header, reading)
  const batches = all as ReturnType<typeof csvRowsOf>
  const rows = async function* <Parsed>(parse: (row: number, cells: readonly string[]) => Parsed): AsyncIterable<Parsed[]> {
    for await (const batch of batches) {
      const parsed: Parsed[] = []
      for (const { row, content, isEnded } of batch) {
        if (row === top?.row) continue
        try {
          if (typeof content === 'string') throw brokenQuote(row, content)
          if (under.isLedger && !isEnded) throw cutOff(row)
          parsed.push(parse(row, content))
        } catch (error) {
          refuse(error, reading)
        }
      }
      if (parsed.length > 0) yield parsed
    }
  }
  return under.isLedger ? { isLedger: true, batches: rows(under.parse) } : { isLedger: false, batches: rows(under.parse) }
}

type Parse<Parsed> = (row: number, cells: readonly string[]) => Parsed

/** How rows are read under a header. */
function rowsUnder(header: readonly string[], reading: Reading): { readonly isLedger: true; readonly parse: Parse<{ readonly row: number; readonly entry: LedgerEntry }> } | { readonly isLedger: false; readonly parse: Parse<ForeignRow> } {
  if (reading.map !== undefined || !isEntryLike(header)) return { isLedger: false, parse: columnsOf(reading, header).under(header) }
  return { isLedger: true, parse: (row, cells) => ({ row, entry: entryOf(row, objectOfCells(row, header, cells)) }) }
}

async function openLines(text: AsyncIterable<string>, reading: Reading): Promise<Opened> {
  let isArray = false
  let isClosed = false
  const objects = async function* (): AsyncIterable<{ row: number; value: unknown }[]> {
    let lastRow = 0
    for await (const batch of linesOf(text)) {
      const parsed: { row: number; value: unknown }[] = []
      for (const { row, content } of batch) {
        lastRow = row
        // An array with one element a line, as exports write it.
        let line = content.trim()
        if (row === 1 && line.startsWith('[')) {
          isArray = true
          line = line.slice(1)
        }
        if (isArray) line = line.replace(/^,|,$/g, '').trim()
        if (isArray && line.endsWith(']')) {
          isClosed = true
          line = line.slice(0, -1).trim()
        }
        if (line === '') continue
        try {
          parsed.push({ row, value: JSON.parse(line) as unknown })
        } catch (cause) {
          refuse(new InvalidRowError(row, `is no JSON (${cause instanceof Error ? cause.message : String(cause)}). The file may have been cut off; each line is one object.`, { cause }), reading)
        }
      }
      if (parsed.length > 0) yield parsed
    }
    if (isArray && !isClosed) refuse(cutOff(lastRow), reading)
  }
  const { first, all } = await peeked(objects())
  return openObjects(all as ReturnType<typeof objects>, (first as { value: unknown }[] | undefined)?.[0]?.value, reading)
}

function openObjects(batches: AsyncIterable<{ row: number; value: unknown }[]>, first: unknown, reading: Reading): Opened {
  const names = typeof first === 'object' && first !== null ? Object.keys(first) : []
  if (reading.map === undefined && (first === undefined || isEntryLike(names))) return ofEntries(batches, reading)
  const columns = columnsOf(reading, names)
  return { isLedger: false, batches: mapped(batches, reading, (row, value) => columns.ofObject(row, plainObject(row, value))) }
}

function ofEntries(batches: AsyncIterable<{ row: number; value: unknown }[]>, reading: Reading): Opened {
  return { isLedger: true, batches: mapped(batches, reading, (row, value) => ({ row, entry: entryOf(row, value) })) }
}

async function* mapped<Parsed>(batches: AsyncIterable<{ row: number; value: unknown }[]>, reading: Reading, parse: (row: number, value: unknown) => Parsed): AsyncIterable<Parsed[]> {
  for await (const batch of batches) {
    const parsed: Parsed[] = []
    for (const { row, value } of batch) {
      try {
        parsed.push(parse(row, value))
      } catch (error) {
        refuse(error, reading)
      }
    }
    yield parsed
  }
}

async function* batchesOf(items: Pieces): AsyncIterable<{ row: number; value: unknown }[]> {
  let row = 0
  let batch: { row: number; value: unknown }[] = []
  for await (const value of items) {
    batch.push({ row: (row += 1), value })
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

async function* fileOf(path: string): AsyncIterable<Uint8Array> {
  const { createReadStream } = await import('node:fs')
  try {
    yield* createReadStream(path, { highWaterMark: READ_BYTES }) as AsyncIterable<Uint8Array>
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause)) throw cause
    throw new InvalidConfigError(`log: ${JSON.stringify(path)} cannot be read (${cause.message}). Give the path of a CSV, or of a file with one JSON object a line.`, { cause })
  }
}

/** The first of some items, and all of them. */
async function peeked<T>(items: AsyncIterable<T> | Iterable<T>): Promise<{ readonly first: T | undefined; readonly all: AsyncIterable<T> }> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  const first = await iterator.next()
  const all = async function* (): AsyncIterable<T> {
    try {
      for (let next = first; next.done !== true; next = await iterator.next()) yield next.value
    } finally {
      await iterator.return?.()
    }
  }
  return { first: first.done === true ? undefined : first.value, all: all() }
}

function columnsOf({ map, timeZone }: Reading, names: readonly string[]): Columns {
  if (map !== undefined) return new Columns(map, timeZone)
  throw new InvalidConfigError(`map: is missing, and this is no ledger of bursar's. Say which columns mean what, such as { time: ${JSON.stringify(names[0] ?? 'time')}, userId: … }. The columns are ${names.join(', ')}.`)
}

function refuse(error: unknown, { bad }: Reading): void {
  if (error instanceof InvalidRowError) bad(error)
  else throw error
}

function brokenQuote(row: number, broken: BrokenQuote): InvalidRowError {
  const what = broken === 'open' ? 'has a quote that is never closed. The file may have been cut off; a' : 'has a quoted cell that goes on after its closing quote, or a quote that closes lines below. A'
  return new InvalidRowError(row, `${what} quote within a cell is written twice.`)
}

/** A text from its first piece on in which something stands. */
async function* written(pieces: AsyncIterable<string>): AsyncIterable<string> {
  let blank: string | undefined = ''
  for await (const piece of pieces) {
    if (blank === undefined) yield piece
    else if ((blank + piece).trim() === '') blank += piece
    else {
      yield blank + piece
      blank = undefined
    }
  }
}

function cutOff(row: number): InvalidRowError {
  return new InvalidRowError(row, 'is the last, and the export goes on after it: the file was cut off. Export it again.')
}

function plainObject(row: number, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new InvalidRowError(row, `${JSON.stringify(value) ?? String(value)} is no object of fields.`)
}

function isIterable(value: unknown): value is Pieces {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || Symbol.iterator in value)
}

function isEntrySource(source: object): source is EntrySource {
  return 'entries' in source && typeof source.entries === 'function' && !Array.isArray(source) && !(source instanceof Map) && !(source instanceof Set)
}
