// The fast paths of reserve and settle tell the same as the full story: one sequence of operations on two data sets, one with the
// scripts as they are and one with scripts whose fast path was cut out, gives the same replies and the same bytes.

import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Amounts, CostDetails, ScopeTerms } from '../../../../src/index.js'
import { MAX_AMOUNT } from '../../../../src/money/index.js'
import { admit } from '../../../../src/store/admission.js'
import type { AuditSnapshot } from '../../../../src/store/index.js'
import type { RedisClient, RedisStore } from '../../../../src/store/redis/index.js'
import { scriptFor, type ScriptName } from '../../../../src/store/redis/scripts.js'
import { manualClock } from '../../../../src/testing/index.js'
import { DAY, HOUR, MINUTE, SECOND, teamOf, userOf, windowOf, type WindowOptions } from '../../../../src/testing/contract/kit.js'
import { assertProperty } from '../../../support/property.js'
import { Ground, keyOf, reserveOf, through } from './setting.js'

const FAST: readonly ScriptName[] = ['reserve', 'settle']
/** The first block at the margin of a script that has one. */
const FAST_PATH = /^do\n[^]*?^end\n/m

let ground: Ground
/** Counts, beside the data sets, how often the scripts as they are came to the full story. */
let counter: string
beforeAll(async () => {
  ground = await Ground.open()
  counter = ground.prefix()
})
afterAll(async () => {
  await ground.client.del(counter)
  await ground.close()
})

/** A client that runs other texts of the scripts with fast paths. */
function rewritten(client: Redis, rewrite: (text: string, name: ScriptName) => string): RedisClient {
  const texts = new Map(FAST.map((name) => [scriptFor(name).sha, rewrite(scriptFor(name).text, name)]))
  return through(client, (command, args, send) => {
    const text = command === 'EVALSHA' ? texts.get(String(args[0])) : undefined
    return text === undefined ? send(command, args) : send('EVAL', [text, ...args.slice(1)])
  })
}

const without = (text: string): string => text.replace(FAST_PATH, '')
const counting = (text: string, name: ScriptName): string => text.replace(FAST_PATH, (block) => `${block}redis.call('HINCRBY', '${counter}', '${name}', 1)\n`)

/** Moves the clock, or asks both stores about an id: a new one, or one of the last that were used. */
type Step =
  | { readonly what: string; readonly byMs: number }
  | { readonly what: string; readonly which: number | 'new'; readonly ask: (store: RedisStore, id: string) => Promise<unknown> }

const START = Date.UTC(2026, 0, 30, 23, 50)
const limits = fc.oneof({ weight: 100, arbitrary: fc.constant(400) }, { weight: 4, arbitrary: fc.constantFrom<(number | null)[]>(60, 1_000, null, MAX_AMOUNT, MAX_AMOUNT - 7) }, { weight: 1, arbitrary: fc.constant(0) })
/** One list of announcements for each limit: all that judge a window under one limit announce the same. */
const ALERTS: ReadonlyMap<number | null, readonly number[]> = new Map([[400, [5, 12.5, 50, 80, 100]], [60, [33.34, 100]], [500, [10, 80]], [1_000, [80, 100]], [5_000, [80]], [MAX_AMOUNT, [0.01, 50]], [MAX_AMOUNT - 7, [99.99]]])
const limitOf = (limit: number | null, options: WindowOptions = {}) => windowOf(limit, { alerts: ALERTS.get(limit) ?? [], ...options })

/** The windows of a scope: mostly the same ones under changing limits, seldom others, or in another order. */
const windows = fc
  .record({
    shape: fc.integer({ min: 0, max: 99 }),
    first: limits,
    second: limits,
    tokens: fc.oneof({ weight: 20, arbitrary: fc.constant(500) }, { weight: 1, arbitrary: fc.constantFrom(null, 5_000) }),
    degrade: fc.constantFrom(undefined, undefined, undefined, 50, 90, 90),
    block: fc.constantFrom(100, 100, 100, 90),
  })
  .map(({ shape, first, second, tokens, degrade, block }) => {
    const usual = [
      limitOf(first, first === 0 ? {} : { block, ...(degrade !== undefined && { degrade }) }),
      limitOf(second, { period: 'weekly' }),
      limitOf(tokens, { unit: 'tokens', period: 'monthly' }),
      // Never ends: no scope is forgotten, which would depend on the order of the hash.
      limitOf(null, { period: 'total' }),
    ]
    if (shape === 0) return [...usual, limitOf(first, { rollingMs: HOUR })]
    if (shape === 1) return [limitOf(20, { unit: 'requests' }), ...usual]
    if (shape === 2) return usual.toReversed()
    return usual
  })
