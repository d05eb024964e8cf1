// What happens seldom, and must go right all the same: odd invoices, odd tenants, customers without number, and renewals that are
// paid late or not at all.

import { describe, expect, it } from 'vitest'
import { issue } from '../../../examples/stripe-stand-in/invoices.js'
import { StripeTierMapper } from '../../../src/stripe/index.js'
import { storeWith } from '../setting.js'
import { mapper, openStage, type Tier } from '../../support/stripe/stage.js'

type Stage = Awaited<ReturnType<typeof openStage>>

const HOUR = 3_600_000
const DAY_S = 86_400

const billingOf = async (stage: Stage) => stage.bursar.tracker.getUserBilling('ada')
const spentToday = async (stage: Stage) => (await stage.bursar.tracker.getPeriodCosts('ada', 'daily')).cost

/** A subscriber who has spent 7 since the renewal, of which nobody has heard yet. */
async function aboutToRenew(): Promise<{ stage: Stage; customer: string; subscription: string; renew: (invoice: 'draft' | 'open' | 'paid') => void }> {
  const stage = await openStage({ webhook: { resetOnRenewal: true } })
  const { customer, subscription } = stage.subscribed('ada')
  await stage.deliverNew()
  stage.clock.set(((await billingOf(stage))?.period?.endsAt.getTime() ?? 0) + HOUR)
  await stage.bursar.tracker.addCost({ userId: 'ada', cost: 7 })
  const { book } = stage.account
  const renew = (invoice: 'draft' | 'open' | 'paid'): void => {
    const live = book.get('subscription', subscription)
    book.update('customer.subscription.updated', live, () => {
      for (const item of live.items.data) Object.assign(item, { current_period_start: item.current_period_end, current_period_end: item.current_period_end + 28 * DAY_S })
      issue(book, live, invoice, 'subscription_cycle')
      if (invoice === 'open') live.status = 'past_due'
    })
  }
  return { stage, customer, subscription, renew }
}

function becomes(stage: Stage, subscription: string, status: string, invoice: 'open' | 'paid'): void {
  const { book } = stage.account
  const live = book.get('subscription', subscription)
  book.get('invoice', live.latest_invoice as string).status = invoice
  stage.account.subscriptions.setStatus(subscription, status)
}

describe('a renewal', () => {
  it('begins windows anew once it is paid, and not when Stripe has only written the invoice', async () => {
    const { stage, subscription, renew } = await aboutToRenew()
    renew('draft')
    await stage.deliverNew()
    expect(await spentToday(stage)).toBe(7)
    expect((await billingOf(stage))?.restartDue).toBeInstanceOf(Date)
    becomes(stage, subscription, 'active', 'paid')
    await stage.deliverNew()
    expect(await spentToday(stage)).toBe(0)
    expect((await billingOf(stage))?.restartDue).toBeUndefined()
  })

  it.each([['past_due'], ['past_due', 'unpaid']])('that was overdue (%j) begins them when it is paid at last', async (...statuses) => {
    const { stage, subscription, renew } = await aboutToRenew()
    renew('open')
    for (const status of statuses) {
      becomes(stage, subscription, status, 'open')
      await stage.deliverNew()
      expect(await spentToday(stage), status).toBe(7)
    }
    becomes(stage, subscription, 'active', 'paid')
    await stage.deliverNew()
    expect(await spentToday(stage)).toBe(0)
  })

  it('that waits for its payment is not forgotten by a look that understands nothing', async () => {
    const { stage, customer, subscription, renew } = await aboutToRenew()
    renew('open')
    await stage.deliverNew()
    const without = new StripeTierMapper<Tier>({ tiers: { free: { budget: {} }, pro: { budget: {} }, enterprise: { budget: {} } }, fallbackTier: 'free' })
    await stage.open({ mapper: without }).webhook.sync.syncUser(customer)
    becomes(stage, subscription, 'active', 'paid')
    await stage.deliverNew()
    expect(await spentToday(stage)).toBe(0)
  })

  it('is not what a change of price within a period is, however often it is changed', async () => {
    const stage = await openStage({ webhook: { resetOnRenewal: true } })
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    for (const [from, to] of [['price_pro', 'price_pro_yearly'], ['price_pro_yearly', 'price_pro']] as const) {
      stage.clock.advance('1h')
      await stage.bursar.tracker.addCost({ userId: 'ada', cost: 4 })
      stage.account.subscriptions.changeItems(subscription, { replace: { [from]: to } })
      await stage.deliverNew()
    }
    expect(await spentToday(stage)).toBe(8)
  })
})

