// Every event that means something leads to a look, and no other does; what an event carries is never believed.

import { describe, expect, it } from 'vitest'
import { STRIPE_EVENTS } from '../../../src/stripe/index.js'
import { entriesOf } from '../setting.js'
import { openStage } from '../../support/stripe/stage.js'

const SPECIFIED = [
  ...['created', 'updated', 'deleted', 'paused', 'resumed', 'pending_update_applied', 'pending_update_expired', 'trial_will_end'].map((name) => `customer.subscription.${name}`),
  ...['paid', 'payment_failed', 'payment_action_required', 'marked_uncollectible', 'voided'].map((name) => `invoice.${name}`),
  ...['aborted', 'canceled', 'completed', 'created', 'expiring', 'released', 'updated'].map((name) => `subscription_schedule.${name}`),
  'checkout.session.completed',
  'checkout.session.async_payment_succeeded',
  'customer.deleted',
]

describe('an event', () => {
  it('is one of a list that can be handed to Stripe', () => {
    expect([...STRIPE_EVENTS].sort()).toEqual([...SPECIFIED, 'customer.updated'].sort())
    expect(Object.isFrozen(STRIPE_EVENTS)).toBe(true)
  })

  it.each([...SPECIFIED, 'subscription_schedule.invented_later'])('%s makes somebody look', async (type) => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    const object = type === 'customer.deleted' ? { id: customer, object: 'customer' } : { id: 'x', customer }
    expect(await stage.deliver(stage.made(type, object))).toEqual({ status: 200, body: { received: true, outcome: 'written' } })
    expect(await stage.tierOf('ada')).toBe('pro')
    expect((await stage.bursar.tracker.getUserBilling('ada'))?.reason).toMatch(new RegExp(`^${type} evt_`))
  })

  it.each(['customer.created', 'customer.source.updated', 'invoice.created', 'invoice.finalized', 'payment_intent.succeeded', 'checkout.session.expired', 'checkout.session.async_payment_failed', 'product.updated', 'constructor', ''])(
    '"%s" is answered 200 without a question to Stripe, and leaves nothing',
    async (type) => {
      const stage = await openStage()
      const { customer } = stage.subscribed('ada')
      const before = await stage.everything('ada')
      expect(await stage.deliver(stage.made(type, { id: customer, customer }))).toEqual({ status: 200, body: { received: true, outcome: 'ignored' } })
      expect(await stage.everything('ada')).toEqual(before)
    },
  )

  it.each([{ id: 'in_1' }, { id: 'in_1', customer: null }, { id: 'in_1', customer: '' }, { id: 'in_1', customer: 7 }, { id: 'in_1', customer: {} }])('about nobody is ignored: %j', async (object) => {
    const stage = await openStage()
    stage.customer('ada')
    expect((await stage.deliver(stage.made('invoice.paid', object))).body.outcome).toBe('ignored')
    expect(stage.standIn.requests).toEqual([])
  })

  it('about an expanded customer finds it', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliver(stage.made('invoice.paid', { id: 'in_1', customer: { id: customer, object: 'customer' } }))
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('about a customer that Stripe does not know is a failure, and leaves nothing: the key may be another account’s', async () => {
    const stage = await openStage()
    stage.customer('ada')
    expect((await stage.deliver(stage.made('invoice.paid', { id: 'in_1', customer: 'cus_never' }))).status).toBe(500)
    expect(stage.heard('sync-error')).toEqual([{ customer: 'cus_never', error: expect.objectContaining({ code: 'resource_missing' }) }])
    expect((await stage.everything()) as object).toMatchObject({ facts: { 'stripe-customer': [], 'stripe-event': [], 'stripe-lock': [], 'stripe-parked': [] } })
  })

  it('is not believed: an old one that says "active" finds the subscription cancelled', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    const created = stage.newest('customer.subscription.created')
    stage.account.subscriptions.cancel(subscription)
    await stage.deliver(created)
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('comes in any order, and more than once, to the same end', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_enterprise' } })
    stage.account.payments.failPayment(subscription)
    stage.account.payments.payInvoice(subscription)
    const events = [...stage.account.events]
    for (const event of [...events.toReversed(), ...events]) expect((await stage.deliver(event)).status).toBe(200)
    expect(await stage.bursar.tracker.getUserBilling('ada')).toMatchObject({ subscription, standing: 'active', price: 'price_enterprise' })
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('that changed nothing keeps the reason and the time of the change', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    await stage.deliver(stage.newest('customer.subscription.created'))
    const first = await stage.bursar.tracker.getUserBilling('ada')
    stage.clock.advance('1h')
    stage.account.subscriptions.updateMetadata(subscription, { note: 'x' })
    await stage.deliverNew()
    expect(await stage.bursar.tracker.getUserBilling('ada')).toEqual({ ...first, fence: expect.any(Number) })
  })

  it('announces a change of tier once, and the ledger has its reason', async () => {
    const stage = await openStage()
    const changes: object[] = []
    stage.bursar.tracker.events.on('tier-changed', (change) => void changes.push(change))
    stage.subscribed('ada')
    await stage.deliverNew()
    expect(changes).toHaveLength(1)
    expect(changes[0]).toEqual({ user: { userId: 'ada' }, from: undefined, to: 'pro' })
    const entries = await entriesOf(stage.bursar.tracker)
    expect(JSON.stringify(entries)).toMatch(/customer\.subscription\.created evt_/)
  })

  it('survives listeners that throw', async () => {
    const stage = await openStage()
    stage.webhook.sync.events.on('synced', () => {
      throw new Error('listener')
    })
    stage.subscribed('ada')
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(stage.heard('listener-error').length).toBeGreaterThan(0)
  })
})
