// Cases of the store contract: what an entry says of its request, entries that are appended several at once, and the ledger read page
// by page and summed, which must be what reading all of it gives.

import { audit } from '../../audit/index.js'
import { InvalidRequestError } from '../../errors/index.js'
import { ALL_ENTRIES, matches, pageOf, parseFilter, sumsOf, type EntryField, type EntryFilter, type LedgerEntry, type LedgerTotals } from '../../ledger/index.js'
import { MAX_AMOUNT } from '../../money/index.js'
import type { ChargeFacts } from '../../store/index.js'
import { Bench, DAY, entriesOf, equal, HOUR, isClean, MINUTE, SECOND, teamOf, userOf, windowOf, type OpenStore, type StoreContractCase } from './kit.js'

const ann = userOf('ann', windowOf(null), windowOf(null, { unit: 'tokens' }), windowOf(null, { unit: 'requests' }))
const search = teamOf('search', windowOf(null, { rollingMs: HOUR }))
const both = [ann, search]
const AT = Date.UTC(2026, 0, 15, 12)

const LADDER: ChargeFacts = {
  user: { userId: 'ann', tenant: 'acme' },
  tier: 'pro',
  provider: 'openai',
  model: 'large',
  cheaperModels: ['middle', 'small'],
  sessionId: 's',
  scopes: { team: 'search', 'api.key': 'k "1"' },
  metadata: { project: 'p' },
}
const RUNGS = [{ microcents: 40, tokens: 8 }, { microcents: 20, tokens: 8 }, { microcents: MAX_AMOUNT, tokens: 0 }] as const
const LINES = [{ model: 'large', ...RUNGS[0] }, { model: 'middle', ...RUNGS[1] }, { model: 'small', ...RUNGS[2] }]
const NAMELESS: ChargeFacts = { user: { userId: 'ann' }, tier: undefined }

function denial(id: string, more: Partial<LedgerEntry> = {}): LedgerEntry {
  return { id: `${id}:denied`, kind: 'denied', at: AT, decisionId: id, userId: 'ann', microcents: 0, tokens: 0, charged: [], ...more }
}

/** A pair of entries that books spend of nobody's to a client. */
function assignment(id: string, at: number): readonly [LedgerEntry, LedgerEntry] {
  const common = { kind: 'corrected', at, decisionId: id, userId: 'ann', model: 'large', reason: 'assigned', charged: [] } as const
  return [
    { ...common, id: `${id}:assigned:from`, microcents: -7, tokens: -2, calls: -1 },
    { ...common, id: `${id}:assigned:to`, tenant: 'acme', microcents: 7, tokens: 2, calls: 1 },
  ]
}

/** Texts, numbers and names that a database might read as something else. */
const ODD_METADATA: readonly Readonly<Record<string, unknown>>[] = [
  { project: 'alpha', n: 42, 'a.b': 'dotted', "it's": 'quoted', '"': 'double', 'grüße 🙂': 'wide', flag: true },
  { project: 'beta', n: '42', 'a.b': 'other', "it's": "o'clock", '"': '"', 'grüße 🙂': '🙂', flag: false },
  { project: '', n: 1.5, a: { b: 'nested' }, flag: 'true', '\\': 'slash', '[0]': 'bracket', $: 'dollar', ' ': 'space' },
  { project: null, n: -3, list: [1, 2], constructor: 'own', '%': 'percent', 'a"b\'c': 'both' },
  { project: ['alpha'], n: 1e21, flag: null, 'a.b': 0 },
  { project: { name: 'alpha' }, n: 0.1 + 0.2, '': 'no name' },
  { n: 0, project: 'null' },
  { n: MAX_AMOUNT, project: "'; DROP TABLE entry; --" },
]
const FIELDS: readonly EntryField[] = [
  'id', 'kind', 'decisionId', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'action', 'reason', 'priceVersion',
  'metadata.project', 'metadata.n', 'metadata.a.b', "metadata.it's", 'metadata."', 'metadata.grüße 🙂', 'metadata.flag', 'metadata.list', 'metadata.constructor', 'metadata.a',
  'metadata.\\', 'metadata.[0]', 'metadata.$', 'metadata. ', 'metadata.%', 'metadata.a"b\'c', 'metadata.toString', 'scopes.team', 'scopes.api.key', 'scopes.none', 'labels.cached', "labels.it's",
] // prettier-ignore

