// What once went wrong in the Redis store, each as the shortest story that showed it.

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { Bench, DAY, MINUTE, SECOND, teamOf, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock } from '../../../../src/testing/index.js'
import { Ground, keyOf, reserveOf, TestSink, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())
const ann = userOf('ann', windowOf(1_000))

describe('what once went wrong', () => {
  it('guesses store time right, however long the process is up', async () => {
    const prefix = ground.prefix()
    const store = ground.store(prefix)
    await store.read([ann])
    const real = performance.now.bind(performance)
    const spy = vi.spyOn(performance, 'now').mockImplementation(() => real() + 10 * DAY)
    try {
      const other = ground.store(ground.prefix())
      await other.read([ann])
      // a process that is up for ten days: each reply tells the time, so nothing need be repeated
      expect((await other.reserve(reserveOf('a', [ann]))).outcome).toBe('admitted')
    } finally { spy.mockRestore() }
  })

  it('announces what a list of percentages has that another of the same limit lacks', async () => {
    const bench = await Bench.at((clock) => ground.store(ground.prefix(), { storeClock: clock }))
    const few = [teamOf('t', windowOf(100, { alerts: [80] }))], many = [teamOf('t', windowOf(100, { alerts: [50, 80] }))]
    await bench.spend(few, 'warm', 1)
    await bench.spend(few, 'a', 10)
    await bench.spend(many, 'b', 45)
    expect(bench.alerts()).toEqual(['t daily/usd 50'])
  })

  it('tells of every hold that expired, also where one call cannot end them all', async () => {
    const bench = await Bench.at((clock) => ground.store(ground.prefix(), { storeClock: clock }))
    const scopes = [userOf('ann', windowOf(1e9))]
    for (let i = 0; i < 1100; i += 1) await bench.hold(scopes, { id: `h${i}`, microcents: 1, ttlMs: SECOND })
    bench.clock.advance(MINUTE)
    bench.effects.splice(0)
    await bench.standings(...scopes)
    expect(bench.effects.filter(({ kind }) => kind === 'hold-expired').length).toBe(1100)
  })

  it('tells of a hold that expired while the directory had changed', async () => {
    const prefix = ground.prefix()
    const clock = manualClock()
    const [a, b] = [ground.store(prefix, { storeClock: clock }), ground.store(prefix, { storeClock: clock })]
    await a.reserve(reserveOf('a', [ann], { ttlMs: SECOND }))
    await b.directory.change({ userId: 'ann' }, { tier: 'pro' })
    clock.advance(MINUTE)
    const reply = await a.reserve(reserveOf('b', [ann]))
    expect(reply.outcome).toBe('outdated')
    const again = await a.reserve(reserveOf('b', [ann], { entry: await a.directory.remembered?.({ userId: 'ann' }) }))
    expect('effects' in again && again.effects.map(({ kind }) => kind)).toEqual(['hold-expired'])
  })

  it('is noticed as lost by the second process that starts afterwards, too', async () => {
    const prefix = ground.prefix(), sink = new TestSink()
    const first = ground.store(prefix, { sink })
    await first.reserve(reserveOf('a', [ann]))
    await first.settle({ id: 'a', microcents: 1 })
    for await (const _ of first.ledger.entries());
    await ground.lose(prefix)
    await expect(ground.store(prefix, { sink }).read([ann])).rejects.toMatchObject({ code: 'STORE_RESET' })
    await expect(ground.store(prefix, { sink }).read([ann])).rejects.toMatchObject({ code: 'STORE_RESET' })
  })

  it('is joined once the sink can be read again', async () => {
    const prefix = ground.prefix(), sink = new TestSink()
    const first = ground.store(prefix, { sink })
    await first.reserve(reserveOf('a', [ann]))
    await first.settle({ id: 'a', microcents: 1 })
    for await (const _ of first.ledger.entries());
    await ground.lose(prefix)
    let fails = true
    const flaky = { write: (e: never) => sink.write(e), entries: () => { if (fails) { fails = false; throw new Error('locked') } return sink.entries() } }
    const fresh = ground.store(prefix, { sink: flaky })
    await expect(fresh.read([ann])).rejects.toThrow('locked')
    await expect(fresh.read([ann])).rejects.toMatchObject({ code: 'STORE_RESET' })
  })
  it.each(['totals', 'directory', 'users', 'entries', 'ledger totals', 'read'])('is noticed as lost by %s, with no script before it', async (what) => {
    const prefix = ground.prefix()
    const store = ground.store(prefix)
    await store.directory.change({ userId: 'ann' }, { tier: 'pro' })
    await store.record({ id: 'x', fingerprint: 'x', idGiven: true, scopes: [ann], amounts: { microcents: 1, tokens: 0 }, facts: { user: { userId: 'ann' }, tier: 'free' }, entry: await store.directory.get({ userId: 'ann' }) })
    await ground.lose(prefix)
    const run = async () => {
      if (what === 'totals') return store.totals({ userId: 'ann' })
      if (what === 'directory') return store.directory.get({ userId: 'ann' })
      if (what === 'read') return store.read([ann])
      if (what === 'ledger totals') return store.ledger.totals()
      const all = []
      for await (const one of (what === 'users' ? store.users() : store.ledger.entries()) as AsyncIterable<unknown>) all.push(one)
      return all
    }
    await expect(run()).rejects.toMatchObject({ code: 'STORE_RESET' })
  })

  it('refunds what a sink has drained', async () => {
    const sink = new TestSink()
    const bench = await Bench.at((clock) => ground.store(ground.prefix(), { storeClock: clock, sink }))
    await bench.spend([ann], 'a', 100)
    for await (const _ of bench.store.ledger.entries());
    expect(await bench.refund({ id: 'r', microcents: 40 })).toMatchObject({ appliedMicrocents: 40 })
  })

  it('is incomplete for a process without the sink of the others', async () => {
    const prefix = ground.prefix(), sink = new TestSink(), clock = manualClock()
    const store = ground.store(prefix, { storeClock: clock, sink })
    await store.reserve(reserveOf('a', [ann]))
    await store.settle({ id: 'a', microcents: 1 })
    for await (const _ of store.ledger.entries());
    const other = ground.store(prefix, { storeClock: clock })
    expect((await other.auditor.snapshot()).complete).toBe(false)
  })
  it.each(['due', 'moved', 'short', 'long', 'outbox'] as const)('keeps a due hold due where %s is of the wrong type', async (name) => {
    const prefix = ground.prefix(), clock = manualClock()
    const store = ground.store(prefix, { storeClock: clock })
    await store.reserve(reserveOf('a', [ann], { ttlMs: SECOND }))
    await ground.client.del(keyOf(prefix, name))
    await ground.client.hset(keyOf(prefix, name), 'not', 'yours')
    clock.advance(MINUTE)
    const before = await ground.dumps(prefix)
    const failed = await store.read([ann]).then(() => 'worked', (e: { code: string }) => e.code)
    const after = await ground.dumps(prefix)
    if (failed === 'worked') return
    expect(failed).toBe('STORE_UNAVAILABLE')
    expect(after).toEqual(before)
  })

  it('joins a second tenant where the sink has entries of the first', async () => {
    const sink = new TestSink()
    const store = ground.store(ground.prefix(), { sink, partition: 'tenant' })
    const of = (tenant: string) => ({ scope: { kind: 'user', id: 'u', tenant }, key: `user/${tenant}/u`, windows: [windowOf(1000)] })
    const facts = (tenant: string) => ({ user: { userId: 'u', tenant }, tier: 'free' })
    await store.reserve(reserveOf('a', [of('acme')], { facts: facts('acme') }))
    await store.settle({ id: 'a', microcents: 1 })
    for await (const _ of store.ledger.entries());
  })

  it('gives the ledger of all tenants where a sink is shared', async () => {
    const sink = new TestSink()
    const prefix = ground.prefix()
    const store = ground.store(prefix, { sink, partition: 'tenant' })
    const of = (tenant: string) => ({ scope: { kind: 'user', id: 'u', tenant }, key: `user/${tenant}/u`, windows: [windowOf(1000)] })
    const facts = (tenant: string) => ({ user: { userId: 'u', tenant }, tier: 'free' })
    await store.reserve(reserveOf('a', [of('acme')], { facts: facts('acme') }))
    await store.settle({ id: 'a', microcents: 1 })
    await store.close()
    const later = ground.store(prefix, { sink, partition: 'tenant' })
    expect(sink.kept.length).toBe(1)
    expect((await later.reserve(reserveOf('b', [of('zen')], { facts: facts('zen') }))).outcome).toBe('admitted')
  })

  it('buries an unanswered reserve in the partition of its tenant', async () => {
    let fails = false
    const client = through(ground.client, async (command, args, send) => { if (fails) { fails = false; throw new Error('Connection is closed.') } return send(command, args) })
    const store = ground.store(ground.prefix(), { partition: 'tenant', client })
    const scope = { scope: { kind: 'user', id: 'u', tenant: 'acme' }, key: `user/acme/u`, windows: [windowOf(1000)] }
    const facts = { user: { userId: 'u', tenant: 'acme' }, tier: 'free' }
    await store.read([scope])
    fails = true
    await expect(store.reserve(reserveOf('a', [scope], { facts }))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await store.release({ id: 'a', tombstone: true })
    expect(await store.reserve(reserveOf('a', [scope], { facts }))).toMatchObject({ outcome: 'already-ended', state: 'released' })
  })

  it('opens nothing for a caller who no longer waits', async () => {
    let waits = 0
    const client = through(ground.client, async (command, args, send) => { const w = waits; waits = 0; if (w > 0) await new Promise((r) => setTimeout(r, w)); return send(command, args) })
    const store = ground.store(ground.prefix(), { client })
    await store.read([ann])
    waits = 200
    await store.reserve(reserveOf('a', [ann], { waitMs: 50 })).catch(() => {})
    expect((await store.settle({ id: 'a', microcents: 1 })).outcome).toBe('unknown-hold')
  })

  it('says how many writes were lost', async () => {
    const prefix = ground.prefix(), copy = ground.prefix(), clock = manualClock()
    const store = ground.store(prefix, { storeClock: clock })
    await store.reserve(reserveOf('a', [ann]))
    await ground.copy(prefix, copy)
    await store.reserve(reserveOf('b', [ann]))
    await store.reserve(reserveOf('c', [ann]))
    await store.reserve(reserveOf('d', [ann]))
    await ground.copy(copy, prefix)
    const reply = await store.reserve(reserveOf('e', [ann]))
    expect('effects' in reply && reply.effects).toEqual([{ kind: 'writes-lost', atLeast: 3 }])
  })

  it('notices one lost write', async () => {
    const prefix = ground.prefix(), copy = ground.prefix(), clock = manualClock()
    const store = ground.store(prefix, { storeClock: clock })
    await store.reserve(reserveOf('a', [ann]))
    await ground.copy(prefix, copy)
    await store.reserve(reserveOf('b', [ann]))
    await ground.copy(copy, prefix)
    const reply = await store.reserve(reserveOf('e', [ann]))
    expect('effects' in reply && reply.effects).toEqual([{ kind: 'writes-lost', atLeast: 1 }])
  })

  it('reports no lost writes once the loss of all is accepted', async () => {
    const prefix = ground.prefix(), clock = manualClock()
    const store = ground.store(prefix, { storeClock: clock })
    await store.reserve(reserveOf('a', [ann]))
    await ground.lose(prefix)
    await expect(store.read([ann])).rejects.toMatchObject({ code: 'STORE_RESET' })
    await store.acceptReset()
    expect((await store.read([ann])).effects).toEqual([])
  })

  it('merges sixty changes of one entry at a time', async () => {
    const prefix = ground.prefix()
    const stores = [ground.store(prefix), ground.store(prefix)]
    await Promise.all(Array.from({ length: 60 }, (_, i) => stores[i % 2]!.directory.change({ userId: 'ann' }, { overrides: { [`rolling:${i + 1}h`]: { limits: { usd: i } } as never } })))
  })

  it('names a wait that is none', async () => {
    const { redisStore } = await import('../../../../src/store/redis/index.js')
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    expect(() => redisStore({ client: circular as never })).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
    expect(() => redisStore({ client: ground.client, wait: null as never })).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })

  it('names a client that cannot be shown', async () => {
    const { redisStore } = await import('../../../../src/store/redis/index.js')
    expect(() => redisStore({ client: ground.client, wait: null as never })).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG' }))
  })

  it('says that the outcome is unknown where no replica confirms', async () => {
    const prefix = ground.prefix()
    const store = ground.store(prefix, { wait: { replicas: 1, timeoutMs: 20 } })
    await expect(store.reserve(reserveOf('a', [ann]))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await ground.store(prefix).reserve(reserveOf('a', [ann]))).toHaveProperty('replay')
  })

  it('refuses more windows than a message holds', async () => {
    const store = ground.store(ground.prefix())
    const windows = Array.from({ length: 257 }, (_, i) => windowOf(1, { rollingMs: 60_000 + i * 1000 }))
    const reply = await store.reserve(reserveOf('a', [userOf('ann', ...windows)], { microcents: 5 })).catch((e: Error) => e)
    expect(reply instanceof Error ? 'error' : reply.outcome).toBe('error')
  })

  it('seldom needs the full story under a steady load, also when holds have fallen due and tiers alternate', async () => {
    const { scriptFor } = await import('../../../../src/store/redis/scripts.js')
    const counter = ground.prefix()
    const texts = new Map((['reserve', 'settle'] as const).map((name) => [scriptFor(name).sha, scriptFor(name).text.replace(/^do\n[^]*?^end\n/m, (block) => `${block}redis.call('HINCRBY', '${counter}', '${name}', 1)\n`)]))
    const client = through(ground.client, (command, args, send) => { const text = command === 'EVALSHA' ? texts.get(String(args[0])) : undefined; return text === undefined ? send(command, args) : send('EVAL', [text, ...args.slice(1)]) })
    const run = async (tiers: string[], ttlMs: number) => {
      const bench = await Bench.at((clock) => ground.store(ground.prefix(), { storeClock: clock, client }))
      let before: Record<string, string> = {}
      for (let i = 0; i < 2000; i += 1) {
        if (i === 1000) before = await ground.client.hgetall(counter)
        const tier = tiers[i % tiers.length]!
        const user = { userId: `u-${tier}` }
        const scopes = [userOf(user.userId, windowOf(1e9, { alerts: [80] })), teamOf('t', windowOf(1e9, { alerts: [80] }))]
        await bench.hold(scopes, { id: `h${i}`, microcents: 1, ttlMs, idGiven: false, fingerprint: `h${i}`, facts: { user, tier, model: 'm' } })
        await bench.settle({ id: `h${i}`, microcents: 1 }); bench.clock.advance(1)
      }
      const after = await ground.client.hgetall(counter)
      return [Number(after['reserve'] ?? 0) - Number(before['reserve'] ?? 0), Number(after['settle'] ?? 0) - Number(before['settle'] ?? 0)]
    }
    for (const [tiers, ttlMs] of [[['free'], 600_000], [['free'], 500], [['free', 'pro'], 600_000]] as const) {
      const [reserves = 0, settles = 0] = await run([...tiers], ttlMs)
      expect(reserves + settles, `${tiers.join(' and ')}, ${ttlMs} ms`).toBeLessThan(100)
    }
  })
})
