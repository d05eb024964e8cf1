// What receivers of webhooks get: once, signed, of their own tenant alone, and again until they take it.

import { createServer, type AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { Bursar, StoreUnavailableError } from '../../../../src/index.js'
import { Deliveries } from '../../../../src/server/webhooks/deliveries.js'
import { Webhooks, type IssuedEndpoint } from '../../../../src/server/webhooks/index.js'
import { sqliteStore } from '../../../../src/store/sqlite/index.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { Receiver, type Received } from '../../../support/server/receiver.js'
import { NOON, webhookStage } from './stage.js'

const files = temporaryFiles()
afterAll(() => files.removeAll())

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const TIMEOUT = 10 * SECOND

/** Throws for a signature that is not right, or a time that is not near. */
function verified({ secret }: IssuedEndpoint, { body, headers }: Received): any { // oxlint-disable-line typescript/no-explicit-any
  return new Webhook(secret).verify(body, headers as Record<string, string>)
}

describe('a webhook', () => {
  it('tells of a request that was refused: signed, with money as numbers and as integers', async () => {
    const { open, receiver, refuse, engine } = await webhookStage()
    const webhooks = open()
    const issued = await webhooks.createEndpoint({ url: receiver.url })
    await engine.tracker.addCost({ userId: 'ada', cost: '0.75' })
    await refuse('ada', undefined, { idempotencyKey: '/mine' })
    await webhooks.tick()
    expect(receiver.received).toHaveLength(1)
    const [first] = receiver.received as [Received]
    expect(verified(issued, first)).toEqual({
      type: 'request.denied',
      timestamp: new Date(NOON).toISOString(),
      data: {
        decisionId: 'mine', userId: 'ada', tier: 'free', model: 'gpt-4o', code: 'budget', status: 402,
        scope: { kind: 'user', id: 'ada' }, window: 'daily', unit: 'usd', limit: 1, used: 0.75, exact: { limit: 100_000_000, used: 75_000_000 },
        resetsAt: '2026-11-19T00:00:00.000Z', retryAfterMs: null,
      }, // prettier-ignore
    })
    expect(first.headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': expect.stringMatching(/^msg_[\w-]{27}$/), 'webhook-timestamp': String(NOON / SECOND), 'user-agent': 'bursar-webhooks' })
    expect(first.path).toBe('/hook?of=bursar')
    expect(await webhooks.deliveries(issued.endpoint.id)).toEqual([{ id: first.headers['webhook-id'], type: 'request.denied', state: 'delivered', createdAt: new Date(NOON), attempts: 1, lastAttemptAt: new Date(NOON), status: 204 }])
  })

  it('tells of it once for a user and a day, however often they ask', async () => {
    const { open, receiver, refuse, advance } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    for (let asked = 0; asked < 5; asked += 1) await refuse('ada')
    await webhooks.tick()
    await refuse('ada')
    await refuse('bob')
    await refuse('ada', 'acme')
    await webhooks.tick()
    expect(receiver.messages.map(({ data }) => [data.userId, data.tenant])).toEqual([['ada', undefined], ['bob', undefined], ['ada', 'acme']])
    advance(24 * HOUR)
    await refuse('ada')
    await webhooks.tick()
    expect(receiver.received).toHaveLength(4)
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(4)
  })

  it('tells of it again where the limit was raised and is full again, and for each length of a window that rolls', async () => {
    const { open, receiver, refuse, engine, advance } = await webhookStage({ tiers: { free: { rolling: { '1h': 1 } } } })
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    await refuse('ada')
    advance(59 * MINUTE)
    await refuse('ada')
    await webhooks.tick()
    expect(receiver.received).toHaveLength(1)
    advance(MINUTE)
    await refuse('ada')
    await webhooks.tick()
    expect(receiver.received).toHaveLength(2)
    await engine.tracker.updateUserBudget('ada', { rolling: { '1h': 2 } })
    await refuse('ada')
    await webhooks.tick()
    expect(receiver.messages.map(({ data }) => data.limit)).toEqual([1, 1, 2])
  })

  it('tells of a threshold', async () => {
    const { open, receiver, engine } = await webhookStage()
    const webhooks = open()
    const issued = await webhooks.createEndpoint({ url: receiver.url })
    await engine.tracker.addCost({ userId: 'ada', cost: '0.85' })
    await webhooks.tick()
    expect(verified(issued, receiver.received[0] as Received)).toMatchObject({
      type: 'threshold.reached',
      data: { alertId: expect.any(String), scope: { kind: 'user', id: 'ada' }, userId: 'ada', period: 'daily', unit: 'usd', thresholdPct: 80, usedPct: 85, limit: 1, spent: 0.85, exact: { limit: 100_000_000, spent: 85_000_000 }, resetsAt: '2026-11-19T00:00:00.000Z' },
    })
    expect(receiver.received).toHaveLength(1)
  })

  it('tells only of what an endpoint wants to hear', async () => {
    const { open, receiver, engine, refuse } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url, events: ['threshold.reached'] })
    await refuse('ada')
    await engine.tracker.addCost({ userId: 'ada', cost: '1' })
    await webhooks.tick()
    expect(receiver.messages.map(({ type }) => type)).toEqual(['threshold.reached', 'threshold.reached'])
  })

  it('tells a tenant of its own users and budgets alone, and nothing of what is shared', async () => {
    const { open, receiver: operators, engine, refuse } = await webhookStage({ scopes: { tenant: { acme: { daily: 3 }, '*': {} } }, global: { daily: 4 } })
    const [acmes, others] = [await Receiver.start(), await Receiver.start()]
    const webhooks = open()
    await webhooks.createEndpoint({ url: operators.url })
    await webhooks.createEndpoint({ url: acmes.url, tenant: 'acme' })
    await webhooks.createEndpoint({ url: others.url, tenant: 'other' })
    await engine.tracker.updateUserBudget({ userId: 'ada', tenant: 'acme' }, { daily: 100 })
    await engine.tracker.updateUserBudget({ userId: 'zed' }, { daily: 100 })
    await engine.tracker.addCost({ userId: 'ada', tenant: 'acme', cost: '2.5' })
    await engine.tracker.addCost({ userId: 'zed', cost: '1.4' })
    await refuse('ada', 'acme', { estimatedCost: 0.2, idempotencyKey: 'acme/mine' })
    await webhooks.tick()
    expect(others.received).toEqual([])
    expect(acmes.messages.map(({ type, data }) => [type, data.scope?.kind])).toEqual([['threshold.reached', 'tenant'], ['request.denied', undefined]])
    const { data } = acmes.messages[1]
    expect(data).toEqual({ decisionId: 'mine', userId: 'ada', tenant: 'acme', tier: 'free', model: 'gpt-4o', code: 'budget', status: 402 })
    expect(operators.messages.map(({ type, data: told }) => [type, told.scope?.kind]).sort()).toEqual([['request.denied', 'global'], ['threshold.reached', 'global'], ['threshold.reached', 'tenant']])
    expect(operators.messages.find(({ type }) => type === 'request.denied').data).toMatchObject({ limit: 4, used: 3.9, tenant: 'acme', decisionId: 'mine' })
  })

  it('is sent once by all processes of a store together', async () => {
    const { open, receiver, refuse } = await webhookStage()
    const both = [open(), open()] as const
    const { endpoint } = await both[0].createEndpoint({ url: receiver.url })
    for (let user = 0; user < 40; user += 1) await refuse(`user-${user}`)
    await Promise.all(both.map((each) => each.tick()))
    await Promise.all(both.map((each) => each.tick()))
    expect(receiver.messages.map(({ data }) => data.userId).sort()).toEqual(Array.from({ length: 40 }, (_, user) => `user-${user}`).sort())
    expect((await both[1].deliveries(endpoint.id)).every(({ state, attempts }) => state === 'delivered' && attempts === 1)).toBe(true)
  })

  it('is sent once where each process has refused the same user, on a store that they share', async () => {
    const { receiver } = await webhookStage()
    const path = files.path()
    const processes = Array.from({ length: 3 }, () => {
      const engine = new Bursar<string, string>({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: () => Date.now(), store: sqliteStore({ path, clock: () => Date.now() }) })
      const webhooks = new Webhooks({ engine, clock: () => Date.now(), log: { info: () => {}, warn: () => {}, error: () => {} }, allowPrivate: true })
      onTestFinished(async () => {
        await webhooks.close()
        await engine.close()
      })
      webhooks.start()
      return { engine, webhooks }
    })
    await processes[0]?.webhooks.createEndpoint({ url: receiver.url })
    for (let user = 0; user < 10; user += 1) for (const { engine } of processes) await engine.check({ userId: `user-${user}`, estimatedCost: 5 })
    await Promise.all(processes.map(({ webhooks }) => webhooks.tick()))
    expect(receiver.messages.map(({ data }) => data.userId).sort()).toEqual(Array.from({ length: 10 }, (_, user) => `user-${user}`))
  })

  it('is sent by another process where the one that had it has died', async () => {
    const { open, receiver, registry, advance } = await webhookStage()
    const webhooks = open()
    const { endpoint } = await webhooks.createEndpoint({ url: receiver.url })
    const dead = new Deliveries(registry)
    const made = await dead.add('msg_made', { endpoint: endpoint.id, type: 'webhook.test', body: '{"of":"made"}' }, NOON)
    const claimed = await dead.add('msg_claimed', { endpoint: endpoint.id, type: 'webhook.test', body: '{"of":"claimed"}' }, NOON)
    await dead.claim(claimed!, NOON)
    await webhooks.tick()
    expect(receiver.messages).toEqual([])
    advance(5 * SECOND)
    await webhooks.tick()
    expect(receiver.messages).toEqual([{ of: 'made' }])
    advance(25 * SECOND - 1)
    await webhooks.tick()
    expect(receiver.received).toHaveLength(1)
    advance(1)
    await webhooks.tick()
    expect(receiver.messages).toEqual([{ of: 'made' }, { of: 'claimed' }])
    // The one that was thought dead finds that it no longer has it.
    expect(await dead.claim(made!, Date.now())).toBeUndefined()
  })

  it('is made once, also by a process that has looked for it before it had left', async () => {
    const { open, receiver, registry, refuse } = await webhookStage()
    const webhooks = open()
    const { endpoint } = await webhooks.createEndpoint({ url: receiver.url })
    await refuse('ada')
    await webhooks.tick()
    const id = receiver.received[0]?.headers['webhook-id'] as string
    let looks = 0
    const late = new Deliveries({ ...bound(registry), get: (kind, key) => ((looks += 1) === 1 ? undefined : registry.get(kind, key)) })
    expect(await late.add(id, { endpoint: endpoint.id, type: 'webhook.test', body: '' }, Date.now())).toBeUndefined()
    expect(await registry.get(`webhook-pending-${endpoint.id}`, id)).toBeUndefined()
  })
})

