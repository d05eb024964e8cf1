// The account behind the stand-in for Stripe: it changes step by step as Stripe's do, and tells of it in Stripe's events.

import type Stripe from 'stripe'
import { beforeEach, describe, expect, it } from 'vitest'
import { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import { nextBillingS } from '../../../examples/stripe-stand-in/billing-cycle.js'
import type { AccountEvent, AccountOptions } from '../../../examples/stripe-stand-in/book.js'

let nowMs = 0

function accountWithPrices(options: Partial<AccountOptions> = {}): StripeAccount {
  nowMs = Date.UTC(2027, 0, 31, 12)
  const account = new StripeAccount({ clock: () => nowMs, ...options })
  account.addProduct({ id: 'prod_pro', metadata: { tier: 'pro' } })
  account.addPrice({ id: 'price_pro', product: 'prod_pro', lookupKey: 'pro', interval: 'month', unitAmount: 2_000 })
  account.addPrice({ id: 'price_team', product: 'prod_pro', interval: 'month', unitAmount: 5_000 })
  account.addPrice({ id: 'price_year', product: 'prod_pro', interval: 'year', unitAmount: 20_000 })
  return account
}

const seconds = (iso: string): number => Date.parse(iso) / 1_000
const iso = (atS: number): string => new Date(atS * 1_000).toISOString().slice(0, 10)

describe('the account', () => {
  let account: StripeAccount
  beforeEach(() => void (account = accountWithPrices()))

  const subscribed = (priceIds = ['price_pro'], more: { status?: string; trialDays?: number } = {}): string =>
    account.subscriptions.create({ customer: account.customers.create(), priceIds, ...more })
  const subscription = (id: string): Stripe.Subscription => account.show(id) as unknown as Stripe.Subscription
  const invoiceOf = (id: string): Stripe.Invoice => account.show(subscription(id).latest_invoice as string) as unknown as Stripe.Invoice
  const period = (id: string, item = 0): string[] => {
    const { current_period_start: startS, current_period_end: endS } = subscription(id).items.data[item] as Stripe.SubscriptionItem
    return [iso(startS), iso(endS)]
  }
  const eventsOf = (act: () => unknown): AccountEvent[] => {
    const before = account.events.length
    act()
    return account.events.slice(before)
  }
  const typesOf = (act: () => unknown): string[] => eventsOf(act).map(({ type }) => type)

  it('tells of a checkout in the order in which things come to be', () => {
    const types = typesOf(() => account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'user-1' }))
    expect(types).toEqual(['customer.created', 'customer.subscription.created', 'invoice.paid', 'checkout.session.completed'])
    expect(account.events.at(-1)?.data.object).toMatchObject({ mode: 'subscription', status: 'complete', payment_status: 'paid', client_reference_id: 'user-1' })
  })

  it('puts an order of a customer it knows under that customer, and its metadata where they belong', () => {
    const customer = account.customers.create({ email: 'a@example.com' })
    const order = { priceIds: ['price_pro'], customer, metadata: { from: 'session' }, subscriptionMetadata: { user: 'u' }, trialDays: 14 }
    const made = account.completeCheckout(order)
    expect(made.customer).toBe(customer)
    expect(account.show(made.session)).toMatchObject({ customer, metadata: { from: 'session' }, payment_status: 'no_payment_required' })
    expect(account.show(made.subscription)).toMatchObject({ status: 'trialing', metadata: { user: 'u' }, latest_invoice: made.invoice })
    expect(account.show(made.invoice)).toMatchObject({ status: 'paid', total: 0 })
  })

  it('renews at the end of months that are too short, and comes back to its own day', () => {
    const id = subscribed()
    const periods = [period(id)]
    for (let month = 0; month < 3; month += 1) {
      expect(typesOf(() => account.subscriptions.renew(id))).toEqual(['customer.subscription.updated', 'invoice.paid'])
      periods.push(period(id))
    }
    expect(periods).toEqual([
      ['2027-01-31', '2027-02-28'],
      ['2027-02-28', '2027-03-31'],
      ['2027-03-31', '2027-04-30'],
      ['2027-04-30', '2027-05-31'],
    ])
  })

  it.each([
    ['a leap day, yearly', '2028-02-29T08:00:00Z', '2028-02-29T08:00:00Z', { interval: 'year', intervalCount: 1 } as const, '2029-02-28T08:00:00.000Z'],
    ['a leap day, four years on', '2028-02-29T08:00:00Z', '2031-02-28T08:00:00Z', { interval: 'year', intervalCount: 1 } as const, '2032-02-29T08:00:00.000Z'],
    ['quarters', '2027-11-30T00:00:00Z', '2027-11-30T00:00:00Z', { interval: 'month', intervalCount: 3 } as const, '2028-02-29T00:00:00.000Z'],
    ['fortnights', '2027-01-01T00:00:00Z', '2027-01-29T00:00:00Z', { interval: 'week', intervalCount: 2 } as const, '2027-02-12T00:00:00.000Z'],
    ['an anchor that is yet to come', '2027-03-15T00:00:00Z', '2027-03-01T00:00:00Z', { interval: 'month', intervalCount: 1 } as const, '2027-03-15T00:00:00.000Z'],
    ['an instant before the anchor', '2027-03-31T12:00:00Z', '2027-04-30T11:59:59Z', { interval: 'month', intervalCount: 1 } as const, '2027-04-30T12:00:00.000Z'],
  ])('bills on the right day: %s', (_what, anchor, after, cadence, expected) => {
    expect(new Date(nextBillingS(seconds(anchor), seconds(after), cadence) * 1_000).toISOString()).toBe(expected)
  })

  it('ends a trial with its first renewal, which is paid for', () => {
    const id = subscribed(['price_pro'], { trialDays: 10 })
    expect([subscription(id).status, period(id), invoiceOf(id).total]).toEqual(['trialing', ['2027-01-31', '2027-02-10'], 0])
    account.subscriptions.renew(id)
    expect([subscription(id).status, period(id), invoiceOf(id).total]).toEqual(['active', ['2027-02-10', '2027-03-10'], 2_000])
  })

  it('renews first what ends first where items are billed unequally often', () => {
    const id = subscribed(['price_pro', 'price_year'])
    account.subscriptions.renew(id)
    expect([period(id, 0), period(id, 1)]).toEqual([['2027-02-28', '2027-03-31'], ['2027-01-31', '2028-01-31']])
  })

  it('says what an item was before, and keeps its id, when its price changes', () => {
    const id = subscribed()
    const item = subscription(id).items.data[0]
    const [event, ...more] = eventsOf(() => account.subscriptions.changeItems(id, { replace: { price_pro: 'price_team' } }))
    expect(more).toEqual([])
    expect(event?.data.object).toMatchObject({ items: { data: [{ id: item?.id, price: { id: 'price_team' }, plan: { id: 'price_team' } }] } })
    expect(event?.data.previous_attributes).toEqual({ items: { data: [item] } })
  })

  it('adds and removes items, and begins a new period when the interval changes', () => {
    const id = subscribed()
    account.subscriptions.changeItems(id, { add: ['price_team'] })
    account.subscriptions.changeItems(id, { remove: ['price_pro'] })
    expect(subscription(id).items.data.map(({ price }) => price.id)).toEqual(['price_team'])
    nowMs = Date.UTC(2027, 1, 10)
    expect(typesOf(() => account.subscriptions.changeItems(id, { replace: { price_team: 'price_year' } }))).toEqual(['customer.subscription.updated', 'invoice.paid'])
    expect(period(id)).toEqual(['2027-02-10', '2028-02-10'])
    expect(() => account.subscriptions.changeItems(id, { remove: ['price_pro'] })).toThrow('no item with the price price_pro')
    expect(() => account.subscriptions.changeItems(id, { add: ['price_year'] })).toThrow('has the price price_year already')
  })

  it('never changes what an event said', () => {
    const id = subscribed()
    const [created] = account.events.filter(({ type }) => type === 'customer.subscription.created')
    const said = structuredClone(created)
    account.subscriptions.changeItems(id, { replace: { price_pro: 'price_team' } })
    account.subscriptions.updateMetadata(id, { user: 'u' })
    account.subscriptions.cancel(id)
    expect(created).toEqual(said)
  })

  it('sets metadata field by field, and says which fields there were', () => {
    const customer = account.customers.create({ metadata: { user: 'a', plan: 'x' } })
    const [event] = eventsOf(() => account.customers.updateMetadata(customer, { user: 'b', plan: '', team: 't' }))
    expect(event).toMatchObject({ type: 'customer.updated', data: { object: { metadata: { user: 'b', team: 't' } } } })
    expect(event?.data.previous_attributes).toEqual({ metadata: { user: 'a', plan: 'x', team: null } })
  })

  it('begins the next period although it is not paid for, and counts the attempts on one invoice', () => {
    const id = subscribed()
    const paid = subscription(id).latest_invoice
    expect(typesOf(() => account.payments.failPayment(id))).toEqual(['invoice.payment_failed', 'customer.subscription.updated'])
    expect([subscription(id).status, invoiceOf(id).status, period(id)]).toEqual(['past_due', 'open', ['2027-02-28', '2027-03-31']])
    expect(subscription(id).latest_invoice).not.toBe(paid)
    expect(typesOf(() => account.payments.failPayment(id))).toEqual(['invoice.payment_failed'])
    expect([invoiceOf(id).attempt_count, period(id)]).toEqual([2, ['2027-02-28', '2027-03-31']])
    expect(typesOf(() => account.payments.payInvoice(id))).toEqual(['customer.subscription.updated', 'invoice.paid'])
    expect([subscription(id).status, invoiceOf(id).status]).toEqual(['active', 'paid'])
    account.payments.failPayment(id, { renews: false })
    expect([subscription(id).status, period(id)]).toEqual(['past_due', ['2027-02-28', '2027-03-31']])
  })

  it('calls a subscription active whose invoice was written off, or is void behind one that was paid', () => {
    const id = subscribed()
    account.payments.failPayment(id)
    expect(typesOf(() => account.payments.markUncollectible(id))).toEqual(['customer.subscription.updated', 'invoice.marked_uncollectible'])
    expect([subscription(id).status, invoiceOf(id).status]).toEqual(['active', 'uncollectible'])
    account.payments.failPayment(id)
    account.payments.voidInvoice(id)
    expect([subscription(id).status, invoiceOf(id).status]).toEqual(['active', 'void'])
    expect(() => account.payments.payInvoice(id)).toThrow('is void')
  })

  it.each([
    ['payInvoice', 'active', 'invoice.paid'],
    ['voidInvoice', 'incomplete_expired', 'invoice.voided'],
  ] as const)('decides by %s whether an incomplete subscription begins', (act, status, type) => {
    const id = subscribed(['price_pro'], { status: 'incomplete' })
    expect(typesOf(() => account.payments[act](id))).toEqual(['customer.subscription.updated', type])
    expect(subscription(id)).toMatchObject({ status, ended_at: status === 'active' ? null : nowMs / 1_000 })
  })

  it('gives up in either way', () => {
    const [unpaid, canceled] = [subscribed(), subscribed()]
    for (const id of [unpaid, canceled]) account.payments.failPayment(id)
    expect(typesOf(() => account.payments.giveUp(unpaid, 'unpaid'))).toEqual(['customer.subscription.updated'])
    expect(typesOf(() => account.payments.giveUp(canceled))).toEqual(['customer.subscription.deleted'])
    expect([subscription(unpaid).status, invoiceOf(unpaid).status]).toEqual(['unpaid', 'open'])
    expect(subscription(canceled)).toMatchObject({ status: 'canceled', cancellation_details: { reason: 'payment_failed' } })
  })

  it('takes statuses that Stripe does not have yet', () => {
    const id = subscribed(['price_pro'], { status: 'hibernating' })
    const [event] = eventsOf(() => account.subscriptions.setStatus(id, 'waking'))
    expect(event).toMatchObject({ type: 'customer.subscription.updated', data: { object: { status: 'waking' }, previous_attributes: { status: 'hibernating' } } })
  })

  it('ends with the period when told to, and not when told otherwise in time', () => {
    const id = subscribed()
    account.subscriptions.cancelAtPeriodEnd(id, true)
    expect(subscription(id)).toMatchObject({ status: 'active', cancel_at_period_end: true, cancel_at: seconds('2027-02-28T12:00:00Z'), canceled_at: nowMs / 1_000 })
    account.subscriptions.cancelAtPeriodEnd(id, false)
    expect(subscription(id)).toMatchObject({ cancel_at_period_end: false, cancel_at: null, canceled_at: null })
    account.subscriptions.cancelAtPeriodEnd(id, true)
    expect(typesOf(() => account.subscriptions.renew(id))).toEqual(['customer.subscription.deleted'])
    expect(subscription(id)).toMatchObject({ status: 'canceled', ended_at: nowMs / 1_000 })
    expect(() => account.subscriptions.setStatus(id, 'active')).toThrow('changes no more')
    expect(() => account.subscriptions.cancel(id)).toThrow('has ended already')
  })

  it('pauses, and resumes in a period of its own', () => {
    const id = subscribed()
    expect(typesOf(() => account.subscriptions.pause(id))).toEqual(['customer.subscription.updated', 'customer.subscription.paused'])
    expect(() => account.subscriptions.renew(id)).toThrow('is paused')
    nowMs = Date.UTC(2027, 4, 5)
    const types = ['customer.subscription.updated', 'customer.subscription.resumed', 'invoice.paid']
    expect(typesOf(() => account.subscriptions.resume(id))).toEqual(types)
    expect([subscription(id).status, period(id)]).toEqual(['active', ['2027-05-05', '2027-06-05']])
  })

  it('begins a period now when the anchor is reset', () => {
    const id = subscribed()
    nowMs = Date.UTC(2027, 1, 10, 3)
    const [event] = eventsOf(() => account.subscriptions.resetAnchor(id))
    expect(period(id)).toEqual(['2027-02-10', '2027-03-10'])
    expect(event?.data.previous_attributes).toMatchObject({ billing_cycle_anchor: seconds('2027-01-31T12:00:00Z') })
  })

  it('keeps scheduled prices out of the subscription until their phase begins', () => {
    const id = subscribed()
    const types = ['subscription_schedule.created', 'customer.subscription.updated']
    expect(typesOf(() => account.schedules.schedule(id, [{ priceIds: ['price_team'] }]))).toEqual(types)
    expect(subscription(id).items.data.map(({ price }) => price.id)).toEqual(['price_pro'])
    const schedule = account.show(subscription(id).schedule as string) as unknown as Stripe.SubscriptionSchedule
    expect(schedule.phases.map(({ start_date: startS, items }) => [iso(startS), items[0]?.price])).toEqual([
      ['2027-01-31', 'price_pro'],
      ['2027-02-28', 'price_team'],
    ])
    expect(typesOf(() => account.schedules.schedule(id, [{ priceIds: ['price_team', 'price_pro'] }]))).toEqual(['subscription_schedule.updated'])
    expect(typesOf(() => account.schedules.startNextPhase(id))).toEqual(['customer.subscription.updated', 'subscription_schedule.updated'])
    expect(subscription(id).items.data.map(({ price }) => price.id)).toEqual(['price_pro', 'price_team'])
    expect(() => account.schedules.startNextPhase(id)).toThrow('no phase after')
  })

  it('cancels what a deleted customer still has, and says so before it says that the customer is gone', () => {
    const customer = account.customers.create({ metadata: { user: 'u' } })
    const ids = Array.from({ length: 3 }, () => account.subscriptions.create({ customer, priceIds: ['price_pro'] }))
    account.subscriptions.cancel(ids[1] as string)
    const events = eventsOf(() => account.customers.delete(customer))
    expect(events.map(({ type }) => type)).toEqual(['customer.subscription.deleted', 'customer.subscription.deleted', 'customer.deleted'])
    expect(events.at(-1)?.data.object).toMatchObject({ id: customer, metadata: { user: 'u' } })
    expect(ids.map((id) => subscription(id).status)).toEqual(['canceled', 'canceled', 'canceled'])
    expect(account.show(customer)).toEqual({ id: customer, object: 'customer', deleted: true })
    expect(() => account.subscriptions.create({ customer, priceIds: ['price_pro'] })).toThrow('is deleted')
  })

  it('shows periods where the API of the day had them, in events as in answers', () => {
    account = accountWithPrices({ apiShape: 'before-2025-03-31', livemode: true, connectedAccount: 'acct_1', idStem: 'Other' })
    const id = subscribed()
    const shown = subscription(id)
    expect(shown).toMatchObject({ current_period_end: seconds('2027-02-28T12:00:00Z'), livemode: true, items: { data: [{ price: { id: 'price_pro' } }] } })
    expect(shown.items.data[0]).not.toHaveProperty('current_period_end')
    expect(id).toMatch(/^sub_Other/)
    const event = account.events.find(({ type }) => type === 'customer.subscription.created')
    expect(event).toMatchObject({ livemode: true, account: 'acct_1', api_version: '2025-02-24.acacia', data: { object: { current_period_end: expect.any(Number) } } })
  })
})