const scopes: fc.Arbitrary<readonly ScopeTerms[]> = fc
  .tuple(windows, windows, windows, fc.integer({ min: 0, max: 5 }))
  .map(([own, team, other, how]) => [userOf('ann', ...own), ...(how >= 2 ? [teamOf('search', ...team)] : []), ...(how >= 4 ? [teamOf('ops', ...other)] : [])])

const amount = fc.oneof({ weight: 60, arbitrary: fc.integer({ min: 0, max: 12 }) }, { weight: 2, arbitrary: fc.integer({ min: 90, max: 2_000 }) }, { weight: 1, arbitrary: fc.constantFrom(MAX_AMOUNT, MAX_AMOUNT - 3, 2 ** 52) })
const amounts: fc.Arbitrary<Amounts> = fc.record({ microcents: amount, tokens: fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 12 }) }, { weight: 1, arbitrary: amount }) })
const recent = fc.nat({ max: 3 })
const mostlyNew = fc.oneof({ weight: 9, arbitrary: fc.constant('new' as const) }, { weight: 1, arbitrary: recent })
const rarely = fc.integer({ min: 0, max: 14 }).map((value) => value === 0)
const facts = fc.constantFrom(
  { user: { userId: 'ann' }, tier: 'free', model: 'large' },
  { user: { userId: 'ann' }, tier: 'free', model: 'large' },
  { user: { userId: 'ann' }, tier: undefined },
  { user: { userId: 'ann' }, tier: 'prö', provider: 'acme', model: '大', cheaperModels: ['small', 'tiny'], sessionId: 's', metadata: { trace: 'é' } },
)

const provider = fc.constantFrom(undefined, undefined, undefined, 'acme', 'acme', 'other')
const details = fc.constantFrom<(CostDetails | undefined)[]>(undefined, undefined, { priceVersion: 'v\0é', usage: { inputTokens: 7 } }, {})

const asking = (which: number | 'new', what: string, ask: (store: RedisStore, id: string) => Promise<unknown>): Step => ({ what, which, ask })

const reserves = fc
  .record({
    which: mostlyNew,
    idGiven: fc.boolean(),
    ttlMs: fc.constantFrom(SECOND, 10 * MINUTE, 10 * MINUTE, DAY),
    scopes,
    rungs: fc.array(amounts, { minLength: 1, maxLength: 3 }),
    refuses: rarely,
    degrade: rarely,
    degradeBlocks: fc.boolean(),
    charges: fc.boolean(),
    facts,
    generates: rarely,
  })
  .map(({ which, refuses, charges, generates, ...rest }) => {
    const request = { ...rest, onExpiry: charges ? ('charge' as const) : ('release' as const), ...(refuses && { refusedRungs: [true] }) }
    return asking(which, `reserve ${JSON.stringify(request)}`, (store, id) => store.reserve({ ...request, id, fingerprint: generates ? id : `of ${id}` }))
  })
const settles = fc
  .record({ which: fc.constantFrom(0, 0, 1, 1, 2), microcents: amount, tokens: fc.option(fc.nat({ max: 12 }), { nil: undefined }), model: fc.constantFrom(undefined, undefined, 'large', 'other', ''), provider, details })
  .map(({ which, ...rest }) => asking(which, `settle ${JSON.stringify(rest)}`, (store, id) => store.settle({ id, ...rest })))
const releases = fc
  .record({ which: recent, tombstone: fc.boolean(), uncount: fc.boolean() })
  .map(({ which, ...rest }) => asking(which, `release ${JSON.stringify(rest)}`, (store, id) => store.release({ id, ...rest })))
