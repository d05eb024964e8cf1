// The endpoint behind real servers, over real HTTP: what is signed comes through whole, and what is not is refused with an answer.

import { request as httpRequest } from 'node:http'
import express from 'express'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { post } from '../../../examples/stripe-stand-in/webhooks.js'
import type { StripeWebhook } from '../../../src/stripe/index.js'
import { listening, sendTo, type Send } from '../../support/stripe/sending.js'
import { openStage, SECRET, type Tier } from '../../support/stripe/stage.js'

/** Hands a request to a handler of the Fetch API without a server, in chunks or whole. */
function sendFetch(handler: (request: Request) => Response | Promise<Response>): Send {
  return async (body, headers, sending = 'whole') => {
    const chunks = new Blob([body]).stream()
    const init = { method: 'POST', headers: { 'content-type': 'application/json', ...headers } }
    const request = new Request('http://localhost/', sending === 'whole' ? { ...init, body } : ({ ...init, body: chunks, duplex: 'half' } as RequestInit))
    const response = await handler(request)
    return { status: response.status, type: String(response.headers.get('content-type')), text: await response.text() }
  }
}

const DOORS: Record<string, (webhook: StripeWebhook<Tier>) => Send | Promise<Send>> = {
  'handle()': (webhook) => async (body, headers) => {
    const { status, body: reply } = await webhook.handle(body, headers['stripe-signature'])
    return { status, type: 'application/json', text: JSON.stringify(reply) }
  },
  'the Fetch API': (webhook) => sendFetch(webhook),
  Hono: (webhook) => sendFetch((request) => new Hono().post('/', (context) => webhook(context.req.raw)).fetch(request)),
  Express: async (webhook) => sendTo(await listening(express().post('/', webhook.express))),
  'Express behind express.raw()': async (webhook) => sendTo(await listening(express().post('/', express.raw({ type: '*/*', limit: '2mb' }), webhook.express))),
  'Express behind express.text()': async (webhook) => sendTo(await listening(express().post('/', express.text({ type: '*/*', limit: '2mb' }), webhook.express))),
  'Express with express.json() behind it': async (webhook) => sendTo(await listening(express().post('/', webhook.express).use(express.json()))),
  'Express with express.json() for other types': async (webhook) => sendTo(await listening(express().use(express.json({ type: 'text/x-other' })).post('/', webhook.express))),
  'node:http': async (webhook) => sendTo(await listening((request, response) => void webhook.express(request, response))),
}

describe.each(Object.keys(DOORS))('%s', (door) => {
  async function opened() {
    const stage = await openStage()
    stage.subscribed('ada')
    const event = stage.newest('customer.subscription.created')
    const send = await (DOORS[door] as (typeof DOORS)[string])(stage.webhook)
    return { stage, event, send }
  }

  it('takes a delivery, whole and in chunks', async () => {
    const { stage, event, send } = await opened()
    const { body, header } = stage.signed(event)
    const answer = await send(body, { 'stripe-signature': header })
    expect(answer).toMatchObject({ status: 200, type: expect.stringContaining('application/json') })
    expect(JSON.parse(answer.text)).toEqual({ received: true, outcome: 'written' })
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(JSON.parse((await send(body, { 'stripe-signature': header }, 'chunked')).text)).toEqual({ received: true, outcome: 'duplicate' })
  })

  it('refuses what is forged, stale, truncated, written anew, empty or unsigned, and changes nothing', async () => {
    const { stage, event, send } = await opened()
    const { body, header } = stage.signed(event)
    const stale = stage.signed(event, { timestamp: stage.nowS() - 3_600 })
    const forged = stage.signed(event, { secret: 'whsec_other' })
    const before = await stage.everything('ada')
    const deliveries: [string, Record<string, string>][] = [
      [forged.body, { 'stripe-signature': forged.header }],
      [stale.body, { 'stripe-signature': stale.header }],
      [body.slice(0, -10), { 'stripe-signature': header }],
      [JSON.stringify(JSON.parse(body)), { 'stripe-signature': header }],
      ['', { 'stripe-signature': header }],
      [body, {}],
    ]
    for (const [sent, headers] of deliveries) {
      const answer = await send(sent, headers)
      expect(answer.status).toBe(400)
      expect(JSON.parse(answer.text)).toMatchObject({ received: false, error: expect.any(String) })
    }
    expect(await stage.everything('ada')).toEqual(before)
  })

  it.each(['whole', 'chunked'] as const)('answers 400 to a megabyte that is sent %s', async (sending) => {
    const { stage, event, send } = await opened()
    const long = stage.signed({ ...event, data: { object: { filler: 'x'.repeat(2 ** 20) } } })
    const before = await stage.everything('ada')
    const answer = await send(long.body, { 'stripe-signature': long.header }, sending)
    expect(answer.status).toBe(400)
    expect(JSON.parse(answer.text).error).toContain('is longer than')
    expect(await stage.everything('ada')).toEqual(before)
  })

  it('answers 500 while Stripe is away', async () => {
    const { stage, event, send } = await opened()
    const { body, header } = stage.signed(event)
    stage.standIn.failNext(1, 503)
    expect((await send(body, { 'stripe-signature': header })).status).toBe(500)
    expect((await send(body, { 'stripe-signature': header })).status).toBe(200)
  })
})

