// What a change of a subscription does to money: limits move at once, what was spent stays, and only a renewal may wipe it.

import { describe, expect, it } from 'vitest'
import { UnknownTierError, type Store } from '../../../src/index.js'
import { allowedOf, deniedOf, storeWith } from '../setting.js'
import { openStage, type Stage } from '../../support/stripe/stage.js'

const dailyOf = async (stage: Stage, userId = 'ada') => stage.bursar.tracker.getPeriodCosts(userId, 'daily')
const monthlyOf = async (stage: Stage, userId = 'ada') => stage.bursar.tracker.getPeriodCosts(userId, 'monthly')
const spend = (stage: Stage, cost: number) => stage.bursar.tracker.addCost({ userId: 'ada', cost })

describe('an upgrade', () => {
  it('raises the limits at once and keeps what was spent and held', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    await spend(stage, 7)
    const hold = allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 2 }))
    deniedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 2 }))
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_enterprise' } })
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ limit: 100, cost: 7, held: 2 })
    allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 50 }))
    await hold.settle({ cost: 3 })
    expect(await dailyOf(stage)).toMatchObject({ limit: 100, cost: 10, held: 50 })
  })

  it('ends the offer of an upgrade in denials', async () => {
    const stage = await openStage()
    expect(deniedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 2 })).toDenial().upgrade).toBe('Pro ($29/mo)')
    stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    expect(deniedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 200 })).toDenial()).not.toHaveProperty('upgrade')
  })
})

describe('a downgrade', () => {
  it('blocks what is new where more was spent than the new limit, while open holds settle', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    await spend(stage, 4)
    const open = allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 3 }))
    stage.account.subscriptions.cancel(subscription)
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ limit: 1, cost: 4, held: 3, exceeded: true })
    expect(deniedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 0.01 })).code).toBe('budget')
    expect(await open.settle({ cost: 2.5 })).toMatchObject({ cost: 2.5 })
    expect(await dailyOf(stage)).toMatchObject({ cost: 6.5, held: 0 })
    stage.clock.advance('1d')
    allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 0.5 }))
  })

  it('and up again wipes nothing', async () => {
    const stage = await openStage({ webhook: { resetOnRenewal: true } })
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    await spend(stage, 4)
    stage.account.subscriptions.cancel(subscription)
    await stage.deliverNew()
    stage.subscribed('ada', 'price_enterprise')
    await stage.deliverNew()
    expect(await monthlyOf(stage)).toMatchObject({ limit: 1_000, cost: 4 })
  })
})