const extensions = fc
  .record({ which: recent, ttlMs: fc.constantFrom(SECOND, HOUR) })
  .map(({ which, ttlMs }) => asking(which, `extend ${ttlMs}`, (store, id) => store.extend({ id, ttlMs })))
const records = fc
  .record({ which: mostlyNew, idGiven: fc.boolean(), scopes, amounts, facts, details })
  .map(({ which, ...rest }) => asking(which, `record ${JSON.stringify(rest)}`, (store, id) => store.record({ ...rest, id, fingerprint: `record ${id}` })))
const refunds = fc.record({ which: recent, microcents: amount, isNamed: fc.boolean() }).map(({ which, microcents, isNamed }) =>
  asking(which, `refund ${microcents} ${isNamed}`, (store, id) => {
    return store.refund({ id: `r${id}`, microcents, fingerprint: `refund ${id}`, user: { userId: 'ann' }, reason: 'why', ...(isNamed && { of: id }) })
  }),
)
const reads = scopes.map((asked) => asking(0, 'read', (store) => store.read(asked)))
const restarts = fc
  .record({ of: fc.constantFrom(userOf('ann'), teamOf('search'), teamOf('ops')), since: fc.constantFrom(0, START, START + HOUR, MAX_AMOUNT) })
  .map(({ of, since }) => asking(0, `restart ${of.key} ${since}`, (store) => store.restart({ ...of, since })))
const time: fc.Arbitrary<Step> = fc
  .oneof({ weight: 4, arbitrary: fc.constant(1) }, { weight: 1, arbitrary: fc.constantFrom(249, 500, SECOND, 9 * MINUTE, 10 * MINUTE, 11 * MINUTE, DAY, 8 * DAY) })
  .map((byMs) => ({ what: `+${byMs}`, byMs }))
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: reserves },
  { weight: 10, arbitrary: settles },
  { weight: 3, arbitrary: time },
  ...[releases, extensions, records, refunds, reads, restarts].map((arbitrary) => ({ weight: 1, arbitrary })),
)

/**
 * Everything that is stored, but for what is drawn by lot: the epoch in the meta field, where the search for old scopes stands, ids in
 * streams. Where spent was lowered, also without counters: how much is left to the next announcement is then worked out at different
 * times, and only what is announced must agree.
 */
async function stored(prefix: string, hasLowered: boolean): Promise<unknown> {
  const { client } = ground
  const fields = await client.hgetallBuffer(keyOf(prefix, 'state'))
  const names = Object.keys(fields).filter((name) => name !== 'g' && !(hasLowered && name.startsWith('s')))
  const state = names.sort().map((name) => [name, fields[name]?.subarray(name === 'm' ? 8 : 0).toString('hex')])
  const lists = await Promise.all((['due', 'short', 'long'] as const).map((name) => client.lrangeBuffer(keyOf(prefix, name), 0, -1)))
  const streams = await Promise.all((['outbox', 'notes'] as const).map((name) => client.xrangeBuffer(keyOf(prefix, name), '-', '+')))
  return {
    state,
    lists: lists.map((list) => list.map((item) => item.toString('hex'))),
    moved: await client.call('ZRANGE', keyOf(prefix, 'moved'), '0', '-1', 'WITHSCORES'),
    streams: streams.map((items) => items.map(([, [, item, name, more]]) => [item?.toString('hex'), name?.toString() === 'd' && more?.toString()])),
  }
}

/** A snapshot, whatever order the hash happens to have. */
function inOrder({ now, complete, holds, scopes: counted }: AuditSnapshot): unknown {
  const sorted = (items: readonly object[]): string[] => items.map((item) => JSON.stringify(item)).sort()
  return { now, complete, holds: sorted(holds), scopes: sorted(counted) }
}

