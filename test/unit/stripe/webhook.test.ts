// What the endpoint takes for a delivery and what it refuses, and that each event has its effect once.

import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/index.js'
import { stripeWebhook, StripeTierMapper, StripeTierSync } from '../../../src/stripe/index.js'
import { DAY, storeWith } from '../setting.js'
import { mapper, openStage, SECRET, type Stage } from '../../support/stripe/stage.js'

async function opened(options: Parameters<typeof openStage>[0] = {}) {
  const stage = await openStage(options)
  stage.subscribed('ada')
  const event = stage.newest('customer.subscription.created')
  return { stage, event }
}

/** Hands over a delivery and asserts that it was refused, and that nothing was changed. */
async function refused(stage: Stage, body: string | Uint8Array, header: string | null | undefined, reason: RegExp): Promise<void> {
  const before = await stage.everything('ada')
  const reply = await stage.webhook.handle(body, header)
  expect(reply).toEqual({ status: 400, body: { received: false, error: expect.stringMatching(reason) } })
  expect(await stage.everything('ada')).toEqual(before)
  expect(stage.heard('webhook-refused').at(-1)).toEqual({ reason: reply.body.error })
  expect(JSON.stringify(reply)).not.toContain('whsec')
}

describe('a delivery', () => {
  it('is taken as text and as bytes', async () => {
    const { stage, event } = await opened()
    const { body, header } = stage.signed(event)
    expect(await stage.webhook.handle(new TextEncoder().encode(body), header)).toEqual({ status: 200, body: { received: true, outcome: 'written' } })
    expect((await stage.webhook.handle(Buffer.from(body), header)).body.outcome).toBe('duplicate')
    expect((await stage.webhook.handle(body, header)).body.outcome).toBe('duplicate')
  })

  it('may carry more than ASCII', async () => {
    const stage = await openStage()
    const customer = stage.customer('zoë 🦊 \u2028')
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'], metadata: { note: 'naïve 🦊' } })
    await stage.deliverNew()
    expect(await stage.tierOf('zoë 🦊 \u2028')).toBe('pro')
  })

  it('is taken with either secret while one replaces the other, and with both signatures', async () => {
    const { stage, event } = await opened({ webhook: { secrets: ['whsec_new', 'whsec_old'] } })
    const [old, fresh] = ['whsec_old', 'whsec_new'].map((secret) => stage.signed(event, { secret })) as [{ body: string; header: string }, { header: string }]
    expect((await stage.webhook.handle(old.body, old.header)).body.outcome).toBe('written')
    expect((await stage.webhook.handle(old.body, fresh.header)).body.outcome).toBe('duplicate')
    const [, both] = fresh.header.split(',')
    expect((await stage.webhook.handle(old.body, `${old.header},${both}`)).body.outcome).toBe('duplicate')
    await refused(stage, old.body, stage.signed(event, { secret: SECRET }).header, /by none of the secrets/)
  })

  it('is refused where it is forged', async () => {
    const { stage, event } = await opened()
    const { body, header } = stage.signed(event)
    await refused(stage, body, stage.signed(event, { secret: 'whsec_other' }).header, /by none of the secrets/)
    await refused(stage, body.replace('price_pro', 'price_enterprise'), header, /by none of the secrets/)
    await refused(stage, body, header.replace(/v1=[0-9a-f]{64}/, `v1=${'0'.repeat(64)}`), /by none of the secrets/)
    await refused(stage, body, header.replace('v1=', 'v0='), /by none of the secrets/)
    await refused(stage, body, header.slice(0, -1), /by none of the secrets/)
    await refused(stage, body, `${header.split(',')[0]}`, /by none of the secrets/)
  })

  it('is refused where it was truncated or written anew', async () => {
    const { stage, event } = await opened()
    const { body, header } = stage.signed(event)
    await refused(stage, body.slice(0, -1), header, /raw body/)
    await refused(stage, body.slice(0, 20), header, /raw body/)
    await refused(stage, JSON.stringify(JSON.parse(body)), header, /raw body/)
    await refused(stage, `${body}\n`, header, /raw body/)
    await refused(stage, '', header, /body: is empty/)
    await refused(stage, new Uint8Array(), header, /body: is empty/)
  })

  it('is refused without a signature, or with one that is none', async () => {
    const { stage, event } = await opened()
    const { body, header } = stage.signed(event)
    for (const missing of [undefined, null, '']) await refused(stage, body, missing, /stripe-signature: the header is missing/)
    for (const none of ['x', 't=', 't=abc,v1=0', 'v1=00', `t=1e9,${header.split(',')[1]}`, `t=-1,v1=00`]) await refused(stage, body, none, /stripe-signature: has no timestamp/)
    await refused(stage, body, `${header},t=${stage.nowS()}`, /no timestamp, or more than one/)
  })

  it('is refused where it is longer than any event', async () => {
    const { stage, event } = await opened()
    const long = stage.signed({ ...event, data: { object: { filler: 'x'.repeat(2 ** 20) } } })
    await refused(stage, long.body, long.header, /body: is longer than 524288 bytes/)
    await refused(stage, new TextEncoder().encode(long.body), long.header, /body: is longer/)
    const wide = stage.signed({ ...event, data: { object: { filler: '🦊'.repeat(140_000) } } })
    await refused(stage, wide.body, wide.header, /body: is longer/)
  })

  it('is refused where it is old, and where it claims to come from the future', async () => {
    const { stage, event } = await opened()
    const at = (offset: number) => stage.signed(event, { timestamp: stage.nowS() + offset })
    await refused(stage, at(-301).body, at(-301).header, /signed 301 s ago, and 300 s are tolerated/)
    await refused(stage, at(301).body, at(301).header, /signed -301 s ago/)
    await refused(stage, at(86_400 * 365).body, at(86_400 * 365).header, /Compare the clocks/)
    expect((await stage.webhook.handle(at(-300).body, at(-300).header)).body.outcome).toBe('written')
    expect((await stage.webhook.handle(at(300).body, at(300).header)).body.outcome).toBe('duplicate')
  })

  it('has the tolerance that was configured', async () => {
    const { stage, event } = await opened({ webhook: { tolerance: '10s' } })
    const { body, header } = stage.signed(event)
    stage.clock.advance('11s')
    await refused(stage, body, header, /10 s are tolerated/)
  })

  it.each([
    [true, false, /test events/],
    [false, true, /live events/],
  ])('is refused where livemode is %s and the endpoint takes %s', async (livemode, taken, reason) => {
    const { stage, event } = await opened({ account: { livemode }, webhook: { livemode: taken } })
    const { body, header } = stage.signed(event)
    await refused(stage, body, header, reason)
  })

  it('of live mode is what an endpoint takes unless told otherwise', async () => {
    const { stage, event } = await opened({ account: { livemode: true }, webhook: { livemode: undefined } })
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })

  it.each(['[]', 'null', '7', '"x"', '{}', '{"id":"evt_1"}', '{"id":"evt_1","type":"invoice.paid","livemode":false,"data":{}}', '{"id":"evt_1","type":"invoice.paid","livemode":false,"data":{"object":null}}', '{"id":"evt 1\\n","type":"invoice.paid","livemode":false,"data":{"object":{}}}', '{"id":"evt_1","type":"invoice.paid","livemode":"false","data":{"object":{}}}'])(
    'that is signed and is no event is refused: %s',
    async (body) => {
      const { stage } = await opened()
      const header = stage.client().webhooks.generateTestHeaderString({ payload: body, secret: SECRET, timestamp: stage.nowS() })
      await refused(stage, body, header, /is no event|by none of the secrets/)
    },
  )

  it.each([
    ['of a connected account, where the platform listens', 'acct_1', undefined],
    ['of another connected account', 'acct_1', 'acct_2'],
    ['of the platform, where a connected account is listened to', undefined, 'acct_2'],
  ])('%s is ignored', async (_what, connectedAccount, account) => {
    const { stage, event } = await opened({ account: connectedAccount === undefined ? {} : { connectedAccount }, webhook: { account } })
    const before = await stage.everything('ada')
    expect(await stage.deliver(event)).toEqual({ status: 200, body: { received: true, outcome: 'ignored' } })
    expect(await stage.everything('ada')).toEqual(before)
  })

  it('of the account that is listened to is taken', async () => {
    const { stage, event } = await opened({ account: { connectedAccount: 'acct_1' }, webhook: { account: 'acct_1' } })
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })
})