/** A store with entries of every kind over three days, of which hardly two are alike. */
async function filled(open: OpenStore): Promise<Bench> {
  const bench = await Bench.at(open)
  const models = ['large', 'small', 'it"s']
  for (let index = 0; index < 24; index += 1) {
    const metadata = index % 9 === 8 ? undefined : ODD_METADATA[index % 9]
    const user = index % 3 === 0 ? { userId: 'ann' } : { userId: `user ${index % 2}`, tenant: ['acme', 'globex'][index % 2] as string }
    const scopes = index % 4 === 3 ? undefined : { team: ['search', "o'hara", ''][index % 3] as string, ...(index % 2 === 0 && { 'api.key': `k${index % 5}` }) }
    const facts: ChargeFacts = {
      user,
      tier: ['free', 'pro', undefined][index % 3],
      model: models[index % 3],
      ...(index % 2 === 0 && { provider: 'openai' }),
      ...(index % 5 === 0 && { sessionId: 's' }),
      ...(scopes !== undefined && { scopes }),
      ...(metadata !== undefined && { metadata }),
    }
    const id = `d${String(index).padStart(2, '0')}`
    const action = (['ALLOW', 'WARN', 'DEGRADE'] as const)[index % 3]
    const details = index % 4 === 1 ? { action, priceVersion: index % 8 === 1 ? 'v1' : '', labels: { cached: index, "it's": 1.5 } } : index % 4 === 2 ? { action } : undefined
    if (index % 6 === 5) await bench.record(both, { id, microcents: 10 * index, tokens: index, facts, ...(details && { details }) })
    else {
      await bench.hold(both, { id, microcents: 5 * index, tokens: 2 * index, ttlMs: index % 6 === 4 ? SECOND : 10 * MINUTE, facts })
      if (index % 6 === 3) await bench.release({ id })
      else if (index % 6 !== 4) await bench.settle({ id, microcents: 7 * index, tokens: index, ...(details && { details }) })
    }
    if (index % 7 === 0) await bench.store.ledger.append(denial(`n${index}`, { at: bench.clock(), model: 'large', reason: 'budget', ...(metadata && { metadata }) }))
    bench.clock.advance(index % 8 === 7 ? DAY : 3 * MINUTE)
  }
  await bench.settle({ id: 'd22', microcents: 1, tokens: 1 })
  for (const id of ['huge', 'huger']) await bench.record([teamOf('huge', windowOf(null))], { id, microcents: MAX_AMOUNT, tokens: MAX_AMOUNT - 1, facts: { user: { userId: 'ann' }, tier: 'free', model: 'large' } })
  await bench.refund({ id: 'r', microcents: 3, of: 'd06', reason: "it's" })
  await bench.store.ledger.append(...assignment('d00', bench.clock()), { ...denial('limit', { at: bench.clock(), userId: '', metadata: { limit: { id: 'l' } } }), kind: 'configured' })
  await bench.counted(...both)
  return bench
}

const FILTERS: readonly EntryFilter[] = [
  {},
  { where: { tenant: 'acme' } },
  { where: { tenant: null } },
  { where: { tenant: ['globex', null], kind: ['settled', 'recorded', 'denied'] } },
  { where: { model: ['it"s', 'no such'] } },
  { where: { model: [] } },
  { where: { userId: null } },
  { where: { action: ['DEGRADE', 'BLOCK'] } },
  { where: { action: null, tier: null } },
  { where: { priceVersion: '' } },
  { where: { 'metadata.project': 'alpha' } },
  { where: { 'metadata.project': [null, ''] } },
  { where: { 'metadata.n': '42' } },
  { where: { 'metadata.n': ['1.5', '-3', '1e+21', '0.30000000000000004', '0', String(MAX_AMOUNT)] } },
  { where: { 'metadata.flag': ['true'] } },
  { where: { 'metadata.flag': 'false' } },
  { where: { 'metadata.a.b': ['dotted', '0'] } },
  { where: { "metadata.it's": ["o'clock", 'quoted'] } },
  { where: { 'metadata."': '"', 'metadata.grüße 🙂': '🙂' } },
  { where: { 'metadata.project': "'; DROP TABLE entry; --" } },
  { where: { 'metadata.constructor': null } },
  { where: { 'scopes.team': ["o'hara", ''] } },
  { where: { 'scopes.api.key': 'k0' } },
  { where: { 'labels.cached': ['1', '9'] } },
  { cost: { atLeast: '0.0000005' } },
  { cost: { atMost: 0 } },
  { cost: { atLeast: '0.0000001', atMost: '0.000001' }, tokens: { atLeast: 2, atMost: 12 } },
  { estimatedCost: { atLeast: '0.0000001' } },
  { tokens: { atLeast: MAX_AMOUNT } },
  { from: AT + DAY, until: AT + DAY + HOUR },
  { from: AT - DAY, until: AT },
  { openedFrom: AT + MINUTE, openedUntil: AT + 10 * MINUTE },
  { from: new Date(AT + 3 * MINUTE), where: { kind: ['settled', 'expired'], 'metadata.n': null }, cost: { atLeast: 0 } },
]

