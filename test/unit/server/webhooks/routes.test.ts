// Webhooks over HTTP: who may make, see and end which.

import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it } from 'vitest'
import { caller, OPERATOR, PLAIN_OPTIONS, testApp, type TestApp } from '../../../support/server/app.js'
import { Receiver } from '../../../support/server/receiver.js'

const ACME = caller(['admin'], 'acme')
const OTHER = caller(['admin'], 'other')
const URL = 'https://hooks.example.com/bursar'

let server: TestApp
afterEach(() => server.close())

describe('/v1/webhooks', () => {
  it('makes an endpoint, shows its secret once, sends it what it asks for, and lists what was delivered', async () => {
    server = testApp()
    const receiver = await Receiver.start()
    const made = await server.ask(OPERATOR, 'POST', '/v1/webhooks', { url: receiver.url, events: ['request.denied'], description: 'ours' })
    expect(made).toMatchObject({ status: 201, json: { endpoint: { url: receiver.url, events: ['request.denied'], description: 'ours' }, secret: expect.stringMatching(/^whsec_/) } })
    const { endpoint, secret } = made.json
    const listed = await server.ask(OPERATOR, 'GET', '/v1/webhooks')
    expect(listed).toMatchObject({ status: 200, json: { items: [endpoint] } })
    expect(listed.text).not.toContain(secret)
    const sent = await server.ask(OPERATOR, 'POST', `/v1/webhooks/${endpoint.id}/test`)
    expect(sent).toMatchObject({ status: 202, json: { type: 'webhook.test', state: 'pending', attempts: 0 } })
    await server.service.webhooks.tick()
    const [{ body, headers }] = receiver.received as [(typeof receiver.received)[number]]
    expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({ type: 'webhook.test', data: { endpoint: endpoint.id } })
    const path = `/v1/webhooks/${endpoint.id}/deliveries`
    expect(await server.ask(OPERATOR, 'GET', path)).toMatchObject({ status: 200, json: { items: [{ id: sent.json.id, state: 'delivered', attempts: 1, status: 204 }] } })
    expect(await server.ask(OPERATOR, 'POST', `${path}/${sent.json.id}/retry`)).toMatchObject({ status: 202, json: { id: sent.json.id, state: 'pending' } })
    await server.service.webhooks.tick()
    expect(receiver.received).toHaveLength(2)
    expect(await server.ask(OPERATOR, 'GET', `/v1/webhooks/${endpoint.id}`)).toMatchObject({ status: 200, json: endpoint })
    const changed = await server.ask(OPERATOR, 'PATCH', `/v1/webhooks/${endpoint.id}`, { events: ['threshold.reached'] })
    expect(changed).toMatchObject({ status: 200, json: { ...endpoint, events: ['threshold.reached'] } })
    expect((await server.ask(OPERATOR, 'PATCH', `/v1/webhooks/${endpoint.id}`, {})).status).toBe(422)
    expect((await server.ask(OPERATOR, 'PATCH', `/v1/webhooks/${endpoint.id}`, { tenant: 'acme' })).status).toBe(422)
    await server.ask(OPERATOR, 'PATCH', `/v1/webhooks/${endpoint.id}`, { events: endpoint.events })
    const rotated = await server.ask(OPERATOR, 'POST', `/v1/webhooks/${endpoint.id}/rotate`)
    expect(rotated).toMatchObject({ status: 200, json: { endpoint } })
    expect(rotated.json.secret).not.toBe(secret)
    expect((await server.ask(OPERATOR, 'POST', `/v1/webhooks/${endpoint.id}/rotate`, { graceMs: -1 })).status).toBe(422)
    expect(await server.ask(OPERATOR, 'DELETE', `/v1/webhooks/${endpoint.id}`)).toMatchObject({ status: 204, text: '' })
    for (const secretText of [secret, rotated.json.secret]) expect(JSON.stringify(server.logged)).not.toContain(secretText.slice(6))
  })

  it('lists deliveries page by page', async () => {
    server = testApp()
    const receiver = await Receiver.start()
    const { endpoint } = (await server.ask(OPERATOR, 'POST', '/v1/webhooks', { url: receiver.url })).json
    const sent: string[] = []
    for (let count = 0; count < 5; count += 1) sent.push((await server.ask(OPERATOR, 'POST', `/v1/webhooks/${endpoint.id}/test`)).json.id)
    const seen: string[] = []
    let query = '?limit=2'
    for (;;) {
      const { json } = await server.ask(OPERATOR, 'GET', `/v1/webhooks/${endpoint.id}/deliveries${query}`)
      expect(json.items.length).toBeLessThanOrEqual(2)
      seen.push(...json.items.map(({ id }: { id: string }) => id))
      if (json.next === undefined) break
      query = `?limit=2&cursor=${json.next}`
    }
    expect(seen).toHaveLength(5)
    expect([...seen].sort()).toEqual([...sent].sort())
    for (const wrong of ['?limit=0', '?limit=201', '?cursor=x', '?tenant=acme']) expect((await server.ask(OPERATOR, 'GET', `/v1/webhooks/${endpoint.id}/deliveries${wrong}`)).status).toBe(422)
  })

  it('keeps the endpoints of a tenant, and of the operator, from the admins of another', async () => {
    server = testApp()
    const acmes = (await server.ask(ACME, 'POST', '/v1/webhooks', { url: URL })).json.endpoint
    expect(acmes.tenant).toBe('acme')
    const operators = (await server.ask(OPERATOR, 'POST', '/v1/webhooks', { url: URL })).json.endpoint
    const ids = async (as: typeof ACME, query = ''): Promise<string[]> => (await server.ask(as, 'GET', `/v1/webhooks${query}`)).json.items.map(({ id }: { id: string }) => id).sort()
    expect(await ids(ACME)).toEqual([acmes.id])
    expect(await ids(OTHER)).toEqual([])
    expect(await ids(OPERATOR)).toEqual([acmes.id, operators.id].sort())
    expect(await ids(OPERATOR, '?tenant=acme')).toEqual([acmes.id])
    for (const { id } of [acmes, operators]) {
      for (const [method, path, sent] of [['GET', ''], ['PATCH', '', { url: URL }], ['DELETE', ''], ['POST', '/rotate'], ['POST', '/test'], ['GET', '/deliveries'], ['POST', '/deliveries/msg_x/retry']] as const) {
        const none = await server.ask(OTHER, method, `/v1/webhooks/0000000000000000${path}`, sent)
        expect(await server.ask(OTHER, method, `/v1/webhooks/${id}${path}`, sent)).toMatchObject({ status: 404, json: none.json })
      }
    }
    expect((await server.ask(ACME, 'POST', '/v1/webhooks', { url: URL, tenant: 'other' })).status).toBe(403)
    expect((await server.ask(OTHER, 'GET', '/v1/webhooks?tenant=acme')).status).toBe(403)
    expect(await ids(OPERATOR)).toHaveLength(2)
  })

  it('needs the role admin', async () => {
    server = testApp()
    for (const [method, path, sent] of [['POST', '/v1/webhooks', { url: URL }], ['GET', '/v1/webhooks'], ['GET', '/v1/webhooks/x'], ['PATCH', '/v1/webhooks/x', { url: URL }], ['DELETE', '/v1/webhooks/x'], ['POST', '/v1/webhooks/x/rotate', {}], ['POST', '/v1/webhooks/x/test'], ['GET', '/v1/webhooks/x/deliveries'], ['POST', '/v1/webhooks/x/deliveries/y/retry']] as const) {
      for (const as of [caller(['check', 'read']), caller(['read'], 'acme'), caller(['read', 'check'], 'acme', 'ada')]) expect((await server.ask(as, method, path, sent)).status).toBe(403)
      expect((await server.ask(undefined, method, path, sent)).status).toBe(401)
    }
  })

  it.each([
    ['no address', {}, /url/],
    ['another protocol', { url: 'file:///etc/passwd' }, /url/],
    ['an address of this machine', { url: 'http://127.0.0.1:6379/' }, /private network/],
    ['an event that there is not', { url: URL, events: ['x'] }, /events/],
    ['a field that it does not have', { url: URL, secret: 'x' }, /secret/],
  ])('makes none of %s', async (_what, sent, message) => {
    server = testApp({ options: { ...PLAIN_OPTIONS, allowPrivateWebhooks: false } })
    const answer = await server.ask(OPERATOR, 'POST', '/v1/webhooks', sent)
    expect(answer.status).toBe(422)
    expect(answer.text).toMatch(message)
  })
})
