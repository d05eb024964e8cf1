// Exports a ledger of `ledger.ts` in a process of its own and prints the peak of its memory on the way:
// `node --import tsx bench/ledger-export.ts '{"dist", "sqlite" | "postgres", "format", "path"}'`

import type { LedgerEntry } from '../src/ledger/index.js'
import { openSink, type SinkAddress } from './ledger-sinks.js'
import { loadLedgers } from './package-under-test.js'

/** What is exported, and to which file. */
export interface ExportOrders {
  readonly dist: string
  readonly from: SinkAddress
  readonly format: 'CSV' | 'JSON lines' | 'SQLite'
  readonly path: string
}

/** The highest that was seen while so many entries went by. */
export interface MemoryPeak {
  readonly entries: number
  readonly heapBytes: number
  readonly rssBytes: number
}

const MARKS = [100_000, 500_000, 1_000_000]
const SAMPLE_EVERY = 500

const orders = JSON.parse(process.argv[2] as string) as ExportOrders
const { toCsv, toJsonLines, writeFile, exportToSqlite } = await loadLedgers(orders.dist)
const sink = await openSink(orders.dist, orders.from)
const peaks: MemoryPeak[] = []

async function* sampled(entries: AsyncIterable<LedgerEntry>): AsyncIterable<LedgerEntry> {
  let [count, heapBytes, rssBytes] = [0, 0, 0]
  for await (const entry of entries) {
    yield entry
    count += 1
    if (count % SAMPLE_EVERY === 0) {
      const { heapUsed, rss } = process.memoryUsage()
      heapBytes = Math.max(heapBytes, heapUsed)
      rssBytes = Math.max(rssBytes, rss)
    }
    if (MARKS.includes(count)) peaks.push({ entries: count, heapBytes, rssBytes })
  }
}

const start = performance.now()
const entries = sampled(sink.entries())
if (orders.format === 'SQLite') await exportToSqlite(orders.path, entries)
else await writeFile(orders.path, orders.format === 'CSV' ? toCsv(entries) : toJsonLines(entries))
console.log(JSON.stringify({ peaks, seconds: (performance.now() - start) / 1_000 }))
await sink.close()
