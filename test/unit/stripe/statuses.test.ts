// What each state of a subscription does to its user, end to end: an event says where to look, the official client looks.

import { describe, expect, it } from 'vitest'
import { openStage, type Stage } from '../../support/stripe/stage.js'

const contextOf = (stage: Stage, userId: string) => stage.bursar.tracker.context({ userId, estimatedCost: 0 })
const billingOf = (stage: Stage, userId: string) => stage.bursar.tracker.getUserBilling(userId)

describe('a status', () => {
  it.each([
    ['active', 'pro', 'active'],
    ['trialing', 'pro', 'trialing'],
    ['past_due', 'pro', 'grace'],
    ['unpaid', 'free', 'none'],
    ['paused', 'free', 'none'],
    ['canceled', 'free', 'none'],
  ])('of %s gives %s and the standing %s', async (status, tier, standing) => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada', 'price_pro', { status })
    expect(await stage.deliverNew()).toContain('written')
    expect(await stage.tierOf('ada')).toBe(tier)
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: tier, standing })
    const billing = await billingOf(stage, 'ada')
    expect(billing).toMatchObject({ standing, customers: [customer], subscription: tier === 'pro' ? subscription : undefined, price: tier === 'pro' ? 'price_pro' : undefined })
  })

  it.each(['incomplete', 'incomplete_expired'])('of %s grants nothing: it was never paid for', async (status) => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada', 'price_enterprise', { status })
    expect(new Set(await stage.deliverNew())).toEqual(new Set(['ignored']))
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'free', standing: 'none' })
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription, customers: expect.arrayContaining([customer]), passedOver: [] })
    stage.account.subscriptions.cancel(subscription)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('of incomplete gives the tier once it is paid', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada', 'price_pro', { status: 'incomplete' })
    await stage.deliverNew()
    stage.account.payments.payInvoice(subscription)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it.each(['unpaid', 'paused', 'canceled', 'incomplete_expired'])('that becomes %s takes the tier away', async (status) => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    stage.account.subscriptions.setStatus(subscription, status)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('free')
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'free', standing: 'none' })
  })

  it('that nobody knew before keeps the last tier, and says so', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.subscriptions.setStatus(subscription, 'on_hold')
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(stage.heard('unknown-status')).toEqual([{ kind: 'unknown-status', subscription, status: 'on_hold', customer, user: { userId: 'ada' } }])
    expect(await billingOf(stage, 'ada')).toMatchObject({ standing: 'active', subscription, passedOver: [{ subscription, status: 'on_hold', tier: 'pro' }] })
    stage.account.subscriptions.cancel(subscription)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('free')
  })

  it('that nobody knew before gives nothing to whoever had nothing', async () => {
    const stage = await openStage()
    stage.subscribed('ada', 'price_enterprise', { status: 'on_hold' })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBeUndefined()
    expect(stage.heard('unknown-status').length).toBeGreaterThan(0)
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'free', standing: 'none' })
  })

  it('that nobody knew before does not stand in the way of a higher tier that is paid for', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.subscriptions.setStatus(subscription, 'on_hold')
    stage.account.subscriptions.create({ customer, priceIds: ['price_enterprise'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })
})

