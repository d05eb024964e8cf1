// What is wrong with a session is said, by field and remedy, and leaves no trace.

import { beforeEach, describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type BursarErrorCode, type Session } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allOf } from '../setting.js'

const clock = manualClock()
let store: ReturnType<typeof memoryStore>
let bursar: Bursar
let session: Session
let free: Session

beforeEach(async () => {
  store = memoryStore({ clock })
  bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store })
  session = await bursar.session({ userId: 'ann', id: 's', maxCost: 1 })
  free = await session.session({ id: 'child' })
})

const open = (config: object) => () => bursar.session({ userId: 'ann', maxCost: 1, ...config } as never)

const CASES: readonly (readonly [what: string, call: () => unknown, code: BursarErrorCode, says: string | RegExp])[] = [
  ['no session at all', () => bursar.session(undefined as never), 'INVALID_REQUEST', 'session: is missing'],
  ['no user', open({ userId: undefined }), 'INVALID_REQUEST', 'userId'],
  ['an empty user', open({ userId: '' }), 'INVALID_REQUEST', 'userId: must be 1 to 256 visible characters'],
  ['an empty tenant', open({ tenant: '' }), 'INVALID_REQUEST', 'tenant: must be'],
  ['an empty id', open({ id: '' }), 'INVALID_REQUEST', 'id: must be'],
  ['an unknown field', open({ maxcost: 1 }), 'INVALID_REQUEST', 'maxcost: is no known field'],
  ['an id by the name of a request', open({ sessionId: 's' }), 'INVALID_REQUEST', 'sessionId: is no field of a new session. Give its id as id.'],
  ['a new one without a cap', open({ maxCost: undefined }), 'INVALID_REQUEST', /^maxCost, maxTokens: are missing\..*give its id/],
  ['an unknown id without a cap', open({ maxCost: undefined, id: 'nobody' }), 'UNKNOWN_SESSION', 'sessionId: "nobody" is no session of this user'],
  ['the id of another user', open({ maxCost: undefined, id: 's', userId: 'bob' }), 'UNKNOWN_SESSION', 'sessionId: "s" is no session of this user'],
  ['the id of another tenant', open({ maxCost: undefined, id: 's', tenant: 'acme' }), 'UNKNOWN_SESSION', 'sessionId: "s" is no session of this user'],
  ['a cap that is NaN', open({ maxCost: Number.NaN }), 'INVALID_AMOUNT', 'maxCost: NaN'],
  ['an infinite cap', open({ maxCost: Infinity }), 'INVALID_AMOUNT', 'maxCost: Infinity'],
  ['a negative cap', open({ maxCost: -1 }), 'INVALID_AMOUNT', 'maxCost: -1 is negative'],
  ['a cap that is finer than a microcent', open({ maxCost: '0.000000001' }), 'INVALID_AMOUNT', 'maxCost'],
  ['a cap of half a token', open({ maxTokens: 0.5 }), 'INVALID_AMOUNT', 'maxTokens: 0.5 is not a count'],
  ['a cap of NaN tokens', open({ maxTokens: Number.NaN }), 'INVALID_AMOUNT', 'maxTokens: NaN is not a count'],
  ['a cap that is text for tokens', open({ maxTokens: '5' }), 'INVALID_REQUEST', 'maxTokens'],
  ['another cap', open({ id: 's', maxCost: 0.5 }), 'INVALID_REQUEST', /^maxCost: session "s" has a cap of \$1\.00, and \$0\.50 was given\. .*raiseCostCap\(\) raises it/],
  ['a higher cap', open({ id: 's', maxCost: 2 }), 'INVALID_REQUEST', 'raiseCostCap() raises it'],
  ['a cap in tokens where there is none', open({ id: 's', maxTokens: 5 }), 'INVALID_REQUEST', 'maxTokens: session "s" has no such cap'],
  ['a life of nothing', open({ ttl: 0 }), 'INVALID_CONFIG', 'ttl: 0 is not above zero'],
  ['a life that is none', open({ ttl: 'long' }), 'INVALID_CONFIG', 'ttl: "long" is not a duration'],
  ['an unknown tier', open({ userTier: 'gold' }), 'UNKNOWN_TIER', 'gold'],
  ['an unknown scope', open({ scopes: { team: 'x' } }), 'UNKNOWN_SCOPE', 'scopes.team'],
  ['metadata that no JSON can be', open({ metadata: { big: 1n } }), 'INVALID_REQUEST', 'metadata.big'],
  ['a nested one with a user', () => session.session({ userId: 'bob' } as never), 'INVALID_REQUEST', 'userId: is no known field'],
  ['a nested one that is null', () => session.session(null as never), 'INVALID_REQUEST', 'session: null is no nested session. Give { maxCost }, or nothing'],
  ['a nested one that is a number', () => session.session(1 as never), 'INVALID_REQUEST', 'session: 1 is no nested session'],
  ['no session but null', () => bursar.session(null as never), 'INVALID_REQUEST', 'session: is missing. Give { userId, maxCost }.'],
  ['a nested one with a cap of NaN', () => session.session({ maxCost: Number.NaN }), 'INVALID_AMOUNT', 'maxCost: NaN'],
  ['a nested one that is its parent', () => session.session({ id: 's' }), 'INVALID_REQUEST', 'session "s" is not nested in session "s"'],
  ['a request of another user', () => session.check({ userId: 'bob', estimatedCost: 0 } as never), 'INVALID_REQUEST', "are the session's own"],
  ['a request of another session', () => session.guard({ sessionId: 't', estimatedCost: 0 } as never, async () => ({ result: 0, cost: 0 })), 'INVALID_REQUEST', "are the session's own"],
  ['a request of another tenant', () => session.stream({ tenant: 't', estimatedCost: 0 } as never, async function* () {}), 'INVALID_REQUEST', "are the session's own"],
  ['a request that is none', () => session.check(undefined as never), 'INVALID_REQUEST', 'request: is missing'],
  ['no estimate where money is capped', () => session.check({}), 'MISSING_ESTIMATE', 'estimatedCost: is missing'],
  ['an unknown session of a request', () => bursar.check({ userId: 'ann', sessionId: 'nobody', estimatedCost: 0 }), 'UNKNOWN_SESSION', 'sessionId: "nobody" is no session of this user'],
  ['an unknown session of an identity', () => bursar.runAs({ userId: 'ann', sessionId: 'nobody' }, () => bursar.check({ estimatedCost: 0 })), 'UNKNOWN_SESSION', 'nobody'],
  ['an unknown session around a new one', () => bursar.runAs({ userId: 'ann', sessionId: 'nobody' }, () => bursar.session({ maxCost: 1 })), 'UNKNOWN_SESSION', 'nobody'],
  ['a raise to NaN', () => session.raiseCostCap(Number.NaN), 'INVALID_AMOUNT', 'usd: NaN'],
  ['a raise to less than nothing', () => session.raiseCostCap(-1), 'INVALID_AMOUNT', 'usd: -1 is negative'],
  ['a raise to infinity', () => session.raiseCostCap(Infinity), 'INVALID_AMOUNT', 'usd: Infinity'],
  ['a raise to nothing', () => session.raiseCostCap(undefined as never), 'INVALID_AMOUNT', 'usd: undefined'],
  ['a raise that lowers', () => session.raiseCostCap(0.99), 'INVALID_REQUEST', 'cap: $0.99 is below the $1.00 that session "s" has. A cap is never lowered'],
  ['a raise of no cap', () => session.raiseTokenCap(5), 'INVALID_REQUEST', 'cap: session "s" has no cap in tokens'],
  ['a raise of a nested one without a cap', () => free.raiseCostCap(5), 'INVALID_REQUEST', 'cap: session "child" has no cap in usd'],
  ['a raise to NaN tokens', () => session.raiseTokenCap(Number.NaN), 'INVALID_AMOUNT', 'tokens: NaN is not a count'],
]