const GROUPINGS: readonly (readonly EntryField[])[] = [[], ['tenant', 'model'], ['kind', 'action'], ['metadata.project', 'scopes.team'], ['userId', 'tier', 'provider']]
const STRETCHES: readonly (readonly number[])[] = [[], [AT, AT + DAY, AT + DAY + 1, AT + 2 * DAY], [AT + 1, AT + 6 * MINUTE], [AT + 90 * DAY, AT + 91 * DAY]]

async function idsByPages({ store }: Bench, filter: EntryFilter, limit: number, between: () => Promise<void> | void = () => {}): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | undefined; ; ) {
    const page = await pageOf(store.ledger, parseFilter(filter), limit, after)
    if (page.entries.length > limit || (page.next !== undefined && page.entries.length < limit)) throw new Error(`a page of ${limit}: has ${page.entries.length} entries, and ${page.next === undefined ? 'no' : 'a'} next`)
    ids.push(...page.entries.map(({ id }) => id))
    if (page.next === undefined) return ids
    after = page.next
    await between()
  }
}

/** What sums are by reading everything, or as the store gives them, in an order of their own. */
async function sums(bench: Bench, entries: readonly LedgerEntry[] | undefined, filter: EntryFilter, by: readonly EntryField[], boundaries: readonly number[]): Promise<string[]> {
  async function* each(): AsyncIterable<LedgerEntry> {
    yield* entries ?? []
  }
  const found = await sumsOf(entries === undefined ? bench.store.ledger : { entries: each }, parseFilter(filter), by, boundaries)
  const shown = found.map(({ bucket, texts, entries: count, calls, denials, tokens, microcents }) => JSON.stringify([bucket, texts.map((text) => text ?? null), count, calls, denials, String(tokens), String(microcents)]))
  return shown.sort()
}

function totalsShown({ microcents, tokens, entries, byModel, byProvider, byTier }: LedgerTotals): unknown {
  return [microcents, tokens, entries, ...[byModel, byProvider, byTier].map((by) => [...by].sort(([a], [b]) => (a < b ? -1 : 1)))]
}

