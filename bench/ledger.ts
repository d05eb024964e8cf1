// What it costs to ask a ledger of a million entries through bursar rather than in SQL: a report by month, tenant and model beside the same
// GROUP BY on the same table, interleaved in one process, on SQLite and on a Postgres of its own; and in what memory all of it is
// exported. What is measured is the build in dist/, or in `--dist <dir>`. `npm run bench:ledger`

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import pg from 'pg'
import { openDatabase } from '../src/store/sqlite/driver.js'
import type { EntrySink } from '../src/store/index.js'
import { startPostgres } from '../test/support/postgres/index.js'
import { AFTER_LAST_MONTH, FIRST_MONTH, seededEntries } from './ledger-entries.js'
import type { ExportOrders, MemoryPeak } from './ledger-export.js'
import { openSink, type SinkAddress } from './ledger-sinks.js'
import { DEFAULT_BUILD, loadLedgers } from './package-under-test.js'
import { printTable } from './table.js'

const BATCH = 5_000
const MAY = Date.UTC(2026, 4, 1)
const JUNE = Date.UTC(2026, 5, 1)
const EXPORT = fileURLToPath(new URL('ledger-export.ts', import.meta.url))

const { values: options } = parseArgs({
  options: { dist: { type: 'string', default: DEFAULT_BUILD }, entries: { type: 'string', default: '1000000' }, rounds: { type: 'string', default: '11' }, 'no-export': { type: 'boolean', default: false } },
})
const count = Number(options.entries)
const rounds = Number(options.rounds)
const { Reports } = await loadLedgers(options.dist)

/** What a report and its SQL have both to find: rows, calls and money. */
interface Found {
  readonly rows: number
  readonly tokens: bigint
  readonly microcents: bigint
}

interface Question {
  readonly name: string
  readonly from: number
  readonly until: number
}

const QUESTIONS: readonly Question[] = [
  { name: 'one month', from: MAY, until: JUNE },
  { name: 'six months, by month', from: FIRST_MONTH, until: AFTER_LAST_MONTH },
]

interface Place {
  readonly name: string
  readonly address: SinkAddress
  readonly sink: EntrySink & { close(): unknown }
  /** The report in SQL, with its calls and denials; without them where it is `lean`. */
  bare(question: Question, lean: boolean): Promise<Found>
}

async function report(sink: EntrySink, { from, until }: Question): Promise<Found> {
  let [rows, tokens, microcents] = [0, 0n, 0n]
  for await (const row of new Reports(sink).summary({ by: ['month', 'tenant', 'model'], from, until })) {
    rows += 1
    tokens += row.exact.tokens
    microcents += row.exact.microcents
  }
  return { rows, tokens, microcents }
}

function selected(month: string, lean: boolean, toText: string): string {
  const sums = `sum(tokens)${toText} AS tokens, sum(microcents)${toText} AS microcents`
  const counts = "count(*) AS entries, sum(CASE WHEN kind IN ('settled', 'expired', 'recorded') THEN 1 ELSE 0 END) AS calls, sum(CASE WHEN kind = 'denied' THEN 1 ELSE 0 END) AS denials"
  return `SELECT ${month} AS month, tenant, model, ${lean ? '' : `${counts}, `}${sums}`
}

function found(rows: readonly unknown[]): Found {
  const sums = rows as readonly { readonly tokens: string | number; readonly microcents: string | number }[]
  return { rows: sums.length, tokens: sums.reduce((all, row) => all + BigInt(row.tokens), 0n), microcents: sums.reduce((all, row) => all + BigInt(row.microcents), 0n) }
}

async function filled(address: SinkAddress): Promise<Place['sink']> {
  const sink = await openSink(options.dist, address)
  const start = performance.now()
  let batch = []
  for (const entry of seededEntries(count)) {
    if (batch.push(entry) < BATCH) continue
    await sink.write(batch)
    batch = []
  }
  await sink.write(batch)
  console.log(`${'sqlite' in address ? 'SQLite' : 'Postgres'}: ${count} entries written in ${((performance.now() - start) / 1_000).toFixed(1)} s`)
  return sink
}

async function onSqlite(path: string): Promise<Place> {
  const sink = await filled({ sqlite: path })
  const database = openDatabase(path)
  database.exec('PRAGMA cache_size = -16384')
  return {
    name: 'SQLite',
    address: { sqlite: path },
    sink: { ...bound(sink), close: () => (database.close(), sink.close()) },
    bare: async ({ from, until }, lean) => found(database.prepare(`${selected("strftime('%Y-%m', at / 1000, 'unixepoch')", lean, '')} FROM entry WHERE at >= ? AND at < ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`).all(from, until)),
  }
}