describe('a session', () => {
  it.each(CASES)('refuses %s', async (_what, call, code, says) => {
    const before = await allOf(store.registry.list('session'))
    await expect((async () => call())()).rejects.toMatchObject({ code, message: typeof says === 'string' ? expect.stringContaining(says) : expect.stringMatching(says) })
    expect(await allOf(store.registry.list('session'))).toEqual(before)
    expect(await session.summary()).toMatchObject({ totalCost: 0, held: 0, maxCost: 1, maxTokens: null })
    expect((await bursar.tracker.getUserSummary('ann')).held).toBe(0)
  })

  it('is refused by an engine that is closed', async () => {
    const closed = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free' })
    const open = await closed.session({ userId: 'ann', maxCost: 1 })
    await closed.close()
    await expect(closed.session({ userId: 'ann', maxCost: 1 })).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(open.check({ estimatedCost: 0 })).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('nests no deeper than 16', async () => {
    let innermost = session
    for (let depth = 0; depth < 16; depth += 1) innermost = await innermost.session({ maxCost: 1 })
    expect((await innermost.check({ estimatedCost: 0.5 })).windows.filter(({ scope }) => scope.kind === 'session')).toHaveLength(34)
    await expect(innermost.session({ maxCost: 1 })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('nested 16 deep') })
  })

  it('with a cap of 0 lets nothing through', async () => {
    const empty = await bursar.session({ userId: 'ann', maxCost: 0 })
    expect((await empty.check({ estimatedCost: 0 })).allowed).toBe(false)
  })

  it('passes on what it was opened with, under what a request says itself', async () => {
    const rich = new Bursar({ tiers: { free: { daily: 10 }, pro: { daily: 20 } }, scopes: { team: { search: {}, ads: {} }, project: { '*': {} } }, clock })
    const opened = await rich.session({ userId: 'ann', tenant: 'acme', userTier: 'pro', scopes: { team: 'search' }, metadata: { a: 1 }, maxCost: 1 })
    expect(opened.identity).toEqual({ userId: 'ann', tenant: 'acme', userTier: 'pro', scopes: { team: 'search' }, metadata: { a: 1 }, sessionId: opened.id })
    const { context } = await opened.check({ estimatedCost: 0.1, metadata: { b: 2 }, scopes: { project: 'x' } })
    expect(context).toMatchObject({ userId: 'ann', tenant: 'acme', userTier: 'pro', metadata: { a: 1, b: 2 } })
    expect((await (await opened.session({ maxCost: 1 })).check({ estimatedCost: 0, userTier: 'free' })).context).toMatchObject({ userTier: 'free', metadata: { a: 1 } })
  })

  it('is nested in that of the running identity', async () => {
    const nested = await bursar.runAs(session.identity, () => bursar.session({ maxCost: 0.5 }))
    expect(nested).toMatchObject({ parentId: 's', userId: 'ann' })
    expect((await bursar.runAs(session.identity, () => bursar.session({ id: nested.id }))).id).toBe(nested.id)
    expect((await bursar.runAs(session.identity, () => bursar.session({ id: 's' }))).parentId).toBeUndefined()
    expect((await bursar.runAs(session.identity, () => bursar.session({ userId: 'ann', maxCost: 0.5 }))).parentId).toBe('s')
    expect((await bursar.runAs(session.identity, () => bursar.session({ userId: 'bob', maxCost: 0.5 }))).parentId).toBeUndefined()
    expect((await bursar.runAs(session.identity, () => bursar.session({ userId: 'ann', tenant: 'acme', maxCost: 0.5 }))).parentId).toBeUndefined()
  })
})