function bound(registry: Awaited<ReturnType<typeof webhookStage>>['registry']): typeof registry {
  return { get: (...given) => registry.get(...given), put: (...given) => registry.put(...given), list: (kind) => registry.list(kind) }
}

async function tested(webhooks: Webhooks, url: string): Promise<IssuedEndpoint> {
  const issued = await webhooks.createEndpoint({ url })
  await webhooks.test(issued.endpoint.id)
  return issued
}

describe('a receiver', () => {
  it('that fails gets the same message again, under the same id, signed anew', async () => {
    const { open, receiver, advance } = await webhookStage()
    receiver.answer = (response, number) => void response.writeHead(number === 0 ? 500 : 200).end('x')
    const webhooks = open()
    const issued = await tested(webhooks, receiver.url)
    await webhooks.tick()
    expect(await webhooks.deliveries(issued.endpoint.id)).toMatchObject([{ state: 'pending', attempts: 1, status: 500, error: 'answered 500' }])
    advance(4_999)
    await webhooks.tick()
    expect(receiver.received).toHaveLength(1)
    advance(1_001)
    await webhooks.tick()
    const [first, second] = receiver.received as [Received, Received]
    expect(second.body).toBe(first.body)
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id'])
    expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp'])
    expect(second.headers['webhook-signature']).not.toBe(first.headers['webhook-signature'])
    for (const each of [first, second]) expect(verified(issued, each)).toMatchObject({ type: 'webhook.test' })
    const [delivery] = await webhooks.deliveries(issued.endpoint.id)
    expect(delivery).toMatchObject({ state: 'delivered', attempts: 2, status: 200 })
    expect(delivery).not.toHaveProperty('error')
  })

  it('that always fails is given up after eight attempts in 18 hours; by hand it gets it again', async () => {
    const { open, receiver, advance, logged } = await webhookStage()
    receiver.answer = (response) => void response.writeHead(503).end()
    const webhooks = open()
    const { endpoint } = await tested(webhooks, receiver.url)
    for (const [attempt, wait] of [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, 12 * HOUR].entries()) {
      await webhooks.tick()
      const [{ attempts, nextAttemptAt } = {} as never] = await webhooks.deliveries(endpoint.id)
      expect(attempts).toBe(attempt + 1)
      const waits = nextAttemptAt!.getTime() - Date.now()
      expect(waits).toBeGreaterThanOrEqual(wait)
      expect(waits).toBeLessThanOrEqual(wait * 1.2)
      advance(waits - 1)
      await webhooks.tick()
      expect(receiver.received).toHaveLength(attempt + 1)
      advance(1)
    }
    await webhooks.tick()
    const [failed] = await webhooks.deliveries(endpoint.id)
    expect(failed).toMatchObject({ state: 'failed', attempts: 8, status: 503 })
    expect(logged.at(-1)).toMatch(/^a webhook was given up .*"attempts":8/)
    advance(HOUR)
    await webhooks.tick()
    expect(receiver.received).toHaveLength(8)
    receiver.answer = (response) => void response.writeHead(202).end()
    expect(await webhooks.retry(endpoint.id, failed!.id)).toMatchObject({ state: 'pending' })
    await webhooks.tick()
    expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ id: failed!.id, state: 'delivered', attempts: 9 }])
    expect(receiver.received[8]?.headers['webhook-id']).toBe(failed!.id)
    await webhooks.retry(endpoint.id, failed!.id)
    await webhooks.tick()
    expect(receiver.received).toHaveLength(10)
    await expect(webhooks.retry(endpoint.id, 'msg_none')).rejects.toMatchObject({ status: 404 })
    const { endpoint: another } = await webhooks.createEndpoint({ url: receiver.url })
    await expect(webhooks.retry(another.id, failed!.id)).rejects.toMatchObject({ status: 404 })
    advance(30 * 24 * HOUR)
    expect(await webhooks.deliveries(endpoint.id)).toEqual([])
  })

  it('that says nothing is left after ten seconds, and keeps nobody else waiting', async () => {
    const { open, receiver, fire } = await webhookStage()
    const quick = await Receiver.start()
    receiver.answer = () => {}
    const webhooks = open()
    const slow = await webhooks.createEndpoint({ url: receiver.url })
    for (let count = 0; count < 6; count += 1) await webhooks.test(slow.endpoint.id)
    const { endpoint } = await tested(webhooks, quick.url)
    const ticking = webhooks.tick()
    await Promise.all([receiver.has(4), quick.has(1)])
    while ((await webhooks.deliveries(endpoint.id))[0]?.state !== 'delivered') await new Promise(setImmediate)
    expect(receiver.received).toHaveLength(4)
    fire(TIMEOUT)
    await Promise.all(receiver.received.slice(0, 4).map(({ closed }) => closed))
    await receiver.has(6)
    fire(TIMEOUT)
    await ticking
    expect(await webhooks.deliveries(slow.endpoint.id)).toEqual(Array.from({ length: 6 }, () => expect.objectContaining({ state: 'pending', attempts: 1, error: 'no answer within 10 seconds' })))
  })

  it('that redirects is not followed', async () => {
    const { open, receiver } = await webhookStage()
    const elsewhere = await Receiver.start()
    receiver.answer = (response) => void response.writeHead(307, { location: elsewhere.url }).end()
    const webhooks = open()
    const { endpoint } = await tested(webhooks, receiver.url)
    await webhooks.tick()
    expect(elsewhere.received).toEqual([])
    expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ state: 'pending', status: 307, error: 'answered 307: redirects are not followed' }])
  })

  it('that answers without end has taken it, and nobody listens to the rest', async () => {
    const { open, receiver } = await webhookStage()
    receiver.answer = (response) => {
      response.writeHead(200)
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    }
    const webhooks = open()
    const { endpoint } = await tested(webhooks, receiver.url)
    await webhooks.tick()
    await receiver.received[0]?.closed
    expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ state: 'delivered', status: 200 }])
  })

  it.each([
    ['closes the connection', '', 'the connection was closed before an answer'],
    ['answers something that is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n', 'the receiver answered nothing that is HTTP'],
    ['wants to speak something else', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'the connection was closed before an answer'],
    ['answers header fields without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(10_000)}`, 'the receiver answered nothing that is HTTP'],
  ])('that %s does no harm', async (_what, text, error) => {
    const { open } = await webhookStage()
    const server = createServer((socket) => void socket.on('error', () => {}).once('data', () => socket.end(text)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const webhooks = open()
    const { endpoint } = await tested(webhooks, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    await webhooks.tick()
    expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ state: 'pending', attempts: 1, error }])
  })

  it('that is not there, and one without TLS, are said to be', async () => {
    const { open, receiver } = await webhookStage()
    const gone = createServer()
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
    const { port } = gone.address() as AddressInfo
    await new Promise((resolve) => gone.close(resolve))
    const webhooks = open()
    const absent = await tested(webhooks, `http://127.0.0.1:${port}/`)
    const plain = await tested(webhooks, receiver.url.replace('http:', 'https:'))
    await webhooks.tick()
    expect(await webhooks.deliveries(absent.endpoint.id)).toMatchObject([{ error: 'the connection was refused' }])
    expect(await webhooks.deliveries(plain.endpoint.id)).toMatchObject([{ error: 'the certificate is not valid, or the receiver speaks no TLS' }])
    expect(receiver.received).toEqual([])
  })
})

