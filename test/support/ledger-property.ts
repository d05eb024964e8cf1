// What every readable ledger must do, as properties that any store or sink is tried on: pages give each entry once and in order, and
// sums are what reading all of it gives. The ledger's own `entries()` is what its pages and sums are compared with.

import fc from 'fast-check'
import { expect } from 'vitest'
import { entriesOf, matches, pageOf, parseFilter, sumsOf, type Conditions, type EntryField, type EntryFilter, type EntrySource, type EntrySum, type LedgerEntry, type LedgerKind } from '../../src/ledger/index.js'
import { MAX_AMOUNT } from '../../src/money/index.js'
import type { MaybePromise } from '../../src/store/index.js'
import { askable } from './ledger-questions.js'

/** An empty ledger, and how entries get into it. */
export interface LedgerUnderTest {
  readonly source: EntrySource
  /** Writes entries that are new, in this order. */
  write(entries: readonly LedgerEntry[]): MaybePromise<void>
  close?(): MaybePromise<void>
}

/** Opens an empty ledger. One that keeps only the newest may forget the oldest. */
export type LedgerFactory = () => MaybePromise<LedgerUnderTest>

const START = Date.UTC(2026, 0, 15)
const HOUR = 3_600_000

/** Few values, so that filters find something; some of them odd. */
const texts = fc.constantFrom('alpha', 'beta', '', '42', 'true', "o'hara", '"', '🙂', 'a.b', '%', '\\', '1e+21', 'null', '{"a":1}')
const values = fc.oneof(texts, fc.constantFrom(42, 0, -3, 1.5, 0.1 + 0.2, 1e21, 1e-7, true, false, null, ['alpha'], { name: 'alpha' }), fc.double({ noNaN: true, noDefaultInfinity: true }))
const keys = fc.constantFrom('project', 'a.b', "it's", '"', '🙂', '$', '[0]', '%', '\\', 'constructor', '0', 'a b')
const amounts = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.constantFrom(MAX_AMOUNT, -MAX_AMOUNT, 2 ** 52))
const instants = fc.oneof(fc.integer({ min: START, max: START + 10 }), fc.integer({ min: START, max: START + 90 * 24 * HOUR }))

/** An entry without its id. */
const drafts: fc.Arbitrary<Omit<LedgerEntry, 'id' | 'decisionId'>> = fc
  .record(
    {
      kind: fc.constantFrom<LedgerKind>('settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured'),
      at: instants,
      tenant: texts,
      userId: fc.constantFrom('ann', 'bob', '', "o'hara"),
      tier: texts,
      sessionId: texts,
      scopes: fc.dictionary(keys, texts, { maxKeys: 2 }),
      provider: texts,
      requestedModel: texts,
      model: texts,
      microcents: amounts,
      tokens: amounts,
      estimatedMicrocents: fc.integer({ min: 0, max: 20 }),
      estimatedTokens: fc.integer({ min: 0, max: 20 }),
      openedAt: instants,
      reason: texts,
      calls: fc.constantFrom(-1, 0, 1),
      details: fc.record(
        { priceVersion: texts, action: fc.constantFrom('ALLOW', 'WARN', 'DEGRADE'), labels: fc.dictionary(keys, fc.nat({ max: 9 }), { maxKeys: 2 }) },
        { requiredKeys: [] },
      ) as fc.Arbitrary<NonNullable<LedgerEntry['details']>>,
      metadata: fc.dictionary(keys, values, { maxKeys: 3 }),
    },
    { requiredKeys: ['kind', 'at', 'userId', 'microcents', 'tokens'] },
  )
  .map((draft) => ({ ...draft, charged: [] }))

const named = ['kind', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'action', 'reason', 'priceVersion'] as const
const fields: fc.Arbitrary<EntryField> = fc.oneof(
  fc.constantFrom<EntryField>(...named),
  fc.tuple(fc.constantFrom('metadata', 'scopes', 'labels'), keys).map(([holder, key]) => `${holder}.${key}` as EntryField),
)
const wanted = fc.oneof(texts, fc.constantFrom('settled', 'denied', 'ann', 'BLOCK', 'WARN', '0.30000000000000004', '-3', '1e-7', 'false'), fc.constant(null))
const usd = fc.nat({ max: 20 }).map((microcents) => `0.${String(microcents).padStart(8, '0')}`)
const filters: fc.Arbitrary<EntryFilter> = fc.record<EntryFilter>(
  {
    from: instants,
    until: instants,
    openedFrom: instants,
    where: fc.array(fc.tuple(fields, fc.oneof(wanted, fc.array(wanted, { maxLength: 3 }))), { maxLength: 2 }).map((conditions) => Object.fromEntries(conditions)),
    cost: fc.record({ atLeast: usd, atMost: usd }, { requiredKeys: [] }),
    estimatedCost: fc.record({ atMost: usd }),
    tokens: fc.record({ atLeast: amounts }),
  },
  { requiredKeys: [] },
).map(askable)

