// What happens, told as it happens: to whom, in which words, and for how long.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Caller } from '../../../../src/server/caller.js'
import { storeId } from '../../../../src/server/ids.js'
import { HEARTBEAT_MS, LOOK_MS, MOST_HEARTBEATS, MOST_WAITING } from '../../../../src/server/seeing/live-stream.js'
import { liveEventSchema } from '../../../../src/server/seeing/view-schemas.js'
import type { LiveEvent } from '../../../../src/server/seeing/views.js'
import { caller, OPERATOR } from '../../../support/server/app.js'
import { seenWorld, type SeenWorld } from '../../../support/server/seen.js'

const operator = new Caller(OPERATOR)
const acme = new Caller(caller(['read'], 'acme'))
const ada = new Caller(caller(['read'], 'acme', 'ada'))

let made: SeenWorld
afterEach(() => made.close())

function heard(by: Caller): LiveEvent[] {
  const events: LiveEvent[] = []
  made.service.feed.subscribe(by, (event) => void events.push(liveEventSchema.parse(JSON.parse(JSON.stringify(event)))))
  return events
}

describe('the feed', () => {
  it('tells of decisions, settles, thresholds and changes', async () => {
    made = seenWorld()
    const events = heard(operator)
    await made.ask('ada', 'acme', 0.85, { id: 'yes', cost: 0.9, model: 'large' })
    await made.ask('ada', 'acme', 0.5, { id: 'no', model: 'large' })
    await made.engine.tracker.setUserTier({ userId: 'ada', tenant: 'acme' }, 'pro')
    made.service.feed.changed('a limit', 'acme')
    const at = '2026-11-15T12:00:00.000Z'
    expect(events).toMatchObject([
      { type: 'decision', at, userId: 'ada', tenant: 'acme', action: 'WARN', model: 'large', estimatedCost: 0.85, decisionId: 'yes' },
      { type: 'threshold', at, scope: { kind: 'user', id: 'ada', tenant: 'acme' }, period: 'daily', unit: 'usd', thresholdPct: 80, usedPct: 90, limit: 1 },
      { type: 'settled', at, userId: 'ada', tenant: 'acme', model: 'large', cost: 0.9, decisionId: 'yes' },
      { type: 'decision', action: 'BLOCK', model: 'large', estimatedCost: 0.5, decisionId: 'no', reason: expect.stringContaining('The daily budget of user ada is $1.00; $0.90 is used') },
      { type: 'changed', at, what: 'the tier of ada' },
      { type: 'changed', at, what: 'a limit' },
    ])
  })

  it('tells of costs that no decision stood for', async () => {
    made = seenWorld()
    const [events, ofAda] = [heard(operator), heard(ada)]
    await made.engine.tracker.addCost({ userId: 'bob', tenant: 'globex', cost: 0.25, model: 'large', idempotencyKey: storeId('globex', 'c1') })
    expect(events).toEqual([{ type: 'settled', at: '2026-11-15T12:00:00.000Z', userId: 'bob', tenant: 'globex', model: 'large', cost: 0.25, decisionId: 'c1', recorded: true }])
    expect(ofAda).toEqual([])
  })

  it('tells each caller what is theirs, and of shared budgets that they refuse', async () => {
    made = seenWorld({ global: { daily: 1 } })
    const [all, ofAcme, ofAda] = [heard(operator), heard(acme), heard(ada)]
    await made.ask('bob', 'globex', 0.9)
    await made.ask('zoe', 'acme', 0.5, { id: 'zoes' })
    await made.ask('ada', 'acme', 0.4, { id: 'adas' })
    made.service.feed.changed('a secret', undefined)
    made.service.feed.changed('a limit', 'globex')
    made.service.feed.changed('a limit', 'acme')
    expect(all.filter(({ type }) => type === 'decision')).toMatchObject([{ userId: 'bob' }, { userId: 'zoe', reason: expect.stringContaining('0.90') }, { userId: 'ada' }])
    expect(all.filter(({ type }) => type === 'changed')).toHaveLength(3)
    expect(ofAcme).toMatchObject([{ type: 'decision', userId: 'zoe', action: 'BLOCK', decisionId: 'zoes' }, { type: 'decision', userId: 'ada', decisionId: 'adas' }, { type: 'changed', what: 'a limit' }])
    expect(ofAda).toMatchObject([{ type: 'decision', userId: 'ada', decisionId: 'adas' }])
    expect(JSON.stringify(ofAcme)).not.toMatch(/bob|globex|secret|everybody|0\.9/)
  })

  it('names limits as whoever hears of them knows them', async () => {
    made = seenWorld()
    await made.engine.limits.create({ id: storeId('acme', 'own/one'), scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 0.5 } })
    const [all, ofAcme] = [heard(operator), heard(acme)]
    await made.ask('ada', 'acme', 0.5)
    const scopes = (events: readonly LiveEvent[]): unknown[] => events.flatMap((event) => (event.type === 'threshold' && event.scope.kind === 'limit' ? [event.scope] : []))
    expect(scopes(ofAcme)).toEqual([{ kind: 'limit', id: 'own/one', tenant: 'acme' }, { kind: 'limit', id: 'own/one', tenant: 'acme' }])
    expect(scopes(all)[0]).toEqual({ kind: 'limit', id: storeId('acme', 'own/one'), tenant: 'acme' })
  })

  it('does not tell a user without a tenant of users of the same id', async () => {
    made = seenWorld()
    const events = heard(new Caller(caller(['read'], undefined, 'ada')))
    await made.ask('ada', 'acme', 0.1)
    await made.ask('ada', undefined, 0.1, { id: 'own' })
    expect(events.map((event) => 'decisionId' in event && event.decisionId)).toEqual(['own', 'own'])
  })

  it('asks nothing of the engine while nobody listens', async () => {
    made = seenWorld()
    const { feed } = made.service
    const count = { on: 0, off: 0 }
    const { engine } = made
    const [on, off] = [engine.on.bind(engine), engine.off.bind(engine)]
    engine.on = ((name: 'block', listener: () => void) => ((count.on += 1), on(name, listener))) as never
    engine.off = ((name: 'block', listener: () => void) => ((count.off += 1), off(name, listener))) as never
    const one = feed.subscribe(operator, () => {})
    const other = feed.subscribe(acme, () => {})
    expect([feed.listeners, count]).toEqual([2, { on: 5, off: 0 }])
    one()
    one()
    expect([feed.listeners, count.off]).toEqual([1, 0])
    other()
    expect([feed.listeners, count]).toEqual([0, { on: 5, off: 5 }])
  })
})

