// What a request says of itself comes back unchanged, in whatever words and numbers: from a repeat, a settle and the ledger.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Amounts, ChargeFacts, LedgerEntry, ScopeTerms } from '../../../../src/index.js'
import { parseScopeKey, scopeKey, userScope } from '../../../../src/budget/index.js'
import { MAX_AMOUNT } from '../../../../src/money/index.js'
import { digestOf } from '../../../../src/store/redis/requests.js'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { HOUR, MINUTE, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock } from '../../../../src/testing/index.js'
import { assertProperty } from '../../../support/property.js'
import { Ground } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const START = Date.UTC(2026, 0, 15, 12)
const word = fc.oneof(fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }), fc.constantFrom('gpt-4o', '大型/模型', 'é%2F/', 'x'.repeat(256), '0', ' '))
/** An id has visible characters alone. */
const name = word.filter((text) => !/[\p{C}\p{Z}]/u.test(text))
const maybe = <Item>(arbitrary: fc.Arbitrary<Item>): fc.Arbitrary<Item | undefined> => fc.option(arbitrary, { nil: undefined })
const amount = fc.oneof(fc.nat({ max: 1_000 }), fc.integer({ min: 0, max: MAX_AMOUNT }), fc.constantFrom(0, 2 ** 32, MAX_AMOUNT))
const amounts: fc.Arbitrary<Amounts> = fc.record({ microcents: amount, tokens: amount })
const facts: fc.Arbitrary<ChargeFacts> = fc
  .record({
    userId: name,
    tenant: maybe(name),
    tier: maybe(word),
    provider: maybe(word),
    model: maybe(word),
    cheaper: maybe(fc.array(word, { maxLength: 3 })),
    sessionId: maybe(name),
    scopes: maybe(fc.dictionary(word.filter((key) => key !== '__proto__'), name, { maxKeys: 2, noNullPrototype: true })),
    metadata: maybe(fc.dictionary(word.filter((key) => key !== '__proto__'), word, { maxKeys: 3, noNullPrototype: true })),
  })
  .map(({ userId, tenant, tier, provider, model, cheaper, sessionId, scopes, metadata }) => ({
    user: tenant === undefined ? { userId } : { userId, tenant },
    tier,
    provider,
    model,
    ...(cheaper !== undefined && { cheaperModels: cheaper }),
    ...(sessionId !== undefined && { sessionId }),
    ...(scopes !== undefined && { scopes }),
    ...(metadata !== undefined && { metadata }),
  }))
const limit = fc.oneof(fc.constantFrom(null, MAX_AMOUNT, MAX_AMOUNT - 1), fc.integer({ min: 1, max: MAX_AMOUNT }))
const units = fc.constantFrom('usd' as const, 'tokens' as const, 'requests' as const)
const periods = fc.constantFrom({ period: 'daily' as const }, { period: 'weekly' as const }, { period: 'monthly' as const }, { period: 'total' as const }, { rollingMs: HOUR })
const alerting = fc.constantFrom([], [0.01], [33.34, 80, 100])
const window = fc.tuple(limit, units, periods, alerting).map(([most, unit, period, alerts]) => windowOf(most, { unit, ...period, alerts }))
const windows = fc.uniqueArray(window, { minLength: 1, maxLength: 5, selector: (each) => each.window })
const teams = fc.uniqueArray(fc.tuple(name, windows), { maxLength: 2, selector: ([id]) => id })

/** A request of anybody, in any words, that fits. */
const requests = fc.record({
  id: word,
  fingerprint: word,
  idGiven: fc.boolean(),
  facts,
  own: windows,
  teams,
  rungs: fc.array(amounts, { minLength: 1, maxLength: 4 }),
  microcents: amount,
  tokens: amount,
  model: maybe(word),
})
type Request = typeof requests extends fc.Arbitrary<infer Item> ? Item : never

function scopesOf({ facts: { user }, own, teams: shared }: Request): ScopeTerms[] {
  const scopes = [{ scope: userScope(user), windows: own }, ...shared.map(([id, theirs]) => ({ scope: { kind: 'team/of', id }, windows: theirs }))]
  return scopes.map((scope) => ({ ...scope, key: scopeKey(scope.scope) }))
}

async function entriesOf(store: RedisStore): Promise<LedgerEntry[]> {
  const all: LedgerEntry[] = []
  for await (const entry of store.ledger.entries()) all.push(entry)
  return all
}

