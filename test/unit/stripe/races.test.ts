// What happens at the same time: the state that Stripe had last is what stands in the end, whichever process was slow.

import { describe, expect, it } from 'vitest'
import { until } from '../../support/redis/until.js'
import type { SeenRequest } from '../../../examples/stripe-stand-in/server.js'
import { openStage } from '../../support/stripe/stage.js'

const isList = ({ path }: SeenRequest) => path === '/v1/subscriptions'

describe('an old answer that comes late', () => {
  it('cannot overwrite a newer one of another process, also after its lock ran out', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    const other = stage.open()
    const { isHeld, letGo } = stage.holdReply(isList)
    const slow = stage.webhook.sync.syncUser(customer)
    await isHeld
    stage.account.subscriptions.cancel(subscription)
    stage.clock.advance('31s')
    expect(await other.webhook.sync.syncUser(customer)).toMatchObject({ outcome: 'written', tier: 'free' })
    letGo()
    expect(await slow).toMatchObject({ outcome: 'superseded' })
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('leaves the lock of whoever came after it alone', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    const other = stage.open()
    const first = stage.holdReply(isList)
    const slow = stage.webhook.sync.syncUser(customer)
    await first.isHeld
    stage.clock.advance('31s')
    const second = stage.holdReply(isList)
    const next = other.webhook.sync.syncUser(customer)
    await second.isHeld
    first.letGo()
    await slow
    expect(await stage.everything()).toMatchObject({ facts: { 'stripe-lock': [{ key: customer }] } })
    second.letGo()
    expect(await next).toMatchObject({ outcome: 'written' })
    expect(await stage.everything()).toMatchObject({ facts: { 'stripe-lock': [] } })
  })

  it('that was overtaken, but is written first, is overwritten', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    const other = stage.open()
    const first = stage.holdReply(isList)
    const slow = stage.webhook.sync.syncUser(customer)
    await first.isHeld
    stage.account.subscriptions.cancel(subscription)
    stage.clock.advance('31s')
    const second = stage.holdReply(isList)
    const next = other.webhook.sync.syncUser(customer)
    await second.isHeld
    first.letGo()
    await slow
    second.letGo()
    await next
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('of a look at one customer cannot hide what another customer of the user has bought meanwhile', async () => {
    const stage = await openStage()
    const { customer: first } = stage.subscribed('ada')
    const second = stage.customer('ada')
    stage.account.subscriptions.create({ customer: second, priceIds: ['price_pro'] })
    await stage.deliverNew()
    const { isHeld, letGo } = stage.holdReply(isList)
    const slow = stage.webhook.sync.syncUser(first)
    await isHeld
    stage.account.subscriptions.create({ customer: second, priceIds: ['price_enterprise'] })
    await stage.deliverNew(stage.open())
    expect(await stage.tierOf('ada')).toBe('enterprise')
    letGo()
    await slow
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('of a first look whose lock ran out before the user was known is a failure that a repeat makes good', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    const event = stage.newest('customer.subscription.created')
    const { isHeld, letGo } = stage.holdReply(({ path }) => path === `/v1/customers/${customer}`)
    const slow = stage.deliver(event)
    await isHeld
    stage.clock.advance('31s')
    letGo()
    expect((await slow).status).toBe(500)
    expect((await stage.deliver(event)).body.outcome).toBe('written')
    expect(await stage.tierOf('ada')).toBe('pro')
  })
})

describe('several at once', () => {
  it('in one process share a look that began after the last of them asked', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    const { isHeld, letGo } = stage.holdReply(isList)
    const first = stage.webhook.sync.syncUser(customer)
    await isHeld
    stage.account.subscriptions.cancel(subscription)
    const later = Array.from({ length: 20 }, () => stage.webhook.sync.syncUser(customer))
    const before = stage.standIn.requests.filter(isList).length
    letGo()
    expect(await first).toMatchObject({ tier: 'pro' })
    for (const result of await Promise.all(later)) expect(result).toMatchObject({ tier: 'free' })
    expect(stage.standIn.requests.filter(isList).length).toBe(before + 1)
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('in one process do not fail with the look that failed before theirs', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    const { isHeld, letGo } = stage.holdReply(isList)
    stage.standIn.failNext(1, 503)
    const first = stage.webhook.sync.syncUser(customer).catch(() => 'failed')
    await isHeld
    const later = stage.webhook.sync.syncUser(customer)
    letGo()
    expect(await first).toBe('failed')
    expect(await later).toMatchObject({ outcome: 'written' })
  })

  it('in two processes take turns', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    const other = stage.open()
    const results = await Promise.all([stage, other].flatMap(({ webhook }) => Array.from({ length: 5 }, () => webhook.sync.syncUser(customer))))
    expect(new Set(results.map(({ outcome }) => outcome))).toEqual(new Set(['written']))
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it.each([0, 1, 2, 3, 4, 5, 6, 7])('two first customers of one user end with both counted (round %s)', async (round) => {
    const stage = await openStage()
    const [first, second] = [stage.subscribed('ada', round % 2 === 0 ? 'price_pro' : 'price_enterprise'), stage.subscribed('ada', round % 2 === 0 ? 'price_enterprise' : 'price_pro')]
    const other = stage.open()
    let asked = 0
    stage.standIn.beforeReply = async () => {
      asked += 1
      // Others go first now and then: by turns of the event loop, not by time.
      for (let turn = 0; turn < ((asked * 7 + round * 5) % 11) * 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all([stage.webhook.sync.syncUser(first.customer), other.webhook.sync.syncUser(second.customer)])
    expect(await stage.tierOf('ada')).toBe('enterprise')
    expect((await stage.bursar.tracker.getUserBilling('ada'))?.customers).toEqual([first.customer, second.customer].sort())
  })

  it('every event of an account, delivered to three processes at once and again until it is taken, ends right', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_enterprise' } })
    stage.account.payments.failPayment(subscription)
    stage.account.payments.payInvoice(subscription)
    stage.account.subscriptions.cancelAtPeriodEnd(subscription, true)
    const processes = [stage.process, stage.open(), stage.open()]
    let left = stage.account.events.flatMap((event) => processes.map((process) => ({ event, process })))
    for (let round = 0; left.length > 0; round += 1) {
      expect(round).toBeLessThan(50)
      const replies = await Promise.all(left.map(({ event, process }) => stage.deliver(event, process)))
      left = left.filter((_delivery, index) => replies[index]?.status !== 200)
    }
    expect(await stage.tierOf('ada')).toBe('enterprise')
    expect(await stage.everything()).toMatchObject({ facts: { 'stripe-lock': [], 'stripe-parked': [] } })
  })
})

describe('a bind during a look', () => {
  it.each(['in the same process', 'in another process'])('that finds nobody is not lost (%s)', async (where) => {
    const stage = await openStage()
    const { customer } = stage.account.completeCheckout({ priceIds: ['price_pro'] })
    const binder = where === 'in another process' ? stage.open() : stage.process
    const { isHeld, letGo } = stage.holdReply(({ path }) => path === '/v1/checkout/sessions')
    const look = stage.webhook.sync.syncUser(customer)
    await isHeld
    const bound = binder.webhook.sync.bind(customer, 'ada')
    letGo()
    await look
    expect(await bound).toMatchObject({ user: { userId: 'ada' } })
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(await stage.everything()).toMatchObject({ facts: { 'stripe-parked': [] } })
  })

  it('that finds another user stays with the bind', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('bob')
    const { isHeld, letGo } = stage.holdReply(({ path }) => path === '/v1/checkout/sessions')
    const look = stage.webhook.sync.syncUser(customer)
    await isHeld
    const bound = stage.open().webhook.sync.bind(customer, 'ada')
    await until('the customer is bound', async () => (await stage.store.registry.get('stripe-customer', customer)) !== undefined)
    letGo()
    expect(await look).toMatchObject({ user: { userId: 'ada' } })
    expect(await bound).toMatchObject({ user: { userId: 'ada' } })
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['pro', undefined])
  })
})

describe('a deletion during a look', () => {
  it('is seen by that look or by the next, and stays', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    const { isHeld, letGo } = stage.holdReply(isList)
    const look = stage.webhook.sync.syncUser(customer)
    await isHeld
    stage.account.customers.delete(customer)
    const deleted = stage.deliver(stage.newest('customer.deleted'), stage.open())
    letGo()
    await look
    expect((await deleted).body.outcome).toBe('written')
    expect(await stage.tierOf('ada')).toBe('free')
  })
})
