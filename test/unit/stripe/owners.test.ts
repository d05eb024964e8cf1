// Whose customer it is: how a user is found, what becomes of customers of whom nobody knows, and of those that are deleted.

import { describe, expect, it } from 'vitest'
import { InvalidRequestError } from '../../../src/index.js'
import { allOf } from '../setting.js'
import { openStage, type Stage } from '../../support/stripe/stage.js'

const parkedOf = (stage: Stage) => allOf(stage.webhook.sync.parked())

describe('a user is found', () => {
  it('by the metadata of the customer, before that of the subscription and the reference of the checkout', async () => {
    const stage = await openStage()
    const customer = stage.customer('ada')
    stage.account.completeCheckout({ customer, priceIds: ['price_pro'], subscriptionMetadata: { userId: 'bob' } })
    await stage.deliverNew()
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['pro', undefined])
  })

  it('by the metadata of the oldest subscription that names one, before the reference of the checkout', async () => {
    const stage = await openStage()
    const customer = stage.account.customers.create()
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    stage.clock.advance('1m')
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'], metadata: { userId: 'ada' } })
    stage.clock.advance('1m')
    stage.account.subscriptions.create({ customer, priceIds: ['price_enterprise'], metadata: { userId: 'bob' } })
    await stage.deliverNew()
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['enterprise', undefined])
  })

  it('by the client_reference_id of the checkout, whichever of its events comes first', async () => {
    for (const first of ['customer.subscription.created', 'invoice.paid', 'checkout.session.completed']) {
      const stage = await openStage()
      stage.account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'ada' })
      expect(await stage.deliver(stage.newest(first))).toMatchObject({ status: 200, body: { outcome: 'written' } })
      expect(await stage.tierOf('ada')).toBe('pro')
    }
  })

  it('by the oldest checkout that was completed and names one', async () => {
    const stage = await openStage()
    const customer = stage.account.customers.create()
    const open = stage.account.completeCheckout({ customer, priceIds: ['price_pro'], clientReferenceId: 'mallory' })
    Object.assign(stage.account.book.get('checkout.session', open.session), { status: 'open' })
    stage.clock.advance('1m')
    stage.account.completeCheckout({ customer, priceIds: ['price_pro'] })
    stage.clock.advance('1m')
    stage.account.completeCheckout({ customer, priceIds: ['price_pro'], clientReferenceId: 'ada' })
    stage.clock.advance('1m')
    stage.account.completeCheckout({ customer, priceIds: ['price_enterprise'], clientReferenceId: 'bob' })
    stage.loseNew()
    expect(await stage.webhook.sync.syncUser(customer)).toMatchObject({ user: { userId: 'ada' } })
    expect([await stage.tierOf('ada'), await stage.tierOf('bob'), await stage.tierOf('mallory')]).toEqual(['enterprise', undefined, undefined])
  })

  it('in the tenant that stands beside the user, on each of the three', async () => {
    const stage = await openStage()
    const ref = (userId: string) => ({ userId, tenant: 'acme' })
    const { subscriptions } = stage.account
    subscriptions.create({ customer: stage.customer('ada', { tenant: 'acme' }), priceIds: ['price_pro'] })
    subscriptions.create({ customer: stage.account.customers.create(), priceIds: ['price_pro'], metadata: { userId: 'bob', tenant: 'acme' } })
    stage.account.completeCheckout({ priceIds: ['price_pro'], clientReferenceId: 'eve', metadata: { tenant: 'acme' } })
    await stage.deliverNew()
    for (const userId of ['ada', 'bob', 'eve']) {
      expect(await stage.bursar.tracker.getUserTier(ref(userId))).toBe('pro')
      expect(await stage.tierOf(userId)).toBeUndefined()
    }
  })

  it('by the keys that were configured', async () => {
    const stage = await openStage({ webhook: { userKey: 'uid', tenantKey: 'org' } })
    const customer = stage.account.customers.create({ metadata: { uid: 'ada', org: 'acme', userId: 'bob' } })
    stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    await stage.deliverNew()
    expect(await stage.bursar.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBe('pro')
    expect(await stage.tierOf('bob')).toBeUndefined()
  })

  it('by a function of the application, which sees all the clues', async () => {
    const seen: object[] = []
    const stage = await openStage({
      webhook: {
        findUser: async (clues) => {
          seen.push({ customer: clues.customer.id, subscriptions: clues.subscriptions.length, checkouts: clues.checkouts.length })
          return { userId: 'ada', tenant: 'acme' }
        },
      },
    })
    const { customer } = stage.account.completeCheckout({ priceIds: ['price_pro'] })
    await stage.deliverNew()
    expect(seen).toEqual([{ customer, subscriptions: 1, checkouts: 1 }])
    expect(await stage.bursar.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBe('pro')
  })

  it('and a function that fails, or gives what is no user, fails the delivery and binds nobody', async () => {
    for (const findUser of [() => Promise.reject(new Error('database away')), () => ({ userId: '' }), () => 7 as never]) {
      const stage = await openStage({ webhook: { findUser } })
      stage.account.completeCheckout({ priceIds: ['price_pro'] })
      expect((await stage.deliver(stage.newest('customer.subscription.created'))).status).toBe(500)
      expect(stage.heard('sync-error')).toHaveLength(1)
      expect(await allOf(stage.store.registry.list('stripe-customer'))).toEqual([])
    }
  })

  it.each([' ', '\u0000', 'x'.repeat(257)])('never by what is no id: %j', async (userId) => {
    const stage = await openStage()
    stage.account.subscriptions.create({ customer: stage.customer(userId), priceIds: ['price_pro'] })
    await stage.deliverNew()
    expect((await parkedOf(stage)).length).toBe(1)
  })
})

