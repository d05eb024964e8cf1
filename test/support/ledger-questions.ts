// Random ledgers and random questions about them, with names and values that a database could read otherwise than JavaScript does.

import fc from 'fast-check'
import { KEYED_FIELDS, matches, NAMED_FIELDS, parseFilter, sumsOf, type Conditions, type EntryField, type EntryFilter, type EntrySource, type EntrySum, type LedgerEntry, type LedgerKind } from '../../src/ledger/index.js'

/** What somebody may ask of a ledger. */
export interface Question {
  readonly filter: EntryFilter
  readonly by: readonly EntryField[]
  readonly boundaries: readonly number[]
  readonly limit: number
}

const START = Date.UTC(2026, 0, 1)
const SPAN = 40

const KEYS = ['project', 'a.b', 'a"b', "it's", '\\', '🙂', '$', '[0]', '', ' ', '*', '#-1', 'x\ny', '\u2028', '__proto__x', 'é', 'a\u0000b', 'toString'] as const
/** Among them numbers and booleans beside texts that read the same, and texts that a database may take for JSON of its own. */
const VALUES = ['', 'x', '5', 5, '0.1', 0.1, -0, 0, '-0', 1e21, '1e+21', 1e-7, 123_456_789_012_345_680, Number.MIN_VALUE, 1.7976931348623157e308, true, 'true', false, null, 'null', [], [1], {}, { a: 1 }, '{', '[1]', '"', '\\', 'é', '🙂', 'x\u0000y'] as const
const TEXTS = [...VALUES.filter((value) => typeof value === 'string'), ...VALUES.filter((value) => typeof value === 'number' || typeof value === 'boolean').map(String), '1E21', '0.10', 'BLOCK', 'ALLOW', 'settled', 'denied', 'v1']
const NAMES = [undefined, '', 'a', 'A', 'a ', 'é', "o'b"]

const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 2 })
/** All conditions must hold: with many of them nothing would be found. */
const rarely = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value })
const name = fc.constantFrom(...NAMES)
/** One of them often, so that a question is mostly about what is there. */
const key = fc.oneof(fc.constant('project' as const), fc.constantFrom(...KEYS))
const amount = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom(Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER))
const instant = fc.integer({ min: START, max: START + SPAN })

const details = fc.record({
  priceVersion: optional(fc.constantFrom('v1', '5', '')),
  labels: optional(fc.dictionary(key, fc.constantFrom(0, 3, 1e21, 0.1, 5), { maxKeys: 3 })),
  action: optional(fc.constantFrom('ALLOW' as const, 'WARN' as const, 'DEGRADE' as const)),
})

/** Entries as they come back from a store: without what JSON has no word for. */
export const entriesArbitrary: fc.Arbitrary<readonly LedgerEntry[]> = fc
  .array(
    fc.record({
      kind: fc.constantFrom<LedgerKind[]>('settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured'),
      at: instant,
      tenant: name,
      userId: fc.constantFrom('', 'a', 'A', 'é'),
      tier: name,
      sessionId: name,
      scopes: optional(fc.dictionary(key, fc.constantFrom('', 'x', '5', 'true'), { maxKeys: 2 })),
      provider: name,
      requestedModel: name,
      model: name,
      microcents: amount,
      tokens: amount,
      estimatedMicrocents: optional(amount),
      estimatedTokens: optional(amount),
      rungs: fc.constantFrom(undefined, [{ model: 'a', microcents: 2, tokens: 1 }, { microcents: 1, tokens: 1 }]),
      openedAt: optional(instant),
      charged: fc.constant([]),
      reason: name,
      calls: fc.constantFrom(undefined, -1, 1),
      details: optional(details),
      metadata: optional(fc.dictionary(key, fc.constantFrom(...VALUES), { maxKeys: 4 })),
    }),
    { maxLength: 25 },
  )
  .map((entries) => entries.map((entry, index) => JSON.parse(JSON.stringify({ ...entry, id: `e${index}`, decisionId: `d${index % 3}` })) as LedgerEntry))

const field: fc.Arbitrary<EntryField> = fc.oneof(
  fc.constantFrom(...NAMED_FIELDS),
  fc.tuple(fc.constantFrom(...KEYED_FIELDS), key.filter((each) => each !== '')).map(([holder, within]) => `${holder}.${within}` as const),
)
const text = fc.oneof(fc.constantFrom(...TEXTS), fc.constantFrom(...NAMES.filter((each) => each !== undefined)), fc.constant(null))
const usd = fc.integer({ min: 0, max: 5 }).map((microcents) => (microcents / 1e8).toFixed(8))
const range = <T>(bound: fc.Arbitrary<T>): fc.Arbitrary<{ atLeast?: T | undefined; atMost?: T | undefined }> => fc.record({ atLeast: optional(bound), atMost: optional(bound) })