describe('a renewal', () => {
  async function spent(resetOnRenewal: boolean | undefined, more: object = {}) {
    const stage = await openStage({ webhook: { resetOnRenewal }, ...more })
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    // Into the same day, week and calendar month as the end of the period, half an hour before it.
    stage.clock.set(Date.UTC(2026, 1, 15, 11, 30))
    await spend(stage, 5)
    stage.clock.set(Date.UTC(2026, 1, 15, 12))
    return { stage, customer, subscription }
  }

  it.each([undefined, false])('wipes nothing where resetOnRenewal is %s', async (resetOnRenewal) => {
    const { stage, subscription } = await spent(resetOnRenewal)
    stage.account.subscriptions.renew(subscription)
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ cost: 5 })
    expect(await monthlyOf(stage)).toMatchObject({ cost: 5 })
  })

  it.each(['since-2025-03-31', 'before-2025-03-31'] as const)('begins the daily, weekly and monthly windows anew where it is set (API %s)', async (apiShape) => {
    const { stage, subscription } = await spent(true, { account: { apiShape } })
    const open = allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 2 }))
    const resets: object[] = []
    stage.bursar.tracker.events.on('window-reset', (reset) => void resets.push(reset))
    stage.account.subscriptions.renew(subscription)
    await stage.deliverNew()
    for (const period of ['daily', 'weekly', 'monthly']) expect(await stage.bursar.tracker.getPeriodCosts('ada', period)).toMatchObject({ cost: 0 })
    expect(resets).toHaveLength(3)
    expect(await stage.bursar.tracker.getUserCost('ada')).toBe(5)
    expect((await stage.bursar.tracker.getUserBilling('ada'))?.restartDue).toBeUndefined()
    await open.settle({ cost: 2 })
    expect((await stage.bursar.tracker.audit()).status).toBe('clean')
  })

  it('wipes once: its other events, a repeat and a look later wipe nothing again', async () => {
    const { stage, customer, subscription } = await spent(true)
    stage.account.subscriptions.renew(subscription)
    const [first, ...others] = stage.account.events.slice(-2) as [(typeof stage.account.events)[0]]
    await stage.deliver(first)
    expect(await dailyOf(stage)).toMatchObject({ cost: 0 })
    stage.clock.advance('1m')
    await spend(stage, 3)
    for (const event of [...others, first]) await stage.deliver(event, stage.open())
    await stage.webhook.sync.syncUser(customer)
    await stage.webhook.sync.syncAll()
    expect(await dailyOf(stage)).toMatchObject({ cost: 3 })
  })

  it.each(['before it', 'after it'])('that a crash interrupts %s wipes once when it is repeated', async (when) => {
    let isAway = false
    const away = () => {
      isAway = false
      throw new Error('store away')
    }
    const guarded = (store: Store): Store =>
      storeWith(store, {
        restart: (request) => {
          if (isAway && when === 'before it') away()
          const restarted = store.restart(request)
          if (isAway) away()
          return restarted
        },
      })
    const { stage, subscription } = await spent(true, { store: guarded })
    stage.account.subscriptions.renew(subscription)
    const event = stage.newest('customer.subscription.updated')
    isAway = true
    expect((await stage.deliver(event)).status).toBe(500)
    expect(isAway).toBe(false)
    expect(await dailyOf(stage)).toMatchObject({ cost: when === 'before it' ? 5 : 0 })
    stage.clock.advance('1m')
    if (when === 'after it') await spend(stage, 3)
    expect((await stage.deliver(event)).status).toBe(200)
    expect(await dailyOf(stage)).toMatchObject({ cost: when === 'before it' ? 0 : 3 })
    await spend(stage, 1)
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ cost: when === 'before it' ? 1 : 4 })
  })

  it('is none where positions change and the period does not', async () => {
    const { stage, subscription } = await spent(true)
    stage.account.subscriptions.changeItems(subscription, { replace: { price_pro: 'price_enterprise' } })
    stage.account.subscriptions.changeItems(subscription, { add: ['price_seat'] })
    stage.account.subscriptions.updateMetadata(subscription, { note: 'x' })
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ cost: 5, limit: 100 })
  })

  it('is none where another subscription takes the place of the first', async () => {
    const { stage, customer, subscription } = await spent(true)
    stage.account.subscriptions.create({ customer, priceIds: ['price_enterprise'] })
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ cost: 5 })
    stage.account.subscriptions.cancel(subscription)
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ cost: 5 })
  })

  it('is none where the first subscription of a user is found', async () => {
    const stage = await openStage({ webhook: { resetOnRenewal: true } })
    await spend(stage, 0.5)
    stage.subscribed('ada')
    await stage.deliverNew()
    expect(await dailyOf(stage)).toMatchObject({ cost: 0.5 })
  })

  it('of a subscription that nothing was heard of for two periods wipes once', async () => {
    const { stage, customer, subscription } = await spent(true)
    stage.account.subscriptions.renew(subscription)
    stage.clock.set(Date.UTC(2026, 2, 15, 12, 30))
    stage.account.subscriptions.renew(subscription)
    stage.clock.advance('1m')
    await spend(stage, 2)
    await stage.webhook.sync.syncUser(customer)
    expect(await dailyOf(stage)).toMatchObject({ cost: 0 })
    await spend(stage, 2)
    await stage.webhook.sync.syncUser(customer)
    expect(await dailyOf(stage)).toMatchObject({ cost: 2 })
  })

  it('moves the period that billing shows, with what was spent', async () => {
    const { stage, subscription } = await spent(false)
    stage.account.subscriptions.renew(subscription)
    await stage.deliverNew()
    const billing = await stage.bursar.tracker.getUserBilling('ada')
    expect(billing?.period).toEqual({ startsAt: new Date('2026-02-15T12:00:00Z'), endsAt: new Date('2026-03-15T12:00:00Z'), renewsEvery: { months: 1 } })
  })
})

describe('the tier of a request', () => {
  it('is the one that it names, else the directory’s, else the default', async () => {
    const stage = await openStage()
    const limitFor = async (userTier?: 'free' | 'pro' | 'enterprise') => (await stage.bursar.tracker.context({ userId: 'ada', estimatedCost: 0, ...(userTier !== undefined && { userTier }) })).userTier
    expect(await limitFor()).toBe('free')
    stage.subscribed('ada')
    await stage.deliverNew()
    expect(await limitFor()).toBe('pro')
    expect(await limitFor('enterprise')).toBe('enterprise')
    expect(await limitFor('free')).toBe('free')
    allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 8 }))
    deniedOf(await stage.bursar.check({ userId: 'ada', userTier: 'free', estimatedCost: 0.5 }))
  })

  it('is an error where nothing says one and there is no default', async () => {
    const stage = await openStage({ bursar: { defaultTier: undefined } })
    await expect(stage.bursar.check({ userId: 'ada', estimatedCost: 0.1 })).rejects.toThrow(UnknownTierError)
    stage.subscribed('ada')
    await stage.deliverNew()
    allowedOf(await stage.bursar.check({ userId: 'ada', estimatedCost: 0.1 }))
  })
})