const batches = fc.array(fc.array(drafts, { maxLength: 6 }), { maxLength: 6 })
/** Mostly none: most entries are to be found. */
const someFilters = fc.oneof({ weight: 1, arbitrary: fc.constant<EntryFilter>({}) }, { weight: 3, arbitrary: filters })

/** Pages of any length, under any filter, while others write: each entry once and in order, and none that was kept all the time is missed. */
export function ledgerPages(open: LedgerFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(batches, batches, fc.array(fc.tuple(someFilters, fc.integer({ min: 1, max: 7 })), { minLength: 1, maxLength: 3 }), async (before, meanwhile, readings) => {
    const ledger = await open()
    const order = new Map<string, number>()
    const write = async (batch: readonly Omit<LedgerEntry, 'id' | 'decisionId'>[]): Promise<void> => {
      const entries = batch.map((draft) => {
        const id = `e${order.size}`
        order.set(id, order.size)
        return { ...draft, id, decisionId: id }
      })
      await ledger.write(entries)
    }
    try {
      for (const batch of before) await write(batch)
      const left = [...meanwhile]
      for (const [filter, limit] of readings) {
        const conditions = parseFilter(filter)
        const read = await idsByPages(ledger.source, conditions, limit, async () => {
          const batch = left.shift()
          if (batch !== undefined) await write(batch)
        })
        const numbers = read.map((id) => order.get(id) ?? -1)
        expect(numbers.every((number, index) => number > (numbers[index - 1] ?? -1)), `that pages of ${limit} give each entry once and in order: ${read.join()}`).toBe(true)
        const kept = await idsOf(ledger.source, conditions)
        expect(kept.filter((id) => !read.includes(id)), `what pages of ${limit} have missed`).toEqual([])
        expect(await listed(entriesOf(ledger.source, conditions)), 'what is read one by one').toEqual(kept)
      }
    } finally {
      await ledger.close?.()
    }
  })
}

/** Sums by any fields, stretches of time and filter are those of all entries that match. */
export function ledgerSums(open: LedgerFactory): fc.IAsyncProperty<unknown> {
  const boundaries = fc.uniqueArray(instants, { maxLength: 5 }).map((all) => all.sort((a, b) => a - b))
  return fc.asyncProperty(batches, someFilters, fc.uniqueArray(fields, { maxLength: 3 }), boundaries, async (written, filter, by, stretches) => {
    const ledger = await open()
    try {
      let count = 0
      for (const batch of written) await ledger.write(batch.map((draft) => ({ ...draft, id: `e${count}`, decisionId: `e${(count += 1)}` })))
      const conditions = parseFilter(filter)
      const whole: EntrySource = { entries: () => ledger.source.entries() }
      expect(shown(await sumsOf(ledger.source, conditions, by, stretches))).toEqual(shown(await sumsOf(whole, conditions, by, stretches)))
    } finally {
      await ledger.close?.()
    }
  })
}

async function idsByPages(source: EntrySource, conditions: Conditions, limit: number, between: () => Promise<void>): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | undefined; ; ) {
    const { entries, next } = await pageOf(source, conditions, limit, after)
    expect(entries.length, 'entries of a page').toBeLessThanOrEqual(limit)
    ids.push(...entries.map(({ id }) => id))
    if (next === undefined) return ids
    after = next
    await between()
  }
}

async function idsOf(source: EntrySource, conditions: Conditions): Promise<string[]> {
  const ids: string[] = []
  for await (const entry of source.entries()) if (matches(entry, conditions)) ids.push(entry.id)
  return ids
}

async function listed(entries: AsyncIterable<LedgerEntry>): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of entries) ids.push(id)
  return ids
}

function shown(sums: readonly EntrySum[]): string[] {
  return sums.map(({ bucket, texts: group, entries, calls, denials, tokens, microcents }) => JSON.stringify([bucket, group.map((text) => text ?? null), entries, calls, denials, String(tokens), String(microcents)])).sort()
}