const entryCases: readonly StoreContractCase[] = [
  {
    name: 'says on every change of money which scopes its request named, what was held, and which models were open',
    async run(open) {
      const bench = await Bench.at(open)
      for (const id of ['settled', 'released', 'refunded']) await bench.hold(both, { id, rungs: RUNGS, facts: LADDER })
      for (const id of ['late', 'never']) await bench.hold(both, { id, rungs: RUNGS, facts: LADDER, ttlMs: SECOND })
      await bench.settle({ id: 'settled', microcents: 4, tokens: 1, model: 'another', details: { action: 'WARN' } })
      await bench.release({ id: 'released' })
      await bench.settle({ id: 'refunded', microcents: 9, tokens: 1 })
      await bench.refund({ id: 'r', microcents: 2, of: 'refunded', user: LADDER.user })
      bench.clock.advance(MINUTE)
      await bench.settle({ id: 'late', microcents: 41, tokens: 9 })
      await bench.record(both, { id: 'recorded', microcents: 3, tokens: 1, facts: LADDER })
      const said = (await entriesOf(bench)).map(({ kind, decisionId, scopes, estimatedMicrocents, estimatedTokens, rungs, requestedModel, details }) => [`${kind} ${decisionId}`, scopes, estimatedMicrocents, estimatedTokens, rungs, requestedModel, details?.action])
      const of = (name: string, action?: string): unknown[] => [name, LADDER.scopes, 40, 8, LINES, 'large', action]
      equal(said, [
        of('settled settled', 'WARN'), of('released released'), of('settled refunded'), of('corrected refunded'), of('expired late'), of('expired never'), of('corrected late'),
        ['recorded recorded', LADDER.scopes, 0, 0, undefined, 'large', undefined],
      ], 'what entries say') // prettier-ignore
      await isClean(bench, 'of entries of several rungs')
    },
  },
  {
    name: 'says nothing of scopes and rungs where none were named and one model was open',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(both, { id: 'a', microcents: 4, tokens: 3, facts: NAMELESS })
      await bench.settle({ id: 'a', microcents: 4 })
      await bench.hold(both, { id: 'b', rungs: RUNGS.slice(0, 2), facts: NAMELESS })
      await bench.settle({ id: 'b', microcents: 4 })
      await bench.hold(both, { id: 'c', tokens: 1, facts: { ...NAMELESS, scopes: { team: 'search' } } })
      await bench.settle({ id: 'c', microcents: 4 })
      const said = (await entriesOf(bench)).map(({ scopes, estimatedTokens, rungs }) => [scopes, estimatedTokens, rungs])
      equal(said, [[undefined, 3, undefined], [undefined, 8, RUNGS.slice(0, 2)], [{ team: 'search' }, 1, undefined]], 'what entries say')
    },
  },
  {
    name: 'tells the scopes that a request named to whoever repeats or ends it',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(both, { id: 'a', rungs: RUNGS, facts: LADDER })
      const again = await bench.hold(both, { id: 'a', rungs: RUNGS, facts: LADDER })
      equal(again.replay?.facts.scopes, LADDER.scopes, 'the repeat of a reserve')
      const settled = await bench.settle({ id: 'a', microcents: 1 })
      equal('facts' in settled && settled.facts.scopes, LADDER.scopes, 'a settle')
    },
  },
]

const appendCases: readonly StoreContractCase[] = [
  {
    name: 'appends several entries at once, in their order and as they are',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(both, 'first', 5)
      const appended = [
        denial('a', { scopes: { team: 'search' }, rungs: LINES, estimatedMicrocents: 40, estimatedTokens: 8, metadata: { text: '🙂 "', n: [1, null] } }),
        denial('b', { tenant: 'acme', reason: 'budget', details: { labels: { x: 1 } } }),
        ...assignment('first', AT),
        { ...denial('limit', { userId: '' }), kind: 'configured' as const },
      ]
      await bench.store.ledger.append(...appended)
      await bench.store.ledger.append()
      await bench.spend(both, 'last', 5)
      const entries = await entriesOf(bench)
      equal(entries.map(({ decisionId, kind }) => `${kind} ${decisionId}`), ['settled first', 'denied a', 'denied b', 'corrected first', 'corrected first', 'configured limit', 'settled last'], 'the ledger')
      equal(entries.slice(1, -1), appended, 'what was appended')
    },
  },
  {
    name: 'changes no total and no audit by entries that move spend from nobody to a client',
    async run(open) {
      const bench = await Bench.at(open)
      for (const id of ['a', 'b', 'c']) await bench.spend(both, id, 7, 2)
      const before = totalsShown(await bench.store.ledger.totals())
      const counted = await bench.counted(...both)
      await bench.store.ledger.append(...assignment('a', AT), ...assignment('b', AT))
      for (let index = 0; index < 20; index += 1) await bench.store.ledger.append(...assignment(`x${index}`, AT))
      equal(totalsShown(await bench.store.ledger.totals()), before, 'the totals')
      equal(await bench.counted(...both), counted, 'the windows')
      equal(await bench.store.totals({ userId: 'ann' }), { microcents: 21, entries: 3 }, 'the totals of the user')
      await isClean(bench, 'of a ledger in which spend was moved')
      equal(await sums(bench, undefined, { where: { 'metadata.none': null } }, ['tenant'], []), [`[0,["acme"],22,22,0,"44","154"]`, `[0,[null],25,-19,0,"-38","-133"]`], 'what is summed by client')
      if (bench.store.auditor === undefined) return
      // Money that was moved is not a correction that a refund could take.
      await bench.refund({ id: 'r', microcents: 30 })
      equal((await audit(bench.store, {}, () => crypto.randomUUID())).status, 'clean', 'an audit after a refund')
      equal(await bench.store.totals({ userId: 'ann' }), { microcents: 0, entries: 6 }, 'the totals of the user after a refund')
    },
  },
]