describe('GET /v1/live', () => {
  // Of timers only those of heartbeats: what waits for a store must go on.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
  afterEach(() => void vi.useRealTimers())

  async function listen(as = OPERATOR): Promise<{ readonly response: Response; readonly reader: ReadableStreamDefaultReader<Uint8Array>; next(): Promise<string | undefined> }> {
    // The test's own way to ask reads the whole answer, and this one has no end.
    await made.look(as, '/v1/nothing')
    const token = `test-${JSON.stringify(as)}`.replaceAll(' ', '_')
    const response = await made.app.fetch(new Request('http://bursar.test/v1/live', { headers: { authorization: `Bearer ${token}` } }))
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    return {
      response,
      reader,
      async next() {
        const { done, value } = await reader.read()
        return done ? undefined : new TextDecoder().decode(value)
      },
    }
  }

  it('sends events by their names, as they come', async () => {
    made = seenWorld()
    const { response, next } = await listen()
    expect([response.status, response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual([200, 'text/event-stream', 'no-store'])
    expect(await next()).toBe('retry: 2000\n\n')
    const coming = next()
    await made.ask('ada', 'acme', 0.1, { id: 'x' })
    let text = await coming
    while (text?.includes('event: settled') === false) text += await next()
    const events = (text as string).split('\n\n').filter((event) => event !== '').map((event) => event.split('\n'))
    expect(events.map(([name]) => name)).toEqual(['event: decision', 'event: settled'])
    for (const [name, data] of events) expect(`event: ${liveEventSchema.parse(JSON.parse((data as string).replace('data: ', ''))).type}`).toBe(name)
  })

  it('keeps the line alive, and ends after an hour', async () => {
    made = seenWorld()
    const { next } = await listen()
    await next()
    for (let beat = 1; beat < MOST_HEARTBEATS; beat += 1) {
      const coming = next()
      await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
      expect(await coming).toBe(': \n\n')
    }
    const last = next()
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    expect(await last).toBeUndefined()
    expect(made.service.feed.listeners).toBe(0)
  })

  it.each([
    ['is revoked', async () => undefined],
    ['may not read any more', async () => new Caller({ ...caller(['read'], 'acme'), roles: ['check'] })],
  ])('ends within a second when the key %s, and tells nothing more', async (_what, authenticate) => {
    made = seenWorld()
    const { next } = await listen(caller(['read'], 'acme'))
    await next()
    const other = await listen(caller(['read'], 'acme'))
    await other.next()
    made.service.keys.authenticate = authenticate
    // Of one nothing happens; the other is asked about before the first event that it would hear of.
    made.service.feed.changed('a secret', 'acme')
    expect(await other.next()).toBeUndefined()
    const last = next()
    await vi.advanceTimersByTimeAsync(LOOK_MS)
    expect(await last).toBeUndefined()
    expect(made.service.feed.listeners).toBe(0)
  })

  it('goes on while nobody can tell whether the key is good', async () => {
    made = seenWorld()
    const { next } = await listen()
    await next()
    made.service.keys.authenticate = () => Promise.reject(new Error('the store is away'))
    const coming = next()
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS)
    expect(await coming).toBe(': \n\n')
  })

  it('loses the oldest of what a slow reader does not read, and says so', async () => {
    made = seenWorld()
    const { next } = await listen()
    for (let index = 0; index < MOST_WAITING + 5; index += 1) made.service.feed.changed(`change ${index}`, undefined)
    const text = (await next()) as string
    const told = text.split('\n\n').filter((event) => event.startsWith('event: ')).map((event) => (JSON.parse(event.split('data: ')[1] as string) as { what: string }).what)
    expect([told.length, told[0], told[1], told.at(-1)]).toEqual([MOST_WAITING + 1, 'missed', 'change 5', `change ${MOST_WAITING + 4}`])
    made.service.feed.changed('another', undefined)
    expect(await next()).not.toContain('missed')
  })

  it('ends with its reader, and with the server', async () => {
    made = seenWorld()
    const one = await listen()
    const other = await listen()
    expect(made.service.feed.listeners).toBe(2)
    await one.reader.cancel()
    expect(made.service.feed.listeners).toBe(1)
    await other.next()
    const last = other.next()
    made.service.feed.close()
    expect([await last, made.service.feed.listeners]).toEqual([undefined, 0])
  })

  it('lets a bounded number listen: with one key, and at all', async () => {
    made = seenWorld()
    const open: Awaited<ReturnType<typeof listen>>[] = []
    for (let index = 0; index < 10; index += 1) open.push(await listen())
    expect(await made.look(OPERATOR, '/v1/live')).toMatchObject({ status: 429, json: { code: 'TOO_FAST' } })
    await open.pop()?.reader.cancel()
    open.push(await listen())
    for (let key = 1; key < 10; key += 1) for (let index = 0; index < 10; index += 1) open.push(await listen(caller(['read'], `tenant-${key}`)))
    expect(open).toHaveLength(100)
    expect(await made.look(caller(['read'], 'late'), '/v1/live')).toMatchObject({ status: 503, json: { code: 'UNAVAILABLE' } })
    for (const { reader } of open) await reader.cancel()
    expect((await listen()).response.status).toBe(200)
  })

  it('lets no tenant listen so often that others, and the operator, have no room', async () => {
    made = seenWorld()
    const keyed = (key: number, tenant: string) => ({ ...caller(['read'], tenant), keyId: `${tenant}-${key}` })
    const open: Awaited<ReturnType<typeof listen>>[] = []
    for (let key = 0; key < 5; key += 1) for (let index = 0; index < 10; index += 1) open.push(await listen(keyed(key, 'acme')))
    expect(await made.look(keyed(5, 'acme'), '/v1/live')).toMatchObject({ status: 429, json: { code: 'TOO_FAST' } })
    for (let key = 0; key < 4; key += 1) for (let index = 0; index < 10; index += 1) open.push(await listen(keyed(key, 'globex')))
    expect(open.map(({ response }) => response.status).filter((status) => status !== 200)).toEqual([])
    expect(await made.look(keyed(0, 'initech'), '/v1/live')).toMatchObject({ status: 503, json: { code: 'UNAVAILABLE' } })
    for (let index = 0; index < 10; index += 1) open.push(await listen())
    expect(open.map(({ response }) => response.status).filter((status) => status !== 200)).toEqual([])
    for (const { reader } of open) await reader.cancel()
  })

  it('leaves nobody listening who asks for its header alone', async () => {
    made = seenWorld()
    await made.look(OPERATOR, '/v1/nothing')
    const response = await made.app.fetch(new Request('http://bursar.test/v1/live', { method: 'HEAD', headers: { authorization: `Bearer ${`test-${JSON.stringify(OPERATOR)}`.replaceAll(' ', '_')}` } }))
    expect([response.status, response.headers.get('content-type'), response.body, made.service.feed.listeners]).toEqual([200, 'text/event-stream', null, 0])
  })

  it('needs a key that may read', async () => {
    made = seenWorld()
    expect((await made.look(undefined, '/v1/live')).status).toBe(401)
    expect((await made.look(caller(['check']), '/v1/live')).status).toBe(403)
  })
})
