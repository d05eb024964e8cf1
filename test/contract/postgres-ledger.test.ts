// What a sink must give, on a real Postgres: exactly the entries that were written, once, and of every question the answer that reading
// everything would give.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { ALL_ENTRIES, entriesOf, pageOf, sumsOf, type Conditions, type EntrySource, type EntrySum, type LedgerEntry } from '../../src/ledger/index.js'
import { postgresLedger, type PostgresLedger } from '../../src/store/postgres/index.js'
import { sharedPostgres, type SharedPostgres } from '../support/postgres/index.js'
import { oddBoundaries, oddConditions, oddEntries, oddFields } from '../support/postgres/odd-entries.js'
import { ledgerPages, ledgerSums, type LedgerUnderTest } from '../support/ledger-property.js'
import { assertProperty } from '../support/property.js'

const RUNS = Math.min(300, Number(process.env['BURSAR_RUNS'] ?? 300))

let postgres: SharedPostgres
let schema: string
let ledger: PostgresLedger
beforeAll(async () => {
  postgres = await sharedPostgres()
  schema = postgres.schema()
  ledger = postgresLedger({ client: postgres.pool, schema })
})
afterAll(async () => {
  await ledger?.close()
  await postgres?.close()
})

describe('the Postgres ledger', () => {
  it('gives back exactly what was written, whatever its texts hold, once and in order', async () => {
    await assertProperty(
      'POSTGRES-ENTRIES',
      fc.asyncProperty(oddEntries, fc.nat(12), async (entries, split) => {
        await emptied()
        await ledger.write(entries.slice(0, split))
        await ledger.write(entries)
        expect(await listed(ledger.entries())).toEqual(entries)
      }),
      RUNS,
    )
  })

  it('answers every filter page by page as reading everything would', async () => {
    await assertProperty(
      'POSTGRES-PAGES',
      fc.asyncProperty(oddEntries, fc.array(oddConditions, { minLength: 3, maxLength: 6 }), fc.integer({ min: 1, max: 4 }), async (entries, questions, limit) => {
        await emptied()
        await ledger.write(entries)
        const plain = plainSource(entries)
        for (const conditions of questions) {
          const wanted = await listed(entriesOf(plain, conditions))
          expect(await paged(conditions, limit)).toEqual(wanted)
          expect(await listed(entriesOf(ledger, conditions))).toEqual(wanted)
        }
      }),
      RUNS,
    )
  })

  it('sums by any fields and stretches of time as reading everything would', async () => {
    await assertProperty(
      'POSTGRES-SUMS',
      fc.asyncProperty(oddEntries, fc.array(fc.tuple(oddConditions, oddFields, oddBoundaries), { minLength: 3, maxLength: 6 }), async (entries, questions) => {
        await emptied()
        await ledger.write(entries)
        const plain = plainSource(entries)
        for (const [conditions, by, boundaries] of questions) {
          for (const asked of [conditions, ALL_ENTRIES]) {
            expect(inOrder(await ledger.sums(asked, by, boundaries))).toEqual(inOrder(await sumsOf(plain, asked, by, boundaries)))
          }
        }
      }),
      RUNS,
    )
  })

  it('gives each entry once by pages, also while others are written', async () => {
    await assertProperty('LEDGER-PAGES Postgres', ledgerPages(fresh), RUNS)
  })

  it('sums what matches', async () => {
    await assertProperty('LEDGER-PAGES sums of Postgres', ledgerSums(fresh), RUNS)
  })

  it('has nothing to say of an empty ledger', async () => {
    await emptied()
    await ledger.write([])
    expect(await listed(ledger.entries())).toEqual([])
    expect(await ledger.page(ALL_ENTRIES, 10)).toEqual({ entries: [] })
    expect(await ledger.sums(ALL_ENTRIES, [], [])).toEqual([])
  })

  it.each(['x', '-1', '1.5', '["id",1,null]', ' 1', '99999999999999999999'])('refuses %s, which is no cursor of its own', async (after) => {
    await expect(pageOf(ledger, ALL_ENTRIES, 10, after)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('after') as string })
  })

  it('reads and sums more entries than fit into one page or one number', async () => {
    await emptied()
    const entries = Array.from({ length: 2_500 }, (_, index): LedgerEntry => ({ id: `e${index}`, kind: 'settled', at: index, decisionId: `d${index}`, userId: 'ann', microcents: Number.MAX_SAFE_INTEGER, tokens: 1, charged: [] }))
    await ledger.write(entries)
    expect((await listed(ledger.entries())).map(({ id }) => id)).toEqual(entries.map(({ id }) => id))
    expect((await listed(entriesOf(ledger, ALL_ENTRIES))).map(({ id }) => id)).toEqual(entries.map(({ id }) => id))
    const unequal = [...entries.map(({ at }) => at), 9_999]
    expect(inOrder(await ledger.sums(ALL_ENTRIES, [], unequal))).toEqual(inOrder(await sumsOf(plainSource(entries), ALL_ENTRIES, [], unequal)))
    expect(await ledger.sums(ALL_ENTRIES, ['userId'], [])).toEqual([{ bucket: 0, texts: ['ann'], entries: 2_500, calls: 2_500, denials: 0, tokens: 2_500n, microcents: 2_500n * BigInt(Number.MAX_SAFE_INTEGER) }])
  })
})

async function fresh(): Promise<LedgerUnderTest> {
  await emptied()
  return { source: ledger, write: (entries) => ledger.write(entries) }
}

async function emptied(): Promise<void> {
  await ledger.write([])
  await postgres.pool.query(`DELETE FROM "${schema}".ledger_entry`)
}

async function paged(conditions: Conditions, limit: number): Promise<LedgerEntry[]> {
  const all: LedgerEntry[] = []
  for (let after: string | undefined; ; ) {
    const { entries, next } = await ledger.page(conditions, limit, after)
    expect(entries.length).toBeLessThanOrEqual(limit)
    all.push(...entries)
    if (next === undefined) return all
    after = next
  }
}

function plainSource(entries: readonly LedgerEntry[]): EntrySource {
  return {
    async *entries() {
      yield* entries
    },
  }
}

async function listed(entries: AsyncIterable<LedgerEntry>): Promise<LedgerEntry[]> {
  const all: LedgerEntry[] = []
  for await (const entry of entries) all.push(entry)
  return all
}

function inOrder(sums: readonly EntrySum[]): EntrySum[] {
  const key = ({ bucket, texts }: EntrySum): string => JSON.stringify([bucket, texts.map((text) => text ?? null)])
  return [...sums].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}
