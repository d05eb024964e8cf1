// Faults that the Stripe sync has had: each case is the smallest that shows one.

import { Agent } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { issue } from '../../../examples/stripe-stand-in/invoices.js'
import { StripeTierMapper } from '../../../src/stripe/index.js'
import { DAY, storeWith } from '../setting.js'
import { listening, sendTo } from '../../support/stripe/sending.js'
import { openStage } from '../../support/stripe/stage.js'

describe('what was wrong once', () => {
  it.each(['whole', 'chunked'] as const)('a megabyte that was refused (%s) leaves its connection fit for the next delivery', async (sending) => {
    const stage = await openStage()
    stage.subscribed('ada')
    const { body, header } = stage.signed(stage.newest('customer.subscription.created'))
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const send = sendTo(await listening((request, response) => void stage.webhook.express(request, response)), agent)
    expect((await send('x'.repeat(2 ** 20), { 'stripe-signature': header }, sending)).status).toBe(400)
    expect((await send(body, { 'stripe-signature': header })).status).toBe(200)
  })

  it('two first customers of one user both count, although the first to be listed draws its number last', async () => {
    let first = ''
    let goOn = (): void => {}
    let wait: Promise<void> | undefined
    let reached = (): void => {}
    const isReached = new Promise<void>((resolve) => (reached = resolve))
    const stage = await openStage({
      store: (store) => {
        const { registry } = store
        const slow = {
          get: registry.get.bind(registry),
          list: registry.list.bind(registry),
          put: async (...args: Parameters<typeof registry.put>) => {
            const [kind, key, value, { expected }] = args
            // The number of the first customer's look, drawn anew after the customer was listed.
            if (kind === 'stripe-lock' && key === first && value !== null && expected > 0 && wait !== undefined) {
              reached()
              await wait
            }
            return registry.put(...args)
          },
        }
        return storeWith(store, { registry: slow })
      },
    })
    const [{ customer: a }, { customer: b }] = [stage.subscribed('ada'), stage.subscribed('ada', 'price_enterprise')]
    first = a
    wait = new Promise<void>((resolve) => (goOn = resolve))
    const other = stage.open()
    const slowLook = stage.webhook.sync.syncUser(a)
    await isReached
    await other.webhook.sync.syncUser(b)
    expect(await stage.tierOf('ada')).toBe('enterprise')
    goOn()
    await slowLook
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('a key of another account, or of the other mode, buries nobody', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    const elsewhere = await openStage()
    const mistaken = stage.open({ stripe: elsewhere.client() })
    await mistaken.webhook.sync.syncAll().catch(() => {})
    expect(await stage.tierOf('ada')).toBe('pro')
    await stage.webhook.sync.syncUser(customer)
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('findUser decides alone: a client_reference_id that it does not take binds nobody', async () => {
    const stage = await openStage({ webhook: { findUser: () => undefined } })
    stage.account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'order-4711' })
    await stage.deliverNew()
    expect(await stage.tierOf('order-4711')).toBeUndefined()
    expect(stage.heard('parked').length).toBeGreaterThan(0)
  })

  it('a payment that stays overdue over a renewal gets no second grace', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.account.payments.failPayment(subscription)
    await stage.deliverNew()
    stage.clock.advance('30d')
    expect((await stage.bursar.tracker.getUserBilling('ada'))?.standing).toBe('past_due')
    const { book } = stage.account
    const live = book.get('subscription', subscription)
    book.update('customer.subscription.updated', live, () => void issue(book, live, 'open', 'subscription_cycle'))
    await stage.deliverNew()
    expect((await stage.bursar.tracker.getUserBilling('ada'))?.standing).toBe('past_due')
  })

  it('a position that is added with a period of its own wipes nothing', async () => {
    const stage = await openStage({ webhook: { resetOnRenewal: true } })
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.clock.advance('1h')
    await stage.bursar.tracker.addCost({ userId: 'ada', cost: 3 })
    stage.account.subscriptions.changeItems(subscription, { add: ['price_enterprise_yearly'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
    expect((await stage.bursar.tracker.getPeriodCosts('ada', 'daily')).cost).toBe(3)
  })

  it('tierForSubscription passes over what is ignored, as the sync does', async () => {
    const own = new StripeTierMapper({ tiers: { free: { budget: {} }, pro: { products: ['prod_pro'], budget: {} } }, fallbackTier: 'free', ignored: ['price_addon'] })
    const price = { id: 'price_addon', product: 'prod_pro' }
    expect(own.tierForSubscription({ id: 'sub_1', status: 'active', created: 0, items: { data: [{ id: 'si_1', price }] } })).not.toBe('pro')
  })

  it('three parked customers whose look fails do not keep the fourth waiting for ever', async () => {
    const bad = new Set<string>()
    const known = new Map<string, string>()
    const stage = await openStage({
      webhook: {
        findUser: ({ customer: { id } }) => {
          if (bad.has(id)) throw new Error('the application knows no such customer')
          return known.get(id)
        },
      },
    })
    const customers = Array.from({ length: 4 }, () => stage.account.customers.create())
    for (const customer of customers) stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    await stage.deliverNew()
    for (const customer of customers.slice(0, 3)) bad.add(customer)
    known.set(customers[3] as string, 'ada')
    known.set(stage.account.customers.create(), 'bob')
    const bob = [...known.keys()][1] as string
    const subscription = stage.account.subscriptions.create({ customer: bob, priceIds: ['price_pro'] })
    for (let day = 0; day < 3; day += 1) {
      stage.clock.set(stage.clock() + DAY)
      stage.account.subscriptions.updateMetadata(subscription, { day: String(day) })
      await stage.deliverNew()
    }
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('no body at all is refused as what it is: 400, and not a failure that Stripe repeats', async () => {
    const stage = await openStage()
    for (const body of [undefined, null, {}, 7]) expect(await stage.webhook.handle(body as never, 't=1,v1=a')).toMatchObject({ status: 400 })
  })

  it('a request whose body somebody is reading is answered, not rejected', async () => {
    const stage = await openStage()
    const request = new Request('http://localhost/', { method: 'POST', body: '{}' })
    request.body?.getReader()
    expect((await stage.webhook(request)).status).toBe(400)
  })

  it('a list that fails keeps syncAll from nobody that is bound', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.subscriptions.cancel(subscription)
    stage.standIn.failNext(1, 503)
    const result = await stage.webhook.sync.syncAll().catch((error: unknown) => error)
    expect(result).toMatchObject({ failed: [expect.anything()] })
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('a checkout that was never paid leaves a tier that somebody else gave', async () => {
    const stage = await openStage()
    await stage.bursar.tracker.setUserTier('ada', 'enterprise')
    stage.subscribed('ada', 'price_pro', { status: 'incomplete' })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('a failure after the look is announced too', async () => {
    let fails = true
    const stage = await openStage({
      store: (store) => {
        const { registry } = store
        const failing = {
          get: registry.get.bind(registry),
          list: registry.list.bind(registry),
          put: (...args: Parameters<typeof registry.put>) => {
            const [kind, , value, { expected }] = args
            if (fails && kind === 'stripe-event' && value !== null && expected > 0) {
              fails = false
              throw new Error('store away')
            }
            return registry.put(...args)
          },
        }
        return storeWith(store, { registry: failing })
      },
    })
    stage.subscribed('ada')
    const event = stage.newest('customer.subscription.created')
    expect((await stage.deliver(event)).status).toBe(500)
    expect(stage.heard('sync-error')).toEqual([{ customer: expect.stringMatching(/^cus_/), error: expect.objectContaining({ message: 'store away' }) }])
    expect((await stage.deliver(event)).body.outcome).toBe('written')
  })
  it('a renewal that was not paid buys no fresh budget', async () => {
    const stage = await openStage({ webhook: { resetOnRenewal: true } })
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.clock.set(Date.UTC(2026, 1, 15, 11, 30))
    await stage.bursar.tracker.addCost({ userId: 'ada', cost: 5 })
    stage.clock.set(Date.UTC(2026, 1, 15, 12))
    stage.account.payments.failPayment(subscription)
    await stage.deliverNew()
    expect((await stage.bursar.tracker.getPeriodCosts('ada', 'daily')).cost).toBe(5)
  })

  it('a checkout that names the same user without the tenant is no alarm', async () => {
    const stage = await openStage()
    const customer = stage.customer('ada', { tenant: 'acme' })
    stage.account.completeCheckout({ customer, priceIds: ['price_pro'], clientReferenceId: 'ada' })
    await stage.deliverNew()
    expect(stage.heard('binding-refused')).toEqual([])
  })

  it('the reference of a checkout that buys no subscription names no user: it may be an order', async () => {
    const stage = await openStage()
    const { session } = stage.account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'order-4711' })
    Object.assign(stage.account.book.get('checkout.session', session), { mode: 'payment' })
    await stage.deliver(stage.newest('customer.subscription.created'))
    expect(await stage.tierOf('order-4711')).toBeUndefined()
  })

  it('a cause that is too long is refused by its name', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await expect(stage.webhook.sync.syncUser(customer, 'x'.repeat(600))).rejects.toThrow(/cause/)
  })
})