describe('behind something that has parsed the body', () => {
  it('Express refuses, and says what to do', async () => {
    const stage = await openStage()
    stage.subscribed('ada')
    const { body, header } = stage.signed(stage.newest('customer.subscription.created'))
    const send = sendTo(await listening(express().use(express.json({ limit: '2mb' })).post('/', stage.webhook.express)))
    const before = await stage.everything('ada')
    for (const sent of [body, '{}', '[]']) {
      const answer = await send(sent, { 'stripe-signature': header })
      expect(answer.status).toBe(400)
      expect(answer.text).toMatch(/has been parsed before.*Mount the webhook before express\.json\(\)/)
    }
    expect(await stage.everything('ada')).toEqual(before)
  })

  it.each(['json', 'text', 'arrayBuffer'] as const)('Hono refuses, where somebody has read it as %s', async (as) => {
    const stage = await openStage()
    stage.subscribed('ada')
    const { body, header } = stage.signed(stage.newest('customer.subscription.created'))
    const app = new Hono().post('/', async (context) => {
      await context.req[as]()
      return stage.webhook(context.req.raw)
    })
    const answer = await sendFetch((request) => app.fetch(request))(body, { 'stripe-signature': header })
    expect(answer.status).toBe(400)
    expect(answer.text).toContain('has been parsed before')
  })
})

describe('a client', () => {
  it.each([
    ['an event', 1, 200],
    ['a megabyte', 2 ** 20, 400],
    ['ten megabytes', 10 * 2 ** 20, 400],
  ])('that is fetch() gets its answer to %s', async (_what, length, status) => {
    const stage = await openStage()
    stage.subscribed('ada')
    const event = stage.newest('customer.subscription.created')
    const port = await listening(express().post('/', stage.webhook.express))
    const { object } = event.data
    const answer = await post(`http://127.0.0.1:${port}/`, { ...event, data: { object: { ...object, filler: 'x'.repeat(length) } } }, SECRET, { stripe: stage.client(), timestamp: stage.nowS() })
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ received: status === 200 })
  })

  it('whose body never ends is answered, and no more is read of it', async () => {
    const stage = await openStage()
    const chunk = new Uint8Array(65_536)
    let [pulled, isCancelled] = [0, false]
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        pulled += 1
        controller.enqueue(chunk)
      },
      cancel: () => void (isCancelled = true),
    })
    const init = { method: 'POST', headers: { 'stripe-signature': 't=1,v1=0' }, body, duplex: 'half' }
    const answer = await stage.webhook(new Request('http://localhost/', init as RequestInit))
    expect([answer.status, isCancelled]).toEqual([400, true])
    expect(pulled * chunk.length).toBeLessThan(16 * 2 ** 20)
    let read = 0
    const endless = {
      headers: {},
      [Symbol.asyncIterator]: () => ({
        next: () => {
          read += 1
          return Promise.resolve({ done: false, value: chunk })
        },
      }),
    }
    const response = { statusCode: 0, setHeader: () => {}, end: () => {} }
    await stage.webhook.express(endless as never, response)
    expect(response.statusCode).toBe(400)
    expect(read * chunk.length).toBeLessThan(16 * 2 ** 20)
  })

  it('that goes away in the middle leaves nothing, and the server stays', async () => {
    const stage = await openStage()
    stage.subscribed('ada')
    const { body, header } = stage.signed(stage.newest('customer.subscription.created'))
    const port = await listening((request, response) => void stage.webhook.express(request, response))
    await new Promise<void>((resolve) => {
      const sent = httpRequest({ host: '127.0.0.1', port, method: 'POST', path: '/', headers: { 'stripe-signature': header, 'content-length': '100000' } })
      sent.on('error', () => resolve())
      sent.write(body.slice(0, 100), () => sent.destroy(new Error('gone')))
    })
    expect((await sendTo(port)(body, { 'stripe-signature': header })).status).toBe(200)
  })
})