describe('the fast paths', () => {
  it('are at the beginning of their scripts, and can be cut out', () => {
    for (const name of FAST) {
      const { text } = scriptFor(name)
      expect(text.trimStart().startsWith('do\n'), name).toBe(true)
      expect(without(text).length, name).toBeLessThan(text.length - 2_000)
      expect(without(text), name).toContain('local function parse_hold')
    }
  })

  it('admit to the integer what the rule says, at every threshold', async () => {
    const stores = [ground.store(ground.prefix(), { client: rewritten(ground.client, counting) }), ground.store(ground.prefix(), { client: rewritten(ground.client, without) })]
    const cases: { readonly used: number; readonly microcents: number; readonly options: WindowOptions; readonly limit: number }[] = []
    for (const block of [100, 50]) {
      for (const degrade of [undefined, 50, 100]) {
        const options = { block, ...(degrade !== undefined && { degrade }) }
        for (let used = 0; used <= 7; used += 1) for (let microcents = 0; microcents <= 7; microcents += 1) cases.push({ used, microcents, options, limit: 6 })
        for (const used of [MAX_AMOUNT - 2, MAX_AMOUNT - 1, MAX_AMOUNT]) for (const microcents of [0, 1, 2, MAX_AMOUNT]) cases.push({ used, microcents, options, limit: MAX_AMOUNT })
      }
    }
    await Promise.all(
      cases.map(async ({ used, microcents, options, limit }, index) => {
        const user = { userId: `user ${index}` }
        const asked = [userOf(user.userId, windowOf(limit, options))]
        const about = { facts: { user, tier: 'free' }, microcents }
        const expected = admit(reserveOf('', asked, about), [0, 0, used, 0])
        for (const store of stores) {
          await store.record({ id: `r ${index}`, fingerprint: '', idGiven: true, scopes: asked, amounts: { microcents: used, tokens: 0 }, facts: about.facts })
          const reply = await store.reserve(reserveOf(`h ${index}`, asked, about))
          const told = reply.outcome === 'admitted' ? { rung: reply.rung, degrade: reply.degrade } : reply.outcome
          expect(told, JSON.stringify({ used, microcents, options, limit })).toEqual(expected.rung < 0 ? 'refused' : expected)
        }
      }),
    )
  })

  it('tell the same as the full story, to the byte', async () => {
    const full = rewritten(ground.client, without)
    const asTheyAre = rewritten(ground.client, counting)
    const asked: Record<string, number> = { reserve: 0, settle: 0 }
    await ground.client.del(counter)
    const property = fc.asyncProperty(fc.array(steps, { minLength: 40, maxLength: 100 }), async (sequence) => {
      const clock = manualClock(START)
      const prefixes = [ground.prefix(), ground.prefix()] as const
      const stores = [ground.store(prefixes[0], { client: asTheyAre, storeClock: clock }), ground.store(prefixes[1], { client: full, storeClock: clock })]
      const ids = ['first']
      let hasLowered = false
      for (const step of sequence) {
        const { what } = step
        if ('byMs' in step) {
          clock.advance(step.byMs)
          continue
        }
        if (step.which === 'new') ids.push(`id ${ids.length}`)
        const id = (step.which === 'new' ? ids.at(-1) : ids.at(-1 - (step.which % ids.length))) as string
        const [operation = ''] = what.split(' ')
        if (operation in asked) asked[operation] = (asked[operation] ?? 0) + 1
        const [one, other] = await Promise.all(stores.map((store) => step.ask(store, id)))
        expect(one, `${what} of "${id}"`).toEqual(other)
        hasLowered ||= operation === 'refund' || (one as { readonly late?: boolean }).late === true || (one as { readonly was?: string }).was === 'expired'
      }
      expect(await stored(prefixes[0], hasLowered)).toEqual(await stored(prefixes[1], hasLowered))
      const [one, other] = await Promise.all(stores.map((store) => store.auditor.snapshot() as Promise<AuditSnapshot>))
      expect(inOrder(one as AuditSnapshot)).toEqual(inOrder(other as AuditSnapshot))
      await Promise.all(prefixes.map((prefix) => ground.lose(prefix)))
    })
    await assertProperty('the fast paths tell the same as the full story', property, Number(process.env['BURSAR_RUNS'] ?? 100))
    const fullStories = await ground.client.hgetall(counter)
    // A path that was hardly ever taken proves nothing.
    for (const [operation, count] of Object.entries(asked)) expect(count - Number(fullStories[operation]), operation).toBeGreaterThan(count / 200)
  })
})