describe('a price that nothing maps', () => {
  it('keeps the last tier, and says so', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_mystery' } })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(stage.heard('unmapped-price')).toEqual([{ kind: 'unmapped-price', subscription, price: 'price_mystery', product: 'prod_mystery', customer, user: { userId: 'ada' } }])
    expect(stage.heard('synced').at(-1)).toMatchObject({ outcome: 'written', puzzles: [{ price: 'price_mystery' }] })
    expect(stage.heard('synced').at(-1)).not.toHaveProperty('tier')
  })

  it('leaves a new customer with the default tier, never without limits', async () => {
    const stage = await openStage()
    stage.subscribed('ada', 'price_mystery')
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBeUndefined()
    expect(stage.heard('unmapped-price').length).toBeGreaterThan(0)
    const refused = await stage.bursar.check({ userId: 'ada', estimatedCost: 5 })
    expect(refused.allowed).toBe(false)
  })

  it('is warned of once where nobody listens, for each price', async () => {
    const stage = await openStage()
    const quiet = stage.open({}, false)
    const { subscription } = stage.subscribed('ada', 'price_mystery')
    stage.account.subscriptions.updateMetadata(subscription, { seen: 'twice' })
    await stage.deliverNew(quiet)
    expect(quiet.warned).toHaveLength(1)
    expect(quiet.warned[0]).toMatch(/^bursar: no tier is sold as the price price_mystery \(product prod_mystery\).*unmapped-price/)
  })

  it('beside one that is mapped is an add-on: said, and the tier given', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    stage.account.subscriptions.changeItems(subscription, { replace: { price_enterprise: 'price_pro' }, add: ['price_mystery'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(stage.heard('unmapped-price')).toHaveLength(1)
  })

  it('keeps the last tier also where another subscription gives a lower one', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    stage.account.subscriptions.changeItems(subscription, { replace: { price_enterprise: 'price_mystery' } })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('says nothing and asks nothing where it is listed as ignored, by its id or its product', async () => {
    const stage = await openStage()
    const customer = stage.customer('ada')
    stage.account.subscriptions.create({ customer, priceIds: ['price_seat', 'price_support'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('free')
    expect(stage.heard('unmapped-price')).toEqual([])
    expect(stage.standIn.requests.filter(({ path }) => path.startsWith('/v1/products'))).toEqual([])
  })

  it('is found by the metadata of its product, which is asked for once for all positions', async () => {
    const stage = await openStage()
    stage.account.addPrice({ id: 'price_tagged_2', product: 'prod_tagged', interval: 'month', unitAmount: 1 })
    const customer = stage.customer('ada')
    stage.account.subscriptions.create({ customer, priceIds: ['price_tagged', 'price_tagged_2'] })
    stage.loseNew()
    await stage.webhook.sync.syncUser(customer)
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(stage.standIn.requests.filter(({ path }) => path === '/v1/products/prod_tagged')).toHaveLength(1)
    expect(stage.heard('unmapped-price')).toEqual([])
  })
})

describe('an end that is announced', () => {
  it('keeps the tier to the end of the period, shows the date, and takes it back when it is called off', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.account.subscriptions.cancelAtPeriodEnd(subscription, true)
    await stage.deliverNew()
    const billing = await billingOf(stage, 'ada')
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(billing?.endsAt).toEqual(new Date('2026-02-15T12:00:00Z'))
    expect(billing?.endsAt).toEqual(billing?.period?.endsAt)
    stage.account.subscriptions.cancelAtPeriodEnd(subscription, false)
    await stage.deliverNew()
    expect((await billingOf(stage, 'ada'))?.endsAt).toBeUndefined()
    stage.account.subscriptions.cancelAtPeriodEnd(subscription, true)
    stage.clock.advance('31d')
    stage.account.subscriptions.renew(subscription)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('free')
    expect(await billingOf(stage, 'ada')).toMatchObject({ standing: 'none', endsAt: undefined, subscription: undefined })
  })
})

describe('an end on a day of its own', () => {
  it.each([
    [{ cancel_at: Date.UTC(2026, 0, 20) / 1_000, cancel_at_period_end: false }, '2026-01-20T00:00:00Z'],
    [{ cancel_at: null, cancel_at_period_end: true }, '2026-02-15T12:00:00Z'],
    [{ cancel_at: null, cancel_at_period_end: false }, undefined],
  ])('is shown: %j', async (says, endsAt) => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    Object.assign(stage.account.book.get('subscription', subscription), says)
    await stage.webhook.sync.syncUser(customer)
    expect((await billingOf(stage, 'ada'))?.endsAt).toEqual(endsAt === undefined ? undefined : new Date(endsAt))
    expect(await stage.tierOf('ada')).toBe('pro')
  })
})

describe('a schedule', () => {
  it('gives what stands now, and the next phase once it begins', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.account.schedules.schedule(subscription, [{ priceIds: ['price_enterprise'] }])
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    stage.clock.advance('31d')
    stage.account.schedules.startNextPhase(subscription)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })
})

describe('much of it', () => {
  it('finds the position that counts among more than a subscription shows', async () => {
    const stage = await openStage()
    const customer = stage.customer('ada')
    const seats = Array.from({ length: 24 }, (_, index) => stage.account.addPrice({ id: `price_seat_${index}`, product: 'prod_support', interval: 'month', unitAmount: 1 }))
    stage.account.subscriptions.create({ customer, priceIds: [...seats, 'price_enterprise'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('finds the subscription that counts on the last of three pages', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada', 'price_enterprise')
    for (let index = 0; index < 220; index += 1) stage.account.subscriptions.create({ customer, priceIds: ['price_pro'], status: 'canceled' })
    stage.loseNew()
    await stage.webhook.sync.syncUser(customer)
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription })
    expect(stage.standIn.requests.filter(({ query }) => query['starting_after'] !== undefined).length).toBeGreaterThanOrEqual(2)
  })

  it('records no more than twenty losers, and none that gave nothing', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada', 'price_enterprise')
    for (let index = 0; index < 25; index += 1) stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'], status: 'incomplete' })
    stage.loseNew()
    await stage.webhook.sync.syncUser(customer)
    const passedOver = (await billingOf(stage, 'ada'))?.passedOver
    expect(passedOver).toHaveLength(20)
    expect(new Set(passedOver?.map(({ status }) => status))).toEqual(new Set(['active']))
  })
})

describe('the API before 2025-03-31', () => {
  it('tells the period on the subscription, and it is read there', async () => {
    const stage = await openStage({ account: { apiShape: 'before-2025-03-31' } })
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    const period = { startsAt: new Date('2026-01-15T12:00:00Z'), endsAt: new Date('2026-02-15T12:00:00Z') }
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription, period })
    stage.account.subscriptions.cancelAtPeriodEnd(subscription, true)
    await stage.deliverNew()
    expect((await billingOf(stage, 'ada'))?.endsAt).toEqual(period.endsAt)
  })
})

describe('several subscriptions', () => {
  it('give the highest tier, and the others are recorded', async () => {
    const stage = await openStage()
    const { customer, subscription: pro } = stage.subscribed('ada')
    const enterprise = stage.account.subscriptions.create({ customer, priceIds: ['price_enterprise'] })
    await stage.deliverNew()
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription: enterprise, passedOver: [{ subscription: pro, status: 'active', tier: 'pro' }] })
    stage.account.subscriptions.cancel(enterprise)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription: pro, passedOver: [] })
  })

  it('of one tier: the one that is paid for wins over the one that is overdue, then the oldest', async () => {
    const stage = await openStage()
    const { customer, subscription: oldest } = stage.subscribed('ada')
    stage.clock.advance('1m')
    const second = stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    await stage.deliverNew()
    expect((await billingOf(stage, 'ada'))?.subscription).toBe(oldest)
    stage.account.payments.failPayment(oldest)
    await stage.deliverNew()
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription: second, standing: 'active' })
  })

  it('of one tier and one second are told apart by their ids, in whichever order Stripe lists them', async () => {
    const stage = await openStage()
    const { subscription, customer } = stage.subscribed('ada')
    const twin = stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    await stage.deliverNew()
    expect(subscription < twin).toBe(true)
    expect((await billingOf(stage, 'ada'))?.subscription).toBe(subscription)
  })

  it('of several customers of one user count together', async () => {
    const stage = await openStage()
    const { customer: first, subscription: pro } = stage.subscribed('ada')
    const { customer: second, subscription: enterprise } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    expect(await billingOf(stage, 'ada')).toMatchObject({ subscription: enterprise, customers: [first, second].sort(), passedOver: [{ subscription: pro }] })
    stage.account.subscriptions.cancel(enterprise)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('of other users, and of the same name in another tenant, change nothing', async () => {
    const stage = await openStage()
    stage.subscribed('ada')
    const customer = stage.customer('ada', { tenant: 'acme' })
    stage.account.subscriptions.create({ customer, priceIds: ['price_enterprise'] })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(await stage.bursar.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBe('enterprise')
  })
})