describe('an invoice that is sent by mail', () => {
  it('is overdue from when it is due, not from when it was written', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.payments.failPayment(subscription, { renews: false })
    const { book } = stage.account
    const invoice = book.get('invoice', book.get('subscription', subscription).latest_invoice as string)
    const dueS = Math.floor(stage.clock() / 1_000) + 30 * DAY_S
    Object.assign(invoice, { due_date: dueS })
    stage.clock.advance('30d')
    await stage.deliverNew()
    expect(await billingOf(stage)).toMatchObject({ standing: 'grace', pastDueFrom: new Date((dueS + 3 * DAY_S) * 1_000) })
  })
})

describe('a price that nothing maps', () => {
  it('keeps the tier, and says how its subscription stands', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.account.payments.failPayment(subscription)
    await stage.deliverNew()
    stage.clock.advance('10d')
    expect((await billingOf(stage))?.standing).toBe('past_due')
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_mystery' } })
    stage.account.payments.payInvoice(subscription)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(await billingOf(stage)).toMatchObject({ standing: 'active', price: 'price_mystery', subscription })
  })
})

describe('a tenant', () => {
  it('that stands on the customer is that of the checkout’s user too', async () => {
    const stage = await openStage()
    const customer = stage.account.customers.create({ metadata: { tenant: 'acme' } })
    stage.account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'ada', customer })
    await stage.deliverNew()
    expect([await stage.bursar.tracker.getUserTier({ userId: 'ada', tenant: 'acme' }), await stage.tierOf('ada')]).toEqual(['pro', undefined])
    expect(stage.heard('binding-refused')).toEqual([])
  })

  it('that is no id names nobody, and least of all the user without a tenant', async () => {
    const stage = await openStage()
    const customer = stage.account.customers.create({ metadata: { userId: 'ada', tenant: 'x'.repeat(300) } })
    stage.account.subscriptions.create({ customer, priceIds: ['price_enterprise'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBeUndefined()
    expect(stage.heard('parked').length).toBeGreaterThan(0)
  })
})

describe('a checkout that Stripe does not list yet', () => {
  it('names the user by itself', async () => {
    const stage = await openStage()
    const { session } = stage.account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'ada' })
    const event = stage.newest('checkout.session.completed')
    stage.account.book.get('checkout.session', session).status = 'open'
    expect((await stage.deliver(event)).body.outcome).toBe('written')
    expect(await stage.tierOf('ada')).toBe('pro')
  })
})

describe('many customers of one user', () => {
  it('are asked about one after the other, and a reconcile looks at them once', async () => {
    const stage = await openStage()
    const made = Array.from({ length: 12 }, () => stage.subscribed('ada').customer)
    for (const customer of made) await stage.webhook.sync.syncUser(customer)
    let asked = 0
    let most = 0
    stage.standIn.beforeReply = async () => {
      most = Math.max(most, (asked += 1))
      await new Promise((resolve) => setImmediate(resolve))
      asked -= 1
    }
    await stage.webhook.sync.syncUser(made[0] as string)
    expect(most).toBe(1)
    stage.standIn.requests.length = 0
    expect(await stage.webhook.sync.syncAll()).toEqual({ customers: 12, parked: 0, failed: [] })
    // Four are looked at at a time, before the first look has said whom else it was at.
    expect(stage.standIn.requests.length).toBeLessThanOrEqual(4 * 12 + 2)
  })

  it('may have one among them that is no more to be found', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    await expect(stage.webhook.sync.bind('cus_typo', 'ada')).rejects.toThrow(/No such customer/)
    await stage.store.registry.put('stripe-customers', 'user//ada', JSON.stringify([customer, 'cus_wiped']), { expected: (await stage.store.registry.get('stripe-customers', 'user//ada'))?.version ?? 0 })
    stage.account.subscriptions.cancel(subscription)
    expect(await stage.deliverNew()).toEqual(['written'])
    expect(await stage.tierOf('ada')).toBe('free')
  })
})