async function onPostgres(url: string): Promise<Place> {
  const sink = await filled({ postgres: url })
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  await pool.query('VACUUM ANALYZE bursar.ledger_entry')
  return {
    name: 'Postgres',
    address: { postgres: url },
    sink: { ...bound(sink), close: async () => (await pool.end(), sink.close()) },
    bare: async ({ from, until }, lean) => found((await pool.query(`${selected("date_trunc('month', to_timestamp(at / 1000.0) AT TIME ZONE 'UTC')", lean, '::text')} FROM bursar.ledger_entry WHERE at >= $1 AND at < $2 GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, [from, until])).rows),
  }
}

/** A sink whose methods can be copied. */
function bound(sink: EntrySink): EntrySink {
  return { write: (entries) => sink.write(entries), entries: () => sink.entries(), page: sink.page?.bind(sink), sums: sink.sums?.bind(sink) } as EntrySink
}

async function timed(work: () => Promise<Found>): Promise<readonly [milliseconds: number, result: Found]> {
  const start = performance.now()
  const result = await work()
  return [performance.now() - start, result]
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] as number
}

async function compare(place: Place): Promise<string[][]> {
  const rows: string[][] = []
  for (const question of QUESTIONS) {
    const contestants = [() => report(place.sink, question), () => place.bare(question, false), () => place.bare(question, true)]
    const times = contestants.map((): number[] => [])
    const results = new Map<number, Found>()
    for (let round = -1; round < rounds; round += 1) {
      const order = contestants.map((_, index) => (round % 2 === 0 ? index : contestants.length - 1 - index))
      for (const index of order) {
        const [milliseconds, result] = await timed(contestants[index] as () => Promise<Found>)
        results.set(index, result)
        if (round >= 0) (times[index] as number[]).push(milliseconds)
      }
    }
    const [mine, ...others] = contestants.map((_, index) => Object.values(results.get(index) as Found).join())
    if (others.some((other) => other !== mine)) throw new Error(`${place.name}, ${question.name}: the report is not what SQL says: ${[mine, ...others].join(' / ')}`)
    const ratio = (to: number): string => median((times[0] as number[]).map((time, round) => time / ((times[to] as number[])[round] as number))).toFixed(2)
    rows.push([place.name, question.name, String(results.get(0)?.rows), ...times.map((each) => median(each).toFixed(0)), ratio(1), ratio(2)])
  }
  return rows
}

function shown({ heapBytes, rssBytes }: MemoryPeak): string {
  return `${(heapBytes / 2 ** 20).toFixed(0)} / ${(rssBytes / 2 ** 20).toFixed(0)}`
}

async function exported(place: Place, folder: string): Promise<string[][]> {
  const rows: string[][] = []
  for (const format of ['CSV', 'JSON lines', 'SQLite'] as const) {
    const orders: ExportOrders = { dist: options.dist, from: place.address, format, path: join(folder, `export-${place.name}-${format.replace(' ', '-')}`) }
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', EXPORT, JSON.stringify(orders)])
    const { peaks, seconds } = JSON.parse(stdout) as { readonly peaks: readonly MemoryPeak[]; readonly seconds: number }
    const marks = [0, 1, 2].map((mark) => peaks[mark])
    rows.push([place.name, format, ...marks.map((peak) => (peak === undefined ? '' : shown(peak))), seconds.toFixed(1)])
  }
  return rows
}

const folder = mkdtempSync(join(tmpdir(), 'bursar-bench-'))
const server = await startPostgres({ shared_buffers: '256MB', max_wal_size: '4GB' })
try {
  const places = [await onSqlite(join(folder, 'ledger.db')), await onPostgres(server.url)]
  const reports: string[][] = []
  for (const place of places) reports.push(...(await compare(place)))
  console.log(`\nReport by month, tenant and model of ${count} entries, Node ${process.version}, ${rounds} rounds, medians`)
  printTable(['ledger', 'question', 'rows', 'bursar ms', 'SQL ms', 'SQL, sums only, ms', 'bursar is × of SQL', '× of sums only'], reports)
  if (!options['no-export']) {
    console.log('Export of everything, each in a process of its own: peak of heap / RSS in MiB after so many entries')
    for (const place of places) printTable(['ledger', 'format', '100,000', '500,000', '1,000,000', 'seconds'], await exported(place, folder))
  }
  for (const place of places) await place.sink.close()
} finally {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