describe('a request', () => {
  it('comes back as it was, from a repeat, a settle and the ledger', async () => {
    let admissions = 0
    const property = fc.asyncProperty(requests, async (request) => {
      const { id, fingerprint, idGiven, facts: given, rungs, microcents, tokens, model } = request
      const prefix = ground.prefix()
      const clock = manualClock(START)
      const [here, there] = [ground.store(prefix, { storeClock: clock }), ground.store(prefix, { storeClock: clock })]
      const scopes = scopesOf(request)
      const asked = { id, fingerprint, idGiven, ttlMs: MINUTE, onExpiry: 'charge' as const, scopes, rungs, facts: given }
      const first = await here.reserve(asked)
      if (first.outcome !== 'admitted') {
        const count = 4 * scopes.reduce((sum, scope) => sum + scope.windows.length, 0)
        expect(first).toMatchObject({ outcome: 'refused', now: START, readings: { length: count } })
      } else {
        admissions += 1
        clock.advance(1_000)
        const placed = scopes.map(({ scope, key, windows: each }) => ({ scope, key, windows: each.map((terms) => ({ window: terms.window, unit: terms.unit, limit: terms.limit })) }))
        expect(await there.reserve(asked)).toEqual({ ...first, effects: [], replay: { scopes: placed, state: 'open', rungs, facts: given } })
        expect(await there.reserve({ ...asked, fingerprint: `${fingerprint}!` })).toEqual({ outcome: 'id-reused' })
        const settled = { outcome: 'settled', now: START + 1_000, microcents, heldMicrocents: rungs[first.rung]?.microcents, late: false, facts: given }
        expect(await there.settle({ id, microcents, tokens, model })).toMatchObject({ ...settled, replayed: false })
        expect(await here.settle({ id, microcents, tokens, model })).toMatchObject({ ...settled, replayed: true })
        const [entry, ...others] = await entriesOf(here)
        expect(others).toEqual([])
        expect(entry).toEqual({
          id: `${id}:settled`,
          kind: 'settled',
          at: START + 1_000,
          decisionId: id,
          tenant: given.user.tenant,
          userId: given.user.userId,
          tier: given.tier,
          sessionId: given.sessionId,
          scopes: given.scopes,
          provider: given.provider,
          requestedModel: given.model,
          model: model ?? (first.rung === 0 ? given.model : given.cheaperModels?.[first.rung - 1]),
          microcents,
          tokens,
          estimatedMicrocents: rungs[first.rung]?.microcents,
          estimatedTokens: rungs[first.rung]?.tokens,
          rungs: rungs.length === 1 ? undefined : rungs.map((held, rung) => ({ model: rung === 0 ? given.model : given.cheaperModels?.[rung - 1], ...held })),
          openedAt: START,
          charged: expect.anything(),
          reason: undefined,
          metadata: given.metadata,
        })
        expect(entry?.charged.map(({ scope, window: charged }) => [scope, charged])).toEqual(scopes.flatMap(({ scope, windows: each }) => each.map((terms) => [scope, terms.window])))
        expect(await there.totals(given.user)).toEqual({ microcents, entries: 1 })
      }
      await ground.lose(prefix)
    })
    await assertProperty('a request comes back as it was', property, Number(process.env['BURSAR_RUNS'] ?? 200))
    expect(admissions).toBeGreaterThan(20)
  })

  it('keeps every key of a scope apart', () => {
    for (const scope of [{ kind: 'team/of', id: 'a/b' }, { kind: 'user', id: 'é', tenant: 'a/%2F' }]) expect(parseScopeKey(scopeKey(scope))).toEqual(scope)
  })

  it('with zero bytes in its names keeps them where it can, and never mixes them up', async () => {
    const clock = manualClock(START)
    const store = ground.store(ground.prefix(), { storeClock: clock })
    const odd: ChargeFacts = { user: { userId: 'ann' }, tier: 'a\0b', provider: '\0', model: 'm\0', metadata: { k: 'v\0w' } }
    const scopes = [{ scope: userScope(odd.user), key: scopeKey(userScope(odd.user)), windows: [windowOf(100)] }]
    const asked = { id: 'i\0d', fingerprint: 'f\0', idGiven: true, ttlMs: MINUTE, onExpiry: 'charge' as const, scopes, rungs: [{ microcents: 5, tokens: 0 }], facts: odd }
    expect((await store.reserve(asked)).outcome).toBe('admitted')
    expect(await store.reserve(asked)).toMatchObject({ replay: { facts: odd } })
    expect(await store.settle({ id: 'i\0d', microcents: 5, model: 'x\0y' })).toMatchObject({ facts: odd })
    expect(await store.settle({ id: 'i', microcents: 5 })).toEqual({ outcome: 'unknown-hold' })
    const [entry] = await entriesOf(store)
    expect(entry).toMatchObject({ decisionId: 'i\0d', tier: 'a\0b', provider: '\0', requestedModel: 'm\0', model: 'x\ufffdy', metadata: { k: 'v\0w' } })
    expect((await store.ledger.totals()).byModel.get('x\ufffdy')).toMatchObject({ microcents: 5 })
  })

  it('is large where its metadata is', async () => {
    const store = ground.store(ground.prefix(), { storeClock: manualClock(START) })
    const metadata = { text: '大'.repeat(100_000) }
    const user = { userId: 'ann' }
    const asked = { id: 'a', fingerprint: 'a', idGiven: true, ttlMs: MINUTE, onExpiry: 'charge' as const, scopes: [{ scope: userScope(user), key: scopeKey(userScope(user)), windows: [windowOf(100)] }], rungs: [{ microcents: 5, tokens: 0 }], facts: { user, tier: 'free', metadata } }
    await store.reserve(asked)
    expect(await store.reserve(asked)).toMatchObject({ replay: { facts: { metadata } } })
    await store.settle({ id: 'a', microcents: 5 })
    expect((await entriesOf(store))[0]?.metadata).toEqual(metadata)
  })
})

describe('the digest of a fingerprint', () => {
  it('is eight bytes, zeros where it is the id itself, and another for every other', () => {
    expect(digestOf('a', 'a')).toEqual(Buffer.alloc(8))
    const digests = Array.from({ length: 1_000 }, (_, index) => digestOf('a', `fingerprint ${index}`).toString('hex'))
    expect(new Set(digests).size).toBe(1_000)
    expect(digests.every((digest) => digest.length === 16 && digest !== '0'.repeat(16))).toBe(true)
    expect(digestOf('a', 'b')).toEqual(digestOf('other', 'b'))
  })
})