describe('an event', () => {
  it('that comes twice has its effect once, in whichever process', async () => {
    const { stage, event } = await opened()
    expect((await stage.deliver(event)).body.outcome).toBe('written')
    const before = await stage.everything('ada')
    expect(await stage.deliver(event)).toEqual({ status: 200, body: { received: true, outcome: 'duplicate' } })
    expect(await stage.deliver(event, stage.open())).toEqual({ status: 200, body: { received: true, outcome: 'duplicate' } })
    expect(await stage.everything('ada')).toEqual(before)
  })

  it('that is being handled elsewhere is to be delivered again', async () => {
    const { stage, event } = await opened()
    const other = stage.open()
    const { isHeld, letGo } = stage.holdReply(() => true)
    const handled = stage.deliver(event)
    await isHeld
    expect(await stage.deliver(event, other)).toMatchObject({ status: 503, body: { received: false } })
    expect((await stage.deliver(event)).status).toBe(503)
    letGo()
    expect((await handled).body.outcome).toBe('written')
    expect((await stage.deliver(event, other)).body.outcome).toBe('duplicate')
  })

  it('whose handler died can be claimed again a minute later, not before', async () => {
    const { stage, event } = await opened()
    await stage.store.registry.put('stripe-event', event.id, 'processing', { expected: 0, ttlMs: 60_000 })
    stage.clock.advance(59_999)
    expect((await stage.deliver(event)).status).toBe(503)
    stage.clock.advance(1)
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })

  it('of a handler that was overtaken after its minute is completed by the one that overtook it', async () => {
    const { stage, event } = await opened()
    const other = stage.open()
    const { isHeld, letGo } = stage.holdReply(() => true)
    const slow = stage.deliver(event)
    await isHeld
    stage.clock.advance('59s')
    expect((await stage.deliver(event, other)).status).toBe(503)
    stage.clock.advance('2s')
    expect((await stage.deliver(event, other)).body.outcome).toBe('written')
    letGo()
    await slow
    expect((await stage.deliver(event)).body.outcome).toBe('duplicate')
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('that was handled is known for thirty days', async () => {
    const { stage, event } = await opened()
    await stage.deliver(event)
    stage.clock.set(stage.clock() + 30 * DAY - 1)
    expect((await stage.deliver(event)).body.outcome).toBe('duplicate')
    stage.clock.advance(1)
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })

  it('may be known for longer', async () => {
    const { stage, event } = await opened({ webhook: { eventsKept: '90d' } })
    await stage.deliver(event)
    stage.clock.advance('89d')
    expect((await stage.deliver(event)).body.outcome).toBe('duplicate')
  })
})

describe('a failure', () => {
  it.each([503, 429, 500, 401])('of Stripe with %s is answered 500, announced, and gives the claim back', async (status) => {
    const { stage, event } = await opened()
    stage.standIn.failNext(1, status)
    expect(await stage.deliver(event)).toEqual({ status: 500, body: { received: false, error: expect.not.stringContaining('sk_test') } })
    expect(stage.heard('sync-error')).toHaveLength(1)
    expect(await stage.tierOf('ada')).toBeUndefined()
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })

  it('of any one request of a look writes nothing', async () => {
    const { stage } = await opened()
    const { customer } = stage.subscribed('ada', 'price_tagged')
    stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    const before = await stage.bursar.tracker.getUserBilling('ada')
    stage.account.customers.delete(customer)
    const event = stage.newest('customer.deleted')
    let failed = 0
    for (let nth = 1; ; nth += 1) {
      let asked = 0
      stage.standIn.beforeReply = () => {
        asked += 1
        if (asked >= nth) throw new Error('cut')
      }
      if ((await stage.deliver(event)).status === 200) break
      failed += 1
      expect(await stage.bursar.tracker.getUserBilling('ada')).toEqual(before)
    }
    expect(failed).toBeGreaterThanOrEqual(3)
    expect(await stage.bursar.tracker.getUserBilling('ada')).not.toEqual(before)
  })

  it('of the network is one, and the next delivery works', async () => {
    const { stage, event } = await opened()
    await stage.standIn.stop()
    expect((await stage.deliver(event)).status).toBe(500)
    await stage.standIn.start()
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })

  it.each(['registry', 'directory'] as const)('of the store (%s) is answered 500, and the next delivery works', async (part) => {
    let isAway = false
    const { stage, event } = await opened({
      store: (store) => {
        const guarded = new Proxy(store[part], {
          get(target, name) {
            const value = (target as unknown as Record<PropertyKey, unknown>)[name]
            if (typeof value !== 'function') return value
            return (...args: unknown[]) => {
              if (isAway) throw new Error('store away')
              return value.apply(target, args) as unknown
            }
          },
        })
        return storeWith(store, { [part]: guarded })
      },
    })
    isAway = true
    expect(await stage.deliver(event)).toMatchObject({ status: 500, body: { received: false } })
    expect(stage.heard('sync-error').length).toBeGreaterThan(0)
    isAway = false
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })

  it('leaves no lock behind', async () => {
    const { stage, event } = await opened()
    stage.standIn.failNext(1, 503)
    await stage.deliver(event)
    expect(await stage.everything()).toMatchObject({ facts: { 'stripe-lock': [], 'stripe-event': [] } })
  })
})

describe('a configuration that cannot work', () => {
  it.each<[string, object, RegExp]>([
    ['no secret', { secrets: [] }, /stripe\.secrets: names no secret/],
    ['an empty secret', { secrets: '' }, /stripe\.secrets: one of them is empty/],
    ['an empty secret among others', { secrets: ['whsec_a', ' '] }, /stripe\.secrets/],
    ['a secret with a line break', { secrets: 'whsec_a\n' }, /stripe\.secrets: one of them is empty or has white space/],
    ['a secret that is none', { secrets: 7 }, /stripe\.secrets/],
    ['no tolerance', { tolerance: 0 }, /stripe\.tolerance/],
    ['hardly any tolerance', { tolerance: 999 }, /stripe\.tolerance/],
    ['a tolerance below nothing', { tolerance: -1 }, /stripe\.tolerance/],
    ['an infinite tolerance', { tolerance: Infinity }, /stripe\.tolerance/],
    ['a mode that is none', { livemode: 'false' }, /stripe\.livemode/],
    ['an empty account', { account: '' }, /stripe\.account/],
    ['events kept too shortly', { eventsKept: '29d' }, /stripe\.eventsKept.*30/],
    ['an unknown option', { secret: 'whsec_a' }, /stripe\.secret: is no known option/],
    ['grace that is none', { pastDueGrace: 'soon' }, /stripe\.pastDueGrace/],
    ['grace below nothing', { pastDueGrace: -1 }, /stripe\.pastDueGrace/],
    ['resetOnRenewal that is neither', { resetOnRenewal: 'yes' }, /stripe\.resetOnRenewal/],
    ['findUser that is no function', { findUser: 'userId' }, /stripe\.findUser/],
    ['an empty key', { userKey: '' }, /stripe\.userKey/],
    ['no client', { stripe: undefined }, /stripe\.stripe/],
    ['no mapper', { mapper: {} }, /stripe\.mapper/],
    ['no tracker', { tracker: {} }, /stripe\.tracker/],
    ['a tier that the tracker lacks', { mapper: new StripeTierMapper({ tiers: { free: { budget: {} }, gold: { budget: {} } }, fallbackTier: 'free' }) }, /gives the tier "gold"/],
  ])('is refused by name: %s', async (_what, wrong, message) => {
    const stage = await openStage()
    const config = { stripe: stage.client(), mapper, tracker: stage.bursar.tracker, secrets: SECRET, ...wrong }
    expect(() => stripeWebhook(config as never)).toThrow(message)
    expect(() => stripeWebhook(config as never)).toThrow(InvalidConfigError)
  })

  it('is refused where there is none', () => {
    expect(() => stripeWebhook(undefined as never)).toThrow(InvalidConfigError)
    expect(() => new StripeTierSync(null as never)).toThrow(InvalidConfigError)
  })

  it('names the secret in no message', async () => {
    const stage = await openStage()
    const config = { stripe: stage.client(), mapper, tracker: stage.bursar.tracker, secrets: ['whsec_very secret'] }
    expect(() => stripeWebhook(config)).toThrow(expect.not.objectContaining({ message: expect.stringContaining('very') }))
  })
})