const KINDS = ['settled', 'denied', 'corrected']
const ACTIONS = ['ALLOW', 'BLOCK', 'DEGRADE']

/** The nearest filter that is one: an end comes after its beginning, a bound is not lower than the one below it, and a kind or an action is one that there is. */
export function askable(filter: EntryFilter): EntryFilter {
  const { from, until, openedFrom, openedUntil, where } = filter
  const isBackwards = (first: unknown, end: unknown): boolean => typeof first === 'number' && typeof end === 'number' && first >= end
  const upright = (name: 'cost' | 'estimatedCost' | 'tokens'): object => {
    const { atLeast, atMost } = filter[name] ?? {}
    return atLeast !== undefined && atMost !== undefined && Number(atLeast) > Number(atMost) ? { [name]: { atLeast: atMost, atMost: atLeast } } : {}
  }
  const known = (text: string | null, texts: readonly string[]): string | null => (text === null || texts.includes(text) ? text : (texts[text.length % texts.length] as string))
  const wanted = Object.entries(where ?? {}).map(([name, value]) => {
    const texts = name === 'kind' ? KINDS : name === 'action' ? ACTIONS : undefined
    if (texts === undefined || value === undefined) return [name, value]
    return [name, Array.isArray(value) ? value.map((each: string | null) => known(each, texts)) : known(value as string | null, texts)]
  })
  return {
    ...filter,
    ...(isBackwards(from, until) && { from: until, until: (from as number) + 1 }),
    ...(isBackwards(openedFrom, openedUntil) && { openedFrom: openedUntil, openedUntil: (openedFrom as number) + 1 }),
    ...upright('cost'),
    ...upright('estimatedCost'),
    ...upright('tokens'),
    ...(where !== undefined && { where: Object.fromEntries(wanted) as NonNullable<EntryFilter['where']> }),
  }
}

/** Questions about such ledgers. */
export const questionArbitrary: fc.Arbitrary<Question> = fc.record({
  filter: fc.record({
    from: rarely(instant), until: rarely(instant), openedFrom: rarely(instant), openedUntil: rarely(instant),
    where: fc.oneof(fc.constant({}), fc.dictionary(field, fc.oneof(text, fc.array(text, { maxLength: 8 })), { maxKeys: 2 })),
    cost: rarely(range(usd)), estimatedCost: rarely(range(usd)), tokens: rarely(range(fc.integer({ min: -5, max: 5 }))),
  }).map((filter) => askable(filter as EntryFilter)),
  by: fc.uniqueArray(field, { maxLength: 3 }),
  boundaries: fc.oneof(
    fc.constant([]),
    fc.array(instant, { maxLength: 9 }).map((instants) => [...instants].sort((a, b) => a - b)),
    fc.tuple(instant, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9 })).map(([first, length, count]) => Array.from({ length: count + 1 }, (_, index) => first + index * length)),
  ),
  limit: fc.integer({ min: 1, max: 8 }),
}) // prettier-ignore

/** What a source answers itself, and what stands in its entries. */
export interface Answers {
  readonly entries: readonly unknown[]
  readonly sums: readonly unknown[]
}

/** The entries by pages, and the sums, as the source gives them. */
export async function answersOf(source: EntrySource, { filter, by, boundaries, limit }: Question): Promise<Answers> {
  const conditions = parseFilter(filter)
  const entries = await paged(source, conditions, limit)
  return { entries: entries.map(plain), sums: comparable((await source.sums?.(conditions, by, boundaries)) ?? []) }
}

/** The same, found by trying the conditions on every entry. */
export async function expectedOf(entries: readonly LedgerEntry[], { filter, by, boundaries }: Question): Promise<Answers> {
  const conditions = parseFilter(filter)
  const source: EntrySource = {
    async *entries() {
      yield* entries
    },
  }
  return { entries: entries.filter((entry) => matches(entry, conditions)), sums: comparable(await sumsOf(source, conditions, by, boundaries)) }
}

async function paged(source: EntrySource, conditions: Conditions, limit: number): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = []
  for (let after: string | undefined; ; ) {
    const page = await source.page?.(conditions, limit, after)
    if (page === undefined) throw new Error('the source has no pages')
    entries.push(...page.entries)
    if (page.next === undefined) return entries
    if (page.entries.length !== limit) throw new Error(`a page of ${page.entries.length}, and more to come`)
    after = page.next
  }
}

function plain(entry: LedgerEntry): unknown {
  return JSON.parse(JSON.stringify(entry))
}

function comparable(sums: readonly EntrySum[]): readonly unknown[] {
  const rows = sums.map(({ bucket, texts, entries, calls, denials, tokens, microcents }) => JSON.stringify([bucket, texts.map((each) => each ?? null), entries, calls, denials, String(tokens), String(microcents)]))
  return rows.sort()
}
