// LEDGER-PAGES: any order of filters and pages returns each entry once, also while others are written, and sums are those of all entries
// that match. On each ledger that can be read.

import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL_ENTRIES, sumsOf, type EntrySource } from '../../src/ledger/index.js'
import type { Store } from '../../src/store/index.js'
import { memoryLedger, memoryStore, type MemoryLedger } from '../../src/store/memory/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { ledgerPages, ledgerSums, type LedgerFactory, type LedgerUnderTest } from '../support/ledger-property.js'
import { assertProperty, propertyHolds } from '../support/property.js'
import { sharedRedis, type SharedRedis } from '../support/redis/index.js'

let redis: SharedRedis
let client: Redis

beforeAll(async () => {
  redis = await sharedRedis()
  client = redis.client()
})

afterAll(() => client.quit())

const REDIS_RUNS = Math.min(200, Number(process.env['BURSAR_RUNS'] ?? 200))

/** A store that some entries are appended to, and some by an audit: they are kept apart. */
function inStore(store: Store): LedgerUnderTest {
  return {
    source: store.ledger,
    async write(entries) {
      for (const entry of entries) {
        if (entry.kind === 'corrected') await store.auditor?.append([entry])
        else await store.ledger.append(entry)
      }
    },
    close: () => store.close(),
  }
}

const LEDGERS: readonly (readonly [name: string, open: LedgerFactory, runs?: number])[] = [
  ['a memory store', () => inStore(memoryStore({ clock: () => 0 }))],
  ['a memory store that keeps few', () => inStore(memoryStore({ clock: () => 0, ledgerCapacity: 5 }))],
  ['a ledger in memory', () => ofSink(memoryLedger())],
  ['a ledger in memory that keeps few', () => ofSink(memoryLedger({ max: 4 }))],
  ['a Redis store', () => inStore(redisStore({ client, prefix: redis.prefix(), storeClock: () => 0 })), REDIS_RUNS],
  ['a Redis store with a sink', () => inStore(redisStore({ client, prefix: redis.prefix(), storeClock: () => 0, sink: memoryLedger() })), REDIS_RUNS],
]

describe('LEDGER-PAGES', () => {
  for (const [name, open, runs] of LEDGERS) {
    it(`gives each entry once by pages of ${name}`, async () => {
      await assertProperty(`LEDGER-PAGES ${name}`, ledgerPages(open), runs)
    })

    it(`sums what matches in ${name}`, async () => {
      await assertProperty(`LEDGER-PAGES sums of ${name}`, ledgerSums(open), runs)
    })
  }

  it('is told from a ledger whose cursor is a count of entries, some of which have fallen out', async () => {
    const counting = (ledger: MemoryLedger): EntrySource => ({
      entries: () => ledger.entries(),
      page: (conditions, limit, after = '0') => {
        const { entries } = ledger.page(conditions, 1_000)
        const end = Number(after) + limit
        return { entries: entries.slice(Number(after), end), ...(end < entries.length && { next: String(end) }) }
      },
    })
    expect(await propertyHolds(ledgerPages(() => broken(counting, 4)))).toBe(false)
  })

  it('is told from a ledger that gives the last entry of a page once more', async () => {
    const overlapping = (ledger: MemoryLedger): EntrySource => ({
      entries: () => ledger.entries(),
      page: (conditions, limit, after) => ledger.page(conditions, limit + 1, after === undefined || after === '1' ? undefined : String(Number(after) - 1)),
    })
    expect(await propertyHolds(ledgerPages(() => broken(overlapping)))).toBe(false)
  })

  it('is told from a ledger that sums what its filter leaves out', async () => {
    const unfiltered = (ledger: MemoryLedger): EntrySource => ({ entries: () => ledger.entries(), sums: (_conditions, by, boundaries) => sumsOf(whole(ledger), ALL_ENTRIES, by, boundaries) })
    expect(await propertyHolds(ledgerSums(() => broken(unfiltered)))).toBe(false)
  })

  it('is told from a ledger that sums in numbers with a fraction', async () => {
    const inexact = (ledger: MemoryLedger): EntrySource => ({
      entries: () => ledger.entries(),
      sums: async (conditions, by, boundaries) => (await sumsOf(whole(ledger), conditions, by, boundaries)).map((sum) => ({ ...sum, tokens: BigInt(Number(sum.tokens)) })),
    })
    expect(await propertyHolds(ledgerSums(() => broken(inexact)))).toBe(false)
  })
})

function ofSink(sink: MemoryLedger): LedgerUnderTest {
  return { source: sink, write: (entries) => sink.write(entries) }
}

function whole(ledger: MemoryLedger): EntrySource {
  return { entries: () => ledger.entries() }
}

/** A ledger that is read in a wrong way. */
function broken(read: (ledger: MemoryLedger) => EntrySource, max?: number): LedgerUnderTest {
  const ledger = memoryLedger({ max })
  return { source: read(ledger), write: (entries) => ledger.write(entries) }
}