describe('a crash after windows were begun anew', () => {
  it('wipes nothing that was spent since, also where Stripe’s clock is ahead', async () => {
    let killed = false
    const stage = await openStage({
      webhook: { resetOnRenewal: true },
      store: (store) =>
        storeWith(store, {
          restart: async (request: Parameters<typeof store.restart>[0]) => {
            const reply = await store.restart(request)
            if (!killed) {
              killed = true
              throw new Error('killed')
            }
            return reply
          },
        }),
    })
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    const { book } = stage.account
    const live = book.get('subscription', subscription)
    // The period begins five seconds from now, by this clock.
    stage.clock.set(((await billingOf(stage))?.period?.endsAt.getTime() ?? 0) - 5_000)
    await stage.bursar.tracker.addCost({ userId: 'ada', cost: 7 })
    book.update('customer.subscription.updated', live, () => {
      for (const item of live.items.data) Object.assign(item, { current_period_start: item.current_period_end, current_period_end: item.current_period_end + 30 * DAY_S })
    })
    await expect(stage.webhook.sync.syncUser(customer)).rejects.toThrow('killed')
    stage.clock.advance('1s')
    await stage.bursar.tracker.addCost({ userId: 'ada', cost: 5 })
    stage.clock.advance('1s')
    await stage.webhook.sync.syncUser(customer)
    expect([await spentToday(stage), (await billingOf(stage))?.restartDue]).toEqual([5, undefined])
  })
})

describe('a body that is not byte by byte what was signed', () => {
  it('is refused: with a byte order mark, or with bytes that decode to the same text', async () => {
    const stage = await openStage()
    const customer = stage.customer('ada', { name: '\ufffd' })
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'], metadata: { name: '\ufffd' } })
    const { body, header } = stage.signed(stage.newest('customer.subscription.created'))
    const bytes = Buffer.from(body)
    const at = bytes.indexOf(Buffer.from('\ufffd'))
    expect(at).toBeGreaterThan(0)
    for (const altered of [Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes]), Buffer.concat([bytes.subarray(0, at), Buffer.from([0xff]), bytes.subarray(at + 3)]), `\ufeff${body}`]) {
      expect((await stage.webhook.handle(altered, header)).status).toBe(400)
    }
    expect((await stage.webhook.handle(bytes, header)).status).toBe(200)
  })
})

describe('failures that nobody listens for', () => {
  it('are warned of, once', async () => {
    const stage = await openStage()
    stage.subscribed('ada')
    const deaf = stage.open({}, false)
    const event = stage.newest('customer.subscription.created')
    for (let time = 0; time < 2; time += 1) {
      stage.standIn.failNext(1, 401)
      expect((await stage.deliver(event, deaf)).status).toBe(500)
      await deaf.webhook.handle('{}', 't=1,v1=a')
    }
    expect(deaf.warned.map((warning) => /a look at cus_\w+ failed|a delivery to the webhook was refused/.exec(warning)?.[0].replace(/cus_\w+/, 'cus'))).toEqual(['a look at cus failed', 'a delivery to the webhook was refused'])
  })
})

describe('syncAll', () => {
  it('says that a list failed, and what it did all the same', async () => {
    const list = (): AsyncIterable<never> => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('the list is away')) }) })
    const stage = await openStage({
      store: (store) => storeWith(store, { registry: { get: store.registry.get.bind(store.registry), put: store.registry.put.bind(store.registry), list } }),
    })
    stage.subscribed('ada')
    stage.subscribed('bob')
    expect(await stage.webhook.sync.syncAll()).toMatchObject({ customers: 2, failed: [{ customer: undefined, error: expect.objectContaining({ message: 'the list is away' }) }] })
    expect(await stage.tierOf('bob')).toBe('pro')
  })
})

describe('a client that is none', () => {
  it.each<[string, unknown, RegExp]>([
    ['the secret key', 'sk_live_51Secret', /stripe\.stripe: is a string without customers\.retrieve\(\)/],
    ['half a client', { customers: { retrieve() {}, list() {} }, subscriptions: {}, webhooks: {} }, /without subscriptions\.list\(\)/],
  ])('is refused without its value: %s', async (_what, stripe, message) => {
    const stage = await openStage()
    const open = (): unknown => stage.open({ stripe: stripe as never, mapper })
    expect(open).toThrow(message)
    expect(open).not.toThrow(/51Secret/)
  })
})