describe('an endpoint', () => {
  it('whose secret was rotated is sent both signatures for the grace, and then the new one', async () => {
    const { open, receiver, advance } = await webhookStage()
    const webhooks = open()
    const before = await webhooks.createEndpoint({ url: receiver.url })
    const after = await webhooks.rotate(before.endpoint.id, { graceMs: HOUR })
    expect(after.endpoint).toEqual(before.endpoint)
    await webhooks.test(before.endpoint.id)
    await webhooks.tick()
    const { headers } = receiver.received[0] as Received
    expect((headers['webhook-signature'] as string).split(' ')).toHaveLength(2)
    for (const issued of [before, after]) expect(verified(issued, receiver.received[0] as Received)).toBeDefined()
    advance(HOUR)
    await webhooks.test(before.endpoint.id)
    await webhooks.tick()
    expect(verified(after, receiver.received[1] as Received)).toBeDefined()
    expect(() => verified(before, receiver.received[1] as Received)).toThrow(/signature/)
    await expect(webhooks.rotate(before.endpoint.id, { graceMs: -1 })).rejects.toThrow(/^graceMs: /)
  })

  it('shows its secret once: never in a list, in a log or in what is inspected', async () => {
    const { open, receiver, logged } = await webhookStage()
    receiver.answer = (response) => void response.writeHead(500).end()
    const webhooks = open()
    const { secret, endpoint } = await tested(webhooks, receiver.url)
    expect(secret).toMatch(/^whsec_[\w+/]{43}=$/)
    await webhooks.tick()
    const seen = [await webhooks.list(), await webhooks.get(endpoint.id), await webhooks.deliveries(endpoint.id), webhooks].map((each) => inspect(each, { depth: 9, showHidden: true }))
    for (const text of [...seen, ...logged]) expect(text).not.toContain(secret.slice(6))
    expect(logged.join('\n')).not.toContain('of=bursar')
  })

  it('that was removed is told nothing more, and what waited for it is forgotten', async () => {
    const { open, receiver, registry, refuse, advance } = await webhookStage()
    receiver.answer = (response) => void response.writeHead(500).end()
    const webhooks = open()
    const { endpoint } = await tested(webhooks, receiver.url)
    await webhooks.tick()
    await webhooks.remove(endpoint.id)
    await refuse('ada')
    advance(MINUTE)
    await webhooks.tick()
    expect(receiver.received).toHaveLength(1)
    for await (const { key } of registry.list(`webhook-pending-${endpoint.id}`)) throw new Error(`${key} is left`)
    for (const work of [() => webhooks.remove(endpoint.id), () => webhooks.rotate(endpoint.id), () => webhooks.test(endpoint.id), () => webhooks.deliveries(endpoint.id), () => webhooks.retry(endpoint.id, 'x')]) {
      await expect(work()).rejects.toMatchObject({ status: 404 })
    }
  })

  it('of another process is known within a second', async () => {
    const { open, receiver, refuse, advance } = await webhookStage()
    const [one, other] = [open(), open()]
    await refuse('ada')
    await one.tick()
    const { endpoint } = await other.createEndpoint({ url: receiver.url })
    await other.close()
    advance(SECOND + 1)
    await refuse('bob')
    await one.tick()
    expect(receiver.messages.map(({ data }) => data.userId)).toEqual(['bob'])
    expect(await one.get(endpoint.id)).toEqual(endpoint)
  })

  it('gets at most a thousand denials an hour from one process, and the log a line for all that is left out in a minute', async () => {
    const { open, receiver, refuse, advance, logged } = await webhookStage()
    const webhooks = open()
    const { endpoint } = await webhooks.createEndpoint({ url: receiver.url })
    for (let user = 0; user < 1_010; user += 1) await refuse(`user-${user}`)
    await webhooks.tick()
    expect(receiver.received).toHaveLength(1_000)
    advance(MINUTE)
    await webhooks.tick()
    await webhooks.tick()
    expect(logged.filter((line) => line.startsWith('webhooks were left out'))).toEqual([1, 9].map((count) => `webhooks were left out: their endpoint has too many ${JSON.stringify({ endpoint: endpoint.id, event: 'request.denied', count })}`))
    advance(HOUR)
    await refuse('ada')
    // What was left out was not told: it is now.
    await refuse('user-1009')
    await refuse('user-0')
    await webhooks.tick()
    expect(receiver.messages.slice(1_000).map(({ data }) => data.userId)).toEqual(['ada', 'user-1009'])
  })

  it('hears of every threshold, whatever one tenant does: its denials and thresholds have an allowance of their own', async () => {
    const { open, receiver, refuse, engine } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    for (let user = 0; user < 300; user += 1) {
      await refuse(`evil-${user}`, 'evil')
      await engine.tracker.addCost({ userId: `spender-${user}`, tenant: 'evil', cost: '0.85' })
    }
    await refuse('bob', 'acme')
    await refuse('ada')
    await engine.tracker.addCost({ userId: 'ada', tenant: 'acme', cost: '1' })
    await engine.tracker.addCost({ userId: 'zed', cost: '1' })
    await webhooks.tick()
    const told = (type: string, tenant: string | undefined): number => receiver.messages.filter((message) => message.type === type && message.data.tenant === tenant).length
    expect([told('request.denied', 'evil'), told('threshold.reached', 'evil')]).toEqual([250, 250])
    expect([told('request.denied', 'acme'), told('request.denied', undefined), told('threshold.reached', 'acme'), told('threshold.reached', undefined)]).toEqual([1, 1, 2, 2])
  })

  it('is told of thresholds before denials that wait', async () => {
    const { open, receiver, refuse, engine } = await webhookStage()
    receiver.answer = () => {}
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    for (let user = 0; user < 10; user += 1) await refuse(`user-${user}`)
    await receiver.has(4)
    await engine.tracker.addCost({ userId: 'ada', cost: '1' })
    await webhooks.written()
    receiver.answer = (response) => void response.writeHead(200).end()
    receiver.received[0]?.response.writeHead(200).end()
    await receiver.has(5)
    expect(receiver.messages[4].type).toBe('threshold.reached')
    for (const { response } of receiver.received.slice(1, 4)) response.writeHead(200).end()
    await webhooks.tick()
  })

  it('that is made later hears of a refusal that stands', async () => {
    const { open, receiver, refuse } = await webhookStage()
    const later = await Receiver.start()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    await refuse('ada')
    await webhooks.tick()
    await webhooks.createEndpoint({ url: later.url })
    await refuse('ada')
    await webhooks.tick()
    expect([receiver.received.length, later.messages.map(({ data }) => data.userId)]).toEqual([1, ['ada']])
  })

  it('is asked about alone: nobody reads the deliveries of others', async () => {
    const { open, receiver, refuse, asked } = await webhookStage()
    const webhooks = open()
    const busy = await webhooks.createEndpoint({ url: receiver.url })
    const { endpoint } = await webhooks.createEndpoint({ url: receiver.url, tenant: 'acme' })
    for (let user = 0; user < 5; user += 1) await refuse(`user-${user}`)
    await webhooks.tick()
    asked.splice(0)
    expect(await webhooks.deliveries(endpoint.id)).toEqual([])
    expect(asked).toEqual(['webhook', `webhook-done-${endpoint.id}`, `webhook-pending-${endpoint.id}`])
    expect(await webhooks.deliveries(busy.endpoint.id)).toHaveLength(5)
  })

  it('has the newest thousand of each type that have ended: older ones are forgotten', async () => {
    const { registry } = await webhookStage()
    const deliveries = new Deliveries(registry)
    const end = async (id: string, type: 'request.denied' | 'threshold.reached', at: number): Promise<void> => {
      const held = await deliveries.add(id, { endpoint: 'e', type, body: '{}' }, at)
      await deliveries.ended(held!, { isTaken: true, status: 204 }, at, 0)
    }
    await end('threshold', 'threshold.reached', NOON)
    for (let each = 1; each <= 1_110; each += 1) await end(`denial-${each}`, 'request.denied', NOON + each)
    const ids = (await deliveries.of('e')).map(({ id }) => id)
    expect(ids.length).toBeLessThanOrEqual(1_101)
    expect(ids).toContain('threshold')
    expect(ids[0]).toBe('denial-1110')
    expect(ids).not.toContain('denial-1')
  })

  it('can be changed: where it is and what it hears of, with the secret that it has', async () => {
    const { open, receiver, refuse } = await webhookStage()
    const moved = await Receiver.start()
    const webhooks = open()
    const issued = await webhooks.createEndpoint({ url: receiver.url, events: ['threshold.reached'], description: 'ours' })
    const { id } = issued.endpoint
    expect(await webhooks.update(id, { url: moved.url, events: ['request.denied'] })).toEqual({ ...issued.endpoint, url: moved.url, events: ['request.denied'] })
    await refuse('ada')
    await webhooks.tick()
    expect(receiver.received).toEqual([])
    expect(verified(issued, moved.received[0] as Received)).toMatchObject({ type: 'request.denied' })
    for (const change of [{}, { url: 'ftp://x' }, { events: [] }, { tenant: 'x' } as never, { secret: 'x' } as never, { description: 'x'.repeat(201) }]) await expect(webhooks.update(id, change)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(webhooks.update('0000000000000000', { url: moved.url })).rejects.toMatchObject({ status: 404 })
  })

  it('has at most five secrets at once: none ends inside its grace but by one that asks for it', async () => {
    const webhooks = (await webhookStage()).open()
    const { endpoint } = await webhooks.createEndpoint({ url: 'https://example.com/' })
    for (let round = 0; round < 4; round += 1) await webhooks.rotate(endpoint.id)
    await expect(webhooks.rotate(endpoint.id)).rejects.toMatchObject({ status: 409 })
    await webhooks.rotate(endpoint.id, { graceMs: 0 })
    await webhooks.rotate(endpoint.id)
  })

  it.each([
    ['no address', { url: 'nowhere' }, /^url: /],
    ['another protocol', { url: 'ftp://example.com/' }, /^url: /],
    ['a password', { url: 'https://ada:secret@example.com/' }, /^url: has a user or password/],
    ['an address that is too long', { url: `https://example.com/${'x'.repeat(2_048)}` }, /^url: /],
    ['an event that there is not', { url: 'https://example.com/', events: ['x'] as never }, /^events: /],
    ['no event', { url: 'https://example.com/', events: [] }, /^events: /],
    ['a field that it does not have', { url: 'https://example.com/', secret: 'x' } as never, /^secret: is no field/],
    ['a tenant that is none', { url: 'https://example.com/', tenant: '' }, /^tenant: /],
    ['a description that is too long', { url: 'https://example.com/', description: 'x'.repeat(201) }, /^description: /],
  ])('is not made of %s', async (_what, endpoint, message) => {
    const webhooks = (await webhookStage()).open()
    await expect(webhooks.createEndpoint(endpoint)).rejects.toThrow(message)
    await expect(webhooks.createEndpoint(endpoint)).rejects.not.toThrow('secret@')
    expect(await webhooks.list()).toEqual([])
  })

  it('is one of at most 20 of its tenant', async () => {
    const webhooks = (await webhookStage()).open()
    for (let made = 0; made < 20; made += 1) await webhooks.createEndpoint({ url: 'https://example.com/', tenant: 'acme' })
    await expect(webhooks.createEndpoint({ url: 'https://example.com/', tenant: 'acme' })).rejects.toThrow(/^webhooks: there are 20/)
    await webhooks.createEndpoint({ url: 'https://example.com/', tenant: 'other' })
  })
})

describe('the webhooks of a process', () => {
  it('wait while the store is away, and are told when it is back', async () => {
    const { open, receiver, refuse, fail, advance, logged } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    fail(new StoreUnavailableError('the store is away'))
    advance(2 * SECOND)
    for (const user of ['ada', 'bob']) await refuse(user)
    for (let round = 0; round < 3; round += 1) await webhooks.tick()
    expect(receiver.received).toEqual([])
    expect(logged.filter((line) => line.startsWith('webhooks wait for the store'))).toHaveLength(1)
    fail(undefined)
    await webhooks.tick()
    expect(receiver.messages.map(({ data }) => data.userId)).toEqual(['ada', 'bob'])
  })

  it('are told again where it could not be noted that they were taken', async () => {
    const { open, receiver, fail, advance } = await webhookStage()
    receiver.answer = (response) => {
      fail(new StoreUnavailableError('the store is away'))
      response.writeHead(200).end()
    }
    const webhooks = open()
    const { endpoint } = await tested(webhooks, receiver.url)
    await webhooks.tick()
    fail(undefined)
    receiver.answer = (response) => void response.writeHead(200).end()
    advance(30 * SECOND)
    await webhooks.tick()
    expect(receiver.received.map(({ headers }) => headers['webhook-id'])).toEqual(Array.from({ length: 2 }, () => receiver.received[0]?.headers['webhook-id']))
    expect(await webhooks.deliveries(endpoint.id)).toMatchObject([{ state: 'delivered' }])
  })

  it('are sent at once, without waiting for the next look', async () => {
    const { open, receiver, refuse } = await webhookStage()
    await open().createEndpoint({ url: receiver.url })
    await refuse('ada')
    await receiver.has(1)
  })

  it('ask the store once about what is refused again and again', async () => {
    const { open, receiver, refuse, asked } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    await refuse('ada')
    await webhooks.tick()
    asked.splice(0)
    for (let each = 0; each < 10; each += 1) await refuse('ada')
    await new Promise(setImmediate)
    await new Promise(setImmediate)
    expect(asked).toEqual([])
  })

  it('cost nothing where nobody has an endpoint: no record is read for an event', async () => {
    const { open, refuse, asked } = await webhookStage()
    const webhooks = open()
    expect(await webhooks.list()).toEqual([])
    asked.splice(0)
    await refuse('ada')
    await new Promise(setImmediate)
    expect(asked).toEqual([])
  })

  it('look for work by themselves, and leave nothing behind when they are closed', async () => {
    const { open, receiver, timers, registry, advance } = await webhookStage()
    const webhooks = open()
    const { endpoint } = await webhooks.createEndpoint({ url: receiver.url })
    await new Deliveries(registry).add('msg_left', { endpoint: endpoint.id, type: 'webhook.test', body: '{}' }, NOON)
    advance(5 * SECOND)
    const [{ call, ms }] = [...timers.values()] as [{ call: () => void; ms: number }]
    expect(ms).toBeGreaterThanOrEqual(4_000)
    call()
    await receiver.has(1)
    await webhooks.close()
    await webhooks.close()
    expect([...timers.values()].filter(({ call: each }) => each !== call)).toEqual([])
    await webhooks.tick()
    webhooks.start()
  })

  it('have written what was spent past a threshold when whoever has spent it is answered', async () => {
    const { open, receiver, engine, refuse } = await webhookStage()
    const webhooks = open()
    const { endpoint } = await webhooks.createEndpoint({ url: receiver.url })
    expect(webhooks.written()).toBeUndefined()
    await refuse('bob')
    // Nobody waits for denials.
    expect(webhooks.written()).toBeUndefined()
    await engine.tracker.addCost({ userId: 'ada', cost: '0.85' })
    const written = webhooks.written()
    expect(written).toBeInstanceOf(Promise)
    await written
    expect(webhooks.written()).toBeUndefined()
    expect((await webhooks.deliveries(endpoint.id)).map(({ type }) => type).sort()).toEqual(['request.denied', 'threshold.reached'])
  })

  it('keep nobody waiting for a store that is away, and try again when somebody waits', async () => {
    const { open, receiver, engine, fail } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    fail(new StoreUnavailableError('the store is away'))
    await engine.tracker.addCost({ userId: 'ada', cost: '0.85' })
    await webhooks.written()
    await webhooks.written()
    expect(webhooks.written()).toBeDefined()
    fail(undefined)
    await webhooks.written()
    expect(webhooks.written()).toBeUndefined()
    await receiver.has(1)
  })

  it('send what was not taken again after five seconds by a timer of its own', async () => {
    const { open, receiver, timers, advance } = await webhookStage()
    receiver.answer = (response, number) => void response.writeHead(number === 0 ? 500 : 200).end()
    const webhooks = open()
    await tested(webhooks, receiver.url)
    await webhooks.tick()
    const soon = [...timers.values()].filter(({ ms }) => ms >= 5 * SECOND && ms <= 6 * SECOND).at(-1)
    advance(soon!.ms)
    soon!.call()
    await receiver.has(2)
  })

  it('write down what has happened before they close, for the next process', async () => {
    const { open, receiver, refuse, advance } = await webhookStage()
    const webhooks = open()
    await webhooks.createEndpoint({ url: receiver.url })
    await refuse('ada')
    await webhooks.close()
    expect(receiver.received).toEqual([])
    advance(5 * SECOND)
    await open().tick()
    expect(receiver.messages.map(({ data }) => data.userId)).toEqual(['ada'])
  })

  it('wait some seconds for what is being sent, and give back what has not ended', async () => {
    const { open, receiver, fire } = await webhookStage()
    receiver.answer = () => {}
    const webhooks = open()
    const { endpoint } = await tested(webhooks, receiver.url)
    await receiver.has(1)
    const closing = webhooks.close()
    // Its time is the last timer to be set.
    await new Promise(setImmediate)
    fire(5 * SECOND)
    await closing
    await receiver.received[0]?.closed
    receiver.answer = (response) => void response.writeHead(200).end()
    const next = open()
    expect(await next.deliveries(endpoint.id)).toMatchObject([{ state: 'pending', attempts: 0 }])
    await next.tick()
    expect(receiver.received[1]?.headers['webhook-id']).toBe(receiver.received[0]?.headers['webhook-id'])
  })
})
