// Ledger entries, and questions about them, in which whatever a database may trip over is common: texts that it cannot keep, keys and
// texts of JSON, numbers that look like texts, sums above 2^53, instants that repeat.

import fc from 'fast-check'
import type { Conditions, EntryField, LedgerEntry, LedgerKind } from '../../../src/ledger/index.js'

const KINDS: readonly LedgerKind[] = ['settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured']
const WORDS = ['', 'a', 'A', 'á', 'a\0', '\0', '\ud800', 'x\udfff', '\uffff', '\uffff0000', '\\u0000', '"', "'; --", '5', '5.0', '1e+21', 'true', 'null', '{}', '😀', 'a.b', '$1', '__proto__'] as const
const FIELDS: readonly EntryField[] = [
  'kind', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'action', 'reason', 'priceVersion', 'scopes.team', 'metadata.a', 'metadata.a\0',
  'metadata.\ud800', 'metadata.\\u0000', 'metadata.a.b', 'metadata.1e+21', 'metadata.__proto__', 'labels.a', 'labels."',
] // prettier-ignore

const word = fc.oneof(fc.constantFrom(...WORDS), fc.string({ unit: 'binary', maxLength: 3 }), fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)))
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const amount = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.maxSafeInteger())
const instant = fc.oneof(fc.integer({ min: 0, max: 9 }), fc.constantFrom(1_700_000_000_000, 1_700_000_000_001))
// As JSON gives it back: an entry's metadata has been through JSON in every store.
const plain = fc.oneof(word, fc.integer(), fc.constantFrom(1e21, 0.1, -1.5e-7, 5e-324, true, false, null), fc.array(word, { maxLength: 2 }), fc.dictionary(word, word, { maxKeys: 2 }))
const metadata = fc.dictionary(word, plain, { maxKeys: 4 }).map((given) => JSON.parse(JSON.stringify(given)) as Record<string, unknown>)

/** Entries of which all are different to a ledger. */
export const oddEntries: fc.Arbitrary<LedgerEntry[]> = fc.uniqueArray(
  fc.record({
    id: word,
    kind: fc.constantFrom(...KINDS),
    at: instant,
    decisionId: word,
    tenant: maybe(word),
    userId: word,
    tier: maybe(word),
    sessionId: maybe(word),
    scopes: maybe(fc.dictionary(fc.constantFrom('team', 'apiKey', 'a\0'), word)),
    provider: maybe(word),
    requestedModel: maybe(word),
    model: maybe(word),
    microcents: amount,
    tokens: amount,
    estimatedMicrocents: maybe(amount),
    estimatedTokens: maybe(amount),
    rungs: maybe(fc.array(fc.record({ model: word, microcents: amount, tokens: amount }), { maxLength: 2 })),
    openedAt: maybe(instant),
    charged: fc.array(fc.record({ scope: fc.record({ kind: word, id: word }), window: word, startsAt: instant }), { maxLength: 2 }),
    reason: maybe(word),
    calls: maybe(fc.constantFrom(-1, 1)),
    details: maybe(
      fc.record({ priceVersion: word, action: fc.constantFrom('ALLOW', 'WARN', 'DEGRADE'), labels: fc.dictionary(word, fc.nat(9), { maxKeys: 2 }) }, { requiredKeys: [] }),
    ),
    metadata: maybe(metadata),
  }),
  { selector: ({ id, at, openedAt }) => JSON.stringify([id, at, openedAt ?? null]), maxLength: 12 },
) as unknown as fc.Arbitrary<LedgerEntry[]>

/** Fields to sum by. */
export const oddFields: fc.Arbitrary<EntryField[]> = fc.uniqueArray(fc.constantFrom(...FIELDS), { maxLength: 3 })

/** Questions that some of the entries above answer. */
export const oddConditions: fc.Arbitrary<Conditions> = fc.record({
  fields: fc.array(fc.record({ field: fc.constantFrom(...FIELDS), texts: fc.array(fc.oneof(fc.constantFrom(...WORDS, 'settled', 'ALLOW', 'BLOCK', '0.1'), word), { maxLength: 12 }), orNone: fc.boolean() }), { maxLength: 2 }),
  bounds: fc.array(
    fc.record({ field: fc.constantFrom('at' as const, 'openedAt' as const, 'microcents' as const, 'tokens' as const), least: fc.oneof(fc.constant(-Infinity), amount), most: fc.oneof(fc.constant(Infinity), amount) }),
    { maxLength: 1 },
  ),
})

/** Boundaries of time, ascending: none, one, of one length, or of several. */
export const oddBoundaries: fc.Arbitrary<number[]> = fc.oneof(
  fc.constant<number[]>([]),
  fc.uniqueArray(fc.oneof(fc.integer({ min: -1, max: 12 }), fc.constantFrom(1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000)), { maxLength: 6 }).map((all) => all.sort((a, b) => a - b)),
  fc.constantFrom<number[]>([0, 5, 10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
)
