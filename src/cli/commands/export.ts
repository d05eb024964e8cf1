// `bursar export`: entries of the ledger as a file for other programs, or copied into another ledger.

import { Option, type Command } from 'commander'
import { InvalidRequestError } from '../../errors/index.js'
import { entriesOf, parseFilter, sumsOf, toCsv, toJson, toJsonLines, writeFile, type Conditions, type EntrySource, type LedgerEntry } from '../../ledger/index.js'
import type { Act } from '../act.js'
import { showCount } from '../amounts.js'
import { readConfiguration } from '../configuration.js'
import { openSource } from '../engine.js'
import { addFilters, readFilter, type FilterOptions } from '../filters.js'
import { pathToWrite } from '../out-file.js'
import { assertThere, openLedger, parsePlace, type Place } from '../places.js'
import type { Run } from '../run.js'
import type { Progress } from '../terminal.js'

interface ExportOptions extends FilterOptions {
  readonly format?: Format | undefined
  readonly out?: string | undefined
  readonly to?: string | undefined
  readonly force?: boolean | undefined
}

type Format = (typeof FORMATS)[number]
const FORMATS = ['csv', 'jsonl', 'json', 'sqlite'] as const
const BY_ENDING: Readonly<Record<string, Format>> = { csv: 'csv', jsonl: 'jsonl', ndjson: 'jsonl', json: 'json', db: 'sqlite', sqlite: 'sqlite', sqlite3: 'sqlite' }
const TEXTS = { csv: toCsv, jsonl: toJsonLines, json: toJson } as const
/** How many entries another ledger gets at a time. */
const BATCH = 1_000

/** Adds the command. */
export function addExport(program: Command, act: Act): void {
  addFilters(program.command('export').description('write entries of the ledger into a file, or copy them into another ledger'))
    .addOption(new Option('--format <format>', 'of the file; by default what its name ends with').choices(FORMATS))
    .option('--out <file>', 'the file, written whole or not at all; without one text goes to stdout')
    .option('--force', 'replace a file that is there')
    .option('--to <address>', "copy into a ledger instead: 'sqlite:./archive.db' or 'postgres://…'; what is there already is not written twice")
    .action(act<ExportOptions, []>(exportEntries))
}

async function exportEntries(run: Run, options: ExportOptions): Promise<void> {
  readFilter(options, run)
  const target = targetOf(options, run)
  const configuration = await readConfiguration(run, { opensStore: run.common.ledger === undefined })
  // Again: the configuration may say in which zone times are meant.
  const conditions = parseFilter(readFilter(options, run))
  const source = await openSource(configuration, run)
  const progress = run.terminal.progress('entries', await totalOf(source, conditions, run))
  let written = 0
  const counted = async function* (): AsyncIterable<LedgerEntry> {
    for await (const entry of run.each(entriesOf(source, conditions), progress)) {
      written += 1
      yield entry
    }
  }
  try {
    if (target.kind === 'ledger') await copy(counted(), target.place, run)
    else if (target.out === undefined) await print(TEXTS[target.format as keyof typeof TEXTS](counted()), run, progress)
    else await toFile(counted(), target.format, target.out)
  } finally {
    progress.end()
  }
  const count = written === 1 ? '1 entry' : `${showCount(written)} entries`
  run.terminal.say(target.kind === 'ledger' ? `${count} read, and now in that ledger: what was there before was not written again.` : `${count} written${target.out === undefined ? '' : ` to ${target.out}`}.`)
}

type Target = { readonly kind: 'ledger'; readonly place: Place } | { readonly kind: 'file'; readonly format: Format; readonly out: string | undefined }

function targetOf({ format, out, to, force }: ExportOptions, run: Run): Target {
  if (to !== undefined) {
    if (out !== undefined || format !== undefined) throw new InvalidRequestError('--to: copies into a ledger, and --out and --format are of files. Give one of the two.')
    run.secrets.address(to)
    const place = parsePlace(to, '--to', 'ledger', run.io.cwd)
    assertThere(place, '--to', true)
    return { kind: 'ledger', place }
  }
  const path = out === undefined ? undefined : run.path(out, '--out')
  const found = format ?? (path === undefined ? undefined : BY_ENDING[path.slice(path.lastIndexOf('.') + 1).toLowerCase()])
  if (found === undefined) throw new InvalidRequestError(`--format: is missing${out === undefined ? '' : `, and ${JSON.stringify(out)} ends with none of ${Object.keys(BY_ENDING).join(', ')}`}. Give one of ${FORMATS.join(', ')}.`)
  if (path === undefined && found === 'sqlite') throw new InvalidRequestError('--out: is missing, and a SQLite file is no text for stdout. Give the path of the file.')
  return { kind: 'file', format: found, out: out === undefined ? undefined : pathToWrite(out, '--out', force, run) }
}

/** How many entries there will be: asked only where a bar shows it and the ledger can count without being read. */
async function totalOf(source: EntrySource, conditions: Conditions, { io, common }: Run): Promise<number | undefined> {
  if (io.stderr.isTTY !== true || common.quiet === true || source.sums === undefined) return undefined
  return (await sumsOf(source, conditions, [])).reduce((sum, { entries }) => sum + entries, 0)
}

async function print(pieces: AsyncIterable<string>, { terminal, io }: Run, progress: Progress): Promise<void> {
  // Rows that run over the screen and a bar that is redrawn do not go together.
  if (io.stdout.isTTY === true) progress.end()
  for await (const piece of pieces) await terminal.print(piece)
}

async function toFile(entries: AsyncIterable<LedgerEntry>, format: Format, out: string): Promise<void> {
  if (format !== 'sqlite') return writeFile(out, TEXTS[format](entries))
  const { exportToSqlite } = await import('../../store/sqlite/index.js')
  await exportToSqlite(out, entries)
}

async function copy(entries: AsyncIterable<LedgerEntry>, place: Place, run: Run): Promise<void> {
  const ledger = await openLedger(place, run, '--to')
  let batch: LedgerEntry[] = []
  for await (const entry of entries) {
    batch.push(entry)
    if (batch.length < BATCH) continue
    await ledger.write(batch)
    batch = []
  }
  await ledger.write(batch)
}
