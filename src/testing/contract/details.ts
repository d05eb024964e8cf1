// Cases of the store contract: what the ledger keeps of how a cost was found, and of whose model answered.

import type { CostDetails, LedgerEntry } from '../../ledger/index.js'
import { Bench, entriesOf, equal, HOUR, isClean, MINUTE, outcomeIs, SECOND, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'

const ann = [userOf('ann', windowOf(100), windowOf(100, { unit: 'tokens' })), teamOf('search', windowOf(100, { rollingMs: HOUR }))]
/** Calendar windows with announcements: what a store does for most requests, it may do by a shorter way. */
const usual = [userOf('ann', windowOf(100, { alerts: [90] }), windowOf(100, { unit: 'tokens', alerts: [90] })), teamOf('search', windowOf(100, { alerts: [90] }))]
const OPENAI = { user: { userId: 'ann' }, tier: 'free', model: 'large', provider: 'openai' }

const PRICED: CostDetails = { priceVersion: '2026-01-15', usage: { inputTokens: 1_200, cachedTokens: 1_000, outputTokens: Number.MAX_SAFE_INTEGER }, labels: { retrieval: 7 } }
const ESTIMATED: CostDetails = { estimated: true, usage: { outputTokens: 0.5 } }
/** All of it is somebody's text or number: none of it may be read as anything else on the way. */
const ODD: CostDetails = { priceVersion: '', usage: {}, labels: { '': 0, '\0': 1, '"\\\n': 2, 'grüße 🙂': 3, '\ud800': 4, '{"estimated":true}': 5, constructor: 6, [`long ${'x'.repeat(70_000)}`]: 7 } }

/** See the head of this file. */
export const detailCases: readonly StoreContractCase[] = [
  {
    name: 'keeps how a cost was found on what was settled, settled late or recorded, and on nothing else',
    async run(open) {
      const bench = await Bench.at(open)
      for (const id of ['settled', 'given', 'released']) await bench.hold(ann, { id, microcents: 10 })
      for (const id of ['late', 'undone']) await bench.hold(ann, { id, microcents: 10, ttlMs: SECOND })
      await bench.settle({ id: 'settled', microcents: 4, details: PRICED })
      await bench.settle({ id: 'given', microcents: 3 })
      await bench.release({ id: 'released' })
      bench.clock.advance(MINUTE)
      await bench.settle({ id: 'late', microcents: 2, details: ESTIMATED })
      await bench.release({ id: 'undone' })
      await bench.record(ann, { id: 'recorded', microcents: 1, details: ODD })
      await bench.record(ann, { id: 'counted', microcents: 1 })
      for (const of of ['settled', 'late', 'recorded']) await bench.refund({ id: `refund of ${of}`, microcents: 1, of })
      const found: readonly (readonly [string, CostDetails?])[] = [
        ['settled settled', PRICED], ['settled given'], ['released released'], ['expired late'], ['expired undone'], ['corrected late', ESTIMATED], ['corrected undone'],
        ['recorded recorded', ODD], ['recorded counted'], ['corrected settled'], ['corrected late'], ['corrected recorded'],
      ] // prettier-ignore
      equal((await entriesOf(bench)).map(({ kind, decisionId, details }) => [`${kind} ${decisionId}`, details]), found.map(([name, details]) => [name, details]), 'details')
      await isClean(bench, 'of a ledger with details')
    },
  },
  {
    name: 'keeps the details of many costs apart',
    async run(open) {
      const bench = await Bench.at(open)
      for (let index = 0; index < 40; index += 1) {
        await bench.hold(usual, { id: `h${index}`, microcents: 1 })
        await bench.settle({ id: `h${index}`, microcents: 1, ...(index % 3 > 0 && { details: { usage: { inputTokens: index } } }) })
      }
      equal((await entriesOf(bench)).map(({ details }) => details?.usage?.['inputTokens'] ?? 0), Array.from({ length: 40 }, (_, index) => (index % 3 > 0 ? index : 0)), 'usage of each')
    },
  },
  {
    name: 'repeats a settle or a record with other details as the first one, and keeps those of the first',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'a', microcents: 10, facts: OPENAI })
      await bench.settle({ id: 'a', microcents: 4, tokens: 0, details: PRICED })
      const again = await bench.settle({ id: 'a', microcents: 4, tokens: 0, model: 'small', provider: 'azure', details: ESTIMATED })
      equal(['replayed' in again && again.replayed, again.outcome], [true, 'settled'], 'the same cost once more')
      outcomeIs(await bench.settle({ id: 'a', microcents: 5, tokens: 0, details: PRICED }), 'already-ended', 'another cost with the same details', 'settled')
      await bench.record(ann, { id: 'b', microcents: 1, details: ESTIMATED })
      const recorded = await bench.record(ann, { id: 'b', microcents: 1 })
      equal('replayed' in recorded && recorded.replayed, true, 'the same record without details')
      await bench.refund({ id: 'r', microcents: 1, of: 'a' })
      const entries = await entriesOf(bench)
      equal(entries.map(({ decisionId, details }) => [decisionId, details]), [['a', PRICED], ['b', ESTIMATED], ['a', undefined]], 'details')
      equal(entries.map(({ model, provider }) => `${model} ${provider ?? ''}`), ['large openai', 'large ', 'large openai'], 'models and providers')
    },
  },
  {
    name: "books a cost under the provider whose model answered, and under the request's where nothing else was said",
    async run(open) {
      const bench = await Bench.at(open)
      const hold = (id: string, facts: object = OPENAI): Promise<unknown> => bench.hold(usual, { id, microcents: 10, facts: facts as typeof OPENAI })
      await hold('same')
      await hold('named')
      await hold('other')
      await hold('both')
      await hold('unnamed', { user: { userId: 'ann' }, tier: 'free', model: 'large' })
      await bench.settle({ id: 'same', microcents: 1 })
      await bench.settle({ id: 'named', microcents: 2, provider: 'openai' })
      await bench.settle({ id: 'other', microcents: 3, provider: 'azure', details: PRICED })
      await bench.settle({ id: 'both', microcents: 4, model: 'larger', provider: 'azure' })
      await bench.settle({ id: 'unnamed', microcents: 5, provider: 'azure' })
      await bench.refund({ id: 'r', microcents: 2, of: 'other' })
      equal((await entriesOf(bench)).map(named), ['settled same 1 large openai', 'settled named 2 large openai', 'settled other 3 large azure', 'settled both 4 larger azure', 'settled unnamed 5 large azure', 'corrected other -2 large azure'], 'entries')
      equal(await byProvider(bench), [['azure', 10], ['openai', 3]], 'sums by provider')
      const repeat = await bench.reserve(usual, { id: 'other', microcents: 10, facts: OPENAI })
      equal('replay' in repeat && repeat.replay?.facts.provider, 'openai', 'the provider of the request, as a repeat is told')
      await isClean(bench, 'after costs of other providers')
    },
  },
  {
    name: 'books what a late settle adds under the provider that it names, and leaves the expiry where it was',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'a', microcents: 10, ttlMs: SECOND, facts: OPENAI })
      bench.clock.advance(MINUTE)
      const late = await bench.settle({ id: 'a', microcents: 14, provider: 'azure', details: PRICED })
      equal('facts' in late && late.facts.provider, 'openai', 'the provider of the request')
      bench.clock.advance(MINUTE)
      await bench.refund({ id: 'r', microcents: 5, of: 'a' })
      equal((await entriesOf(bench)).map(named), ['expired a 10 large openai', 'corrected a 4 large azure', 'corrected a -4 large azure', 'corrected a -1 large azure'], 'entries')
      equal(await byProvider(bench), [['azure', -1], ['openai', 10]], 'sums by provider')
      const again = await bench.settle({ id: 'a', microcents: 14, provider: 'openai' })
      equal(['replayed' in again && again.replayed, 'late' in again && again.late], [true, true], 'the same once more')
      await isClean(bench, 'after a late settle')
    },
  },
]

function named({ kind, decisionId, microcents, model, provider }: LedgerEntry): string {
  return `${kind} ${decisionId} ${microcents} ${model ?? ''} ${provider ?? ''}`
}

async function byProvider({ store }: Bench): Promise<(readonly [string, number])[]> {
  const totals = await store.ledger.totals()
  return [...totals.byProvider].map(([provider, { microcents }]) => [provider, microcents] as const).sort(([a], [b]) => (a < b ? -1 : 1))
}
