// The ledger as files for other programs: which entries, in which format, watched and given up as the caller says.

import { InvalidRequestError } from '../errors/index.js'
import { entriesOf, parseFilter, shown, toCsv, toJson, toJsonLines, watched, writeFile, type EntryFilter, type EntrySource, type LedgerEntry, type Watching } from '../ledger/index.js'
import { assertKnownFields } from './requests.js'

/** Which entries are exported, who is told how many have been, and who can end it. */
export interface ExportOptions extends Watching {
  readonly filter?: EntryFilter | undefined
}

const TEXTS = { csv: toCsv, json: toJson, jsonl: toJsonLines }

/** The entries that match, oldest first; without a filter all that are kept. Throws `InvalidRequestError` at once. */
export function entriesFor(source: EntrySource, filter: EntryFilter | undefined): AsyncIterable<LedgerEntry> {
  return entriesOf(source, parseFilter(filter))
}

/** Writes entries to a file, whole or not at all. Rejects with `InvalidRequestError` or `InvalidConfigError` before anything is read. */
export async function exportEntries(source: EntrySource, format: keyof typeof TEXTS | 'sqlite', path: string, options: ExportOptions): Promise<void> {
  if (typeof options !== 'object' || options === null) throw new InvalidRequestError(`options: ${shown(options)} are no options. Give an object, or none.`)
  assertKnownFields(options, ['filter', 'onProgress', 'signal'], 'options')
  const entries = watched(entriesFor(source, options.filter), options)
  if (format !== 'sqlite') return writeFile(path, TEXTS[format](entries))
  const { exportToSqlite } = await import('../store/sqlite/index.js')
  await exportToSqlite(path, entries)
}