const readingCases: readonly StoreContractCase[] = [
  {
    name: 'gives every entry once and in order, whatever the length of a page',
    async run(open) {
      const bench = await filled(open)
      const all = (await entriesOf(bench)).map(({ id }) => id)
      for (let limit = 1; limit <= all.length + 1; limit += 1) equal(await idsByPages(bench, {}, limit), all, `pages of ${limit}`)
    },
  },
  {
    name: 'gives by pages what a filter finds, and nothing else',
    async run(open) {
      const bench = await filled(open)
      const all = await entriesOf(bench)
      for (const filter of FILTERS) {
        const conditions = parseFilter(filter)
        const expected = all.filter((entry) => matches(entry, conditions)).map(({ id }) => id)
        for (const limit of [1, 3, 1_000]) equal(await idsByPages(bench, filter, limit), expected, `pages of ${limit} under ${JSON.stringify(filter)}`)
      }
      for (const field of FIELDS) {
        const conditions = parseFilter({ where: { [field]: null } })
        equal(await idsByPages(bench, { where: { [field]: null } }, 7), all.filter((entry) => matches(entry, conditions)).map(({ id }) => id), `entries without ${field}`)
      }
    },
  },
  {
    name: 'gives by pages every entry once that is written while they are read',
    async run(open) {
      const bench = await Bench.at(open)
      for (let index = 0; index < 6; index += 1) await bench.record(both, { id: `a${index}`, microcents: 1 })
      let written = 0
      const ids = await idsByPages(bench, { where: { kind: ['recorded', 'denied'] } }, 2, async () => {
        if (written === 5) return
        written += 1
        await bench.record(both, { id: `b${written}`, microcents: 1 })
        await bench.store.ledger.append(denial(`d${written}`))
        await bench.spend(both, `other ${written}`, 1)
      })
      const all = (await entriesOf(bench)).filter(({ kind }) => kind !== 'settled').map(({ id }) => id)
      equal(written, 5, 'what was written meanwhile')
      equal(ids, all, 'all pages')
    },
  },
  {
    name: 'refuses to go on from what is no end of a page',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.record(both, { id: 'a', microcents: 1 })
      for (const after of ['', 'nonsense', '-1', '0', '1e3', '[]', '{"a":1}', '1; DROP TABLE entry']) {
        const refused = await pageOf(bench.store.ledger, ALL_ENTRIES, 1, after).then(() => 'is taken', (error: unknown) => (error instanceof InvalidRequestError ? 'is refused' : String(error)))
        equal(refused, 'is refused', `after ${JSON.stringify(after)}`)
      }
    },
  },
  {
    name: 'sums entries by fields, stretches of time and filters as reading all of them does',
    async run(open) {
      const bench = await filled(open)
      const all = await entriesOf(bench)
      const check = async (filter: EntryFilter, by: readonly EntryField[], boundaries: readonly number[]): Promise<void> => {
        equal(await sums(bench, undefined, filter, by, boundaries), await sums(bench, all, filter, by, boundaries), `sums by ${JSON.stringify([by, boundaries])} under ${JSON.stringify(filter)}`)
      }
      for (const field of FIELDS) await check({}, [field], [])
      for (const by of GROUPINGS) for (const boundaries of STRETCHES) await check({}, by, boundaries)
      for (const filter of FILTERS) await check(filter, ['tenant', 'metadata.n'], [AT, AT + 2 * DAY])
      const [everything] = await sumsOf(bench.store.ledger, ALL_ENTRIES, [])
      const exact = all.reduce((sum, { microcents }) => sum + BigInt(microcents), 0n)
      equal([everything?.microcents === exact, exact > BigInt(MAX_AMOUNT)], [true, true], 'that the sum of everything passes 2^53 and is exact')
    },
  },
]

/** See the head of this file. */
export const ledgerCases: readonly StoreContractCase[] = [...entryCases, ...appendCases, ...readingCases]