describe('a customer that is bound', () => {
  it('stays with its user, whatever its metadata says later', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.customers.updateMetadata(customer, { userId: 'bob' })
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_enterprise' } })
    await stage.deliverNew()
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['enterprise', undefined])
  })

  it('stays with its user where a checkout names another one, and says so', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.completeCheckout({ customer, priceIds: ['price_enterprise'], clientReferenceId: 'mallory' })
    await stage.deliverNew()
    expect([await stage.tierOf('ada'), await stage.tierOf('mallory')]).toEqual(['enterprise', undefined])
    expect(stage.heard('binding-refused')).toEqual([{ customer, user: { userId: 'ada' }, refused: { userId: 'mallory' } }])
  })

  it('causes no alarm where a checkout names the user that it has', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    stage.account.completeCheckout({ customer, priceIds: ['price_enterprise'], clientReferenceId: 'ada' })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
    expect(stage.heard('binding-refused')).toEqual([])
  })

  it('stays with its user where the application says another one', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    await expect(stage.webhook.sync.bind(customer, 'mallory')).rejects.toThrow(/belongs to user "ada" already/)
    await expect(stage.webhook.sync.bind(customer, { userId: 'ada', tenant: 'acme' })).rejects.toThrow(InvalidRequestError)
    expect(stage.heard('binding-refused')).toHaveLength(2)
    expect(await stage.tierOf('mallory')).toBeUndefined()
    expect(await stage.webhook.sync.bind(customer, 'ada')).toMatchObject({ outcome: 'written', tier: 'pro' })
  })

  it('by the application counts before anything that stands at Stripe', async () => {
    const stage = await openStage()
    const { customer } = stage.subscribed('bob')
    expect(await stage.webhook.sync.bind(customer, 'ada')).toMatchObject({ user: { userId: 'ada' }, tier: 'pro', cause: 'bound' })
    await stage.deliverNew()
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['pro', undefined])
  })

  it('is given to one of two that claim it at once, in one process or two', async () => {
    const stage = await openStage()
    const { customer } = stage.account.completeCheckout({ priceIds: ['price_pro'] })
    const other = stage.open()
    const both = await Promise.allSettled([stage.webhook.sync.bind(customer, 'ada'), other.webhook.sync.bind(customer, 'bob')])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')].filter((tier) => tier !== undefined)).toEqual(['pro'])
  })

  it.each(['', 'x'.repeat(256), 7, undefined])('is no such id as %j', async (customer) => {
    const stage = await openStage()
    await expect(stage.webhook.sync.syncUser(customer as never)).rejects.toThrow(InvalidRequestError)
    expect(stage.standIn.requests).toEqual([])
  })
})

describe('a customer of whom nobody knows', () => {
  async function parked() {
    const stage = await openStage()
    const customer = stage.account.customers.create()
    const subscription = stage.account.subscriptions.create({ customer, priceIds: ['price_pro'] })
    expect(await stage.deliverNew()).toContain('parked')
    return { stage, customer, subscription }
  }

  it('is parked with the first reason, said to be, and warned of once where nobody listens', async () => {
    const { stage, customer } = await parked()
    const [{ cause, attempts, since, nextAt, ...rest }] = (await parkedOf(stage)) as [Awaited<ReturnType<typeof parkedOf>>[0]]
    expect(rest).toEqual({ customer })
    expect(cause).toMatch(/^customer\.subscription\.created evt_/)
    expect([since.getTime(), attempts]).toEqual([stage.clock(), 2])
    expect(nextAt.getTime()).toBeGreaterThan(stage.clock())
    expect(stage.heard('parked')[0]).toMatchObject({ customer })
    const quiet = stage.open({}, false)
    await quiet.webhook.sync.syncUser(customer)
    await quiet.webhook.sync.syncUser(customer)
    expect(quiet.warned).toHaveLength(1)
    expect(quiet.warned[0]).toContain('bind()')
  })

  it('is found by customer.updated once its metadata names the user', async () => {
    const { stage, customer } = await parked()
    stage.account.customers.updateMetadata(customer, { userId: 'ada' })
    expect(await stage.deliverNew()).toEqual(['written'])
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(await parkedOf(stage)).toEqual([])
  })

  it('is found by a checkout that names the user', async () => {
    const { stage, customer } = await parked()
    stage.account.completeCheckout({ customer, priceIds: ['price_enterprise'], clientReferenceId: 'ada' })
    await stage.deliver(stage.newest('checkout.session.completed'))
    expect(await stage.tierOf('ada')).toBe('enterprise')
    expect(await parkedOf(stage)).toEqual([])
  })

  it('is found by bind, and by syncAll', async () => {
    const { stage, customer } = await parked()
    await stage.webhook.sync.bind(customer, 'ada')
    expect(await stage.tierOf('ada')).toBe('pro')
    const again = await parked()
    again.stage.account.customers.updateMetadata(again.customer, { userId: 'ada' })
    await again.stage.webhook.sync.syncAll()
    expect(await again.stage.tierOf('ada')).toBe('pro')
    expect(await parkedOf(again.stage)).toEqual([])
  })

  it('is tried again by retryParked once its time has come, at growing distances', async () => {
    const { stage, customer } = await parked()
    const before = stage.standIn.requests.length
    await stage.webhook.sync.retryParked()
    expect(stage.standIn.requests.length).toBe(before)
    const distances: number[] = []
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const [waiting] = await parkedOf(stage)
      distances.push(((waiting as { nextAt: Date }).nextAt.getTime() - stage.clock()) / 60_000)
      stage.clock.set((waiting as { nextAt: Date }).nextAt)
      await stage.webhook.sync.retryParked()
    }
    expect(distances).toEqual([...distances].sort((a, b) => a - b))
    expect(distances.at(-1)).toBe(360)
    stage.account.customers.updateMetadata(customer, { userId: 'ada' })
    stage.clock.advance('6h')
    await stage.webhook.sync.retryParked()
    expect(await stage.tierOf('ada')).toBe('pro')
    expect(await parkedOf(stage)).toEqual([])
  })

  it('is tried again when another event passes by', async () => {
    const { stage, customer } = await parked()
    stage.account.customers.updateMetadata(customer, { userId: 'ada' })
    stage.loseNew()
    stage.clock.advance('10m')
    stage.subscribed('bob')
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('is not tried by every event: once a minute at most', async () => {
    const { stage } = await parked()
    const { subscription } = stage.subscribed('bob')
    const attemptsAt = async (seconds: number) => {
      stage.clock.set(start + seconds * 1_000)
      stage.account.subscriptions.updateMetadata(subscription, { at: String(seconds) })
      await stage.deliverNew()
      return (await parkedOf(stage))[0]?.attempts
    }
    const start = stage.clock()
    // Its second attempt was in vain at once, so that its time comes after two minutes.
    expect([await attemptsAt(100), await attemptsAt(130), await attemptsAt(159), await attemptsAt(160)]).toEqual([2, 2, 2, 3])
  })

  it('waits no more once it is deleted', async () => {
    const { stage, customer } = await parked()
    stage.account.customers.delete(customer)
    await stage.deliverNew()
    expect(await parkedOf(stage)).toEqual([])
  })

  it('and has never bought anything is not parked, and is found once it buys', async () => {
    const stage = await openStage()
    const customer = stage.account.customers.create()
    expect(await stage.webhook.sync.syncUser(customer)).toEqual({ customer, cause: 'sync', outcome: 'ignored', puzzles: [] })
    expect(await parkedOf(stage)).toEqual([])
    stage.account.completeCheckout({ customer, priceIds: ['price_pro'], clientReferenceId: 'ada' })
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
  })
})

describe('a customer that was never heard of', () => {
  it('that is updated costs Stripe no question', async () => {
    const stage = await openStage()
    stage.account.customers.updateMetadata(stage.customer('ada'), { note: 'new' })
    expect(await stage.deliverNew()).toEqual(['ignored', 'ignored'])
    expect(stage.standIn.requests).toEqual([])
  })

  it('whose user has a tier from elsewhere leaves it to them until they buy', async () => {
    const stage = await openStage()
    await stage.bursar.tracker.setUserTier('ada', 'enterprise')
    const customer = stage.customer('ada')
    expect(await stage.webhook.sync.syncUser(customer)).toMatchObject({ outcome: 'ignored' })
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })
})

describe.each(['refused', 'answered'] as const)('a customer that was deleted, where its lists are %s', (listsOfDeleted) => {
  const open = () => openStage({ standIn: { listsOfDeleted } })

  it('leaves its user with the fallback tier', async () => {
    const stage = await open()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.customers.delete(customer)
    stage.loseNew()
    await stage.deliver(stage.newest('customer.deleted'))
    expect(await stage.tierOf('ada')).toBe('free')
    expect((await stage.store.registry.get('stripe-customer', customer))?.value).toBe('{"user":{"userId":"ada"},"deleted":true}')
  })

  it('is brought back by no event, no checkout and no bind', async () => {
    const stage = await open()
    const { customer } = stage.subscribed('ada', 'price_enterprise')
    const old = stage.newest('customer.subscription.created')
    stage.account.customers.delete(customer)
    await stage.deliver(stage.newest('customer.deleted'))
    for (const type of ['customer.subscription.updated', 'customer.subscription.resumed', 'invoice.paid']) await stage.deliver(stage.made(type, { id: 'x', customer }))
    expect((await stage.deliver(old)).status).toBe(200)
    await stage.deliver(stage.made('checkout.session.completed', { id: 'cs_x', customer, client_reference_id: 'mallory', metadata: {} }))
    await expect(stage.webhook.sync.bind(customer, 'ada')).rejects.toThrow()
    await stage.webhook.sync.syncAll()
    expect(['free', undefined]).toContain(await stage.tierOf('ada'))
    expect(['free', undefined]).toContain(await stage.tierOf('mallory'))
  })

  it('leaves the other customer of its user what it has bought', async () => {
    const stage = await open()
    stage.subscribed('ada')
    const { customer } = stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    stage.account.customers.delete(customer)
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('pro')
  })

  it('is replaced by a new one of the same user', async () => {
    const stage = await open()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.customers.delete(customer)
    stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    expect(await stage.tierOf('ada')).toBe('enterprise')
  })

  it('is found by syncAll where the news was lost, although it is in no list', async () => {
    const stage = await open()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.customers.delete(customer)
    expect(await stage.webhook.sync.syncAll()).toEqual({ customers: 1, parked: 0, failed: [] })
    expect(await stage.tierOf('ada')).toBe('free')
    expect(await stage.webhook.sync.syncAll()).toEqual({ customers: 0, parked: 0, failed: [] })
  })

  it('is buried once: nothing is asked of it any more', async () => {
    const stage = await open()
    const { customer } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.customers.delete(customer)
    await stage.deliverNew()
    const before = stage.standIn.requests.length
    await stage.webhook.sync.syncUser(customer)
    expect(stage.standIn.requests.length).toBe(before)
  })
})
