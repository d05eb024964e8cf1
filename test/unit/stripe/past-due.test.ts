// A payment that is overdue: how long it costs nothing, what it costs then, and how it ends.

import { describe, expect, it } from 'vitest'
import { pastDueDegradation, strictBudgetEnforcement } from '../../../policies/index.js'
import { contextFor } from '../../../src/testing/index.js'
import { DAY } from '../setting.js'
import { openStage, type Stage } from '../../support/stripe/stage.js'

const contextOf = (stage: Stage, userId: string) => stage.bursar.tracker.context({ userId, estimatedCost: 0 })
const billingOf = (stage: Stage, userId: string) => stage.bursar.tracker.getUserBilling(userId)

describe('a payment that is overdue', () => {
  async function overdue(options: Parameters<typeof openStage>[0] = {}) {
    const stage = await openStage(options)
    const { subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.clock.advance('31d')
    stage.account.payments.failPayment(subscription)
    const failedAt = stage.clock()
    await stage.deliverNew()
    return { stage, subscription, failedAt }
  }

  it('keeps the tier, and turns from grace to past due by itself after three days', async () => {
    const { stage, failedAt } = await overdue()
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'pro', standing: 'grace' })
    expect((await billingOf(stage, 'ada'))?.pastDueFrom).toEqual(new Date(failedAt + 3 * DAY))
    stage.clock.set(failedAt + 3 * DAY - 1)
    expect(await contextOf(stage, 'ada')).toMatchObject({ standing: 'grace' })
    stage.clock.set(failedAt + 3 * DAY)
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'pro', standing: 'past_due' })
    expect((await billingOf(stage, 'ada'))?.standing).toBe('past_due')
  })

  it('begins no new grace with every attempt that fails', async () => {
    const { stage, subscription, failedAt } = await overdue()
    for (let attempt = 0; attempt < 3; attempt += 1) {
      stage.clock.advance('2d')
      stage.account.payments.failPayment(subscription)
      await stage.deliverNew()
      expect((await billingOf(stage, 'ada'))?.pastDueFrom).toEqual(new Date(failedAt + 3 * DAY))
    }
    expect(await contextOf(stage, 'ada')).toMatchObject({ standing: 'past_due' })
  })

  it('counts from the invoice also where the news of it was lost', async () => {
    const stage = await openStage()
    const { customer, subscription } = stage.subscribed('ada')
    await stage.deliverNew()
    stage.account.payments.failPayment(subscription)
    const failedAt = stage.clock()
    stage.loseNew()
    stage.clock.advance('5d')
    await stage.webhook.sync.syncUser(customer)
    expect(await billingOf(stage, 'ada')).toMatchObject({ standing: 'past_due', pastDueFrom: new Date(failedAt + 3 * DAY) })
  })

  it('is over once it is paid', async () => {
    const { stage, subscription } = await overdue()
    stage.clock.advance('10d')
    stage.account.payments.payInvoice(subscription)
    await stage.deliverNew()
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'pro', standing: 'active' })
    expect((await billingOf(stage, 'ada'))?.pastDueFrom).toBeUndefined()
  })

  it.each(['canceled', 'unpaid'] as const)('costs the tier once Stripe gives up: %s', async (outcome) => {
    const { stage, subscription } = await overdue()
    stage.account.payments.giveUp(subscription, outcome)
    await stage.deliverNew()
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'free', standing: 'none' })
  })

  it('has the grace that was configured', async () => {
    const { stage, failedAt } = await overdue({ webhook: { pastDueGrace: '12h' } })
    expect((await billingOf(stage, 'ada'))?.pastDueFrom).toEqual(new Date(failedAt + DAY / 2))
  })

  it('has hardly any where that is a millisecond', async () => {
    const { stage } = await overdue({ webhook: { pastDueGrace: '1ms' } })
    stage.clock.advance(1)
    expect(await contextOf(stage, 'ada')).toMatchObject({ userTier: 'pro', standing: 'past_due' })
  })

  it('counts from the first look where the invoice that is open cannot be told', async () => {
    const { stage, subscription } = await overdue()
    const live = stage.account.book.get('subscription', subscription)
    const { pastDueFrom } = (await billingOf(stage, 'ada')) as { pastDueFrom: Date }
    live.latest_invoice = null
    stage.clock.advance('1d')
    await stage.webhook.sync.syncUser(live.customer)
    expect((await billingOf(stage, 'ada'))?.pastDueFrom).toEqual(pastDueFrom)
    const fresh = await openStage()
    const { customer, subscription: second } = fresh.subscribed('ada', 'price_pro', { status: 'past_due' })
    fresh.account.book.get('subscription', second).latest_invoice = null
    fresh.clock.advance('9d')
    await fresh.webhook.sync.syncUser(customer)
    expect((await billingOf(fresh, 'ada'))?.pastDueFrom).toEqual(new Date(fresh.clock() + 3 * DAY))
  })

  it('gets a cheaper model where the policy and a ladder are there', async () => {
    const { stage, failedAt } = await overdue({ bursar: { policies: [strictBudgetEnforcement, pastDueDegradation], ladder: { big: 'small' }, estimate: (_request, model) => (model === 'big' ? 1 : 0.1) } })
    const ask = () => stage.bursar.check({ userId: 'ada', model: 'big' })
    expect(await ask()).toMatchObject({ allowed: true, action: 'ALLOW', model: 'big' })
    stage.clock.set(failedAt + 3 * DAY)
    const degraded = await ask()
    expect(degraded).toMatchObject({ allowed: true, action: 'DEGRADE', model: 'small' })
    expect(JSON.stringify(degraded)).toContain('overdue')
  })

  it.each(['active', 'trialing', 'grace', 'none', undefined] as const)('is what the policy acts on, not %s', (standing) => {
    expect(pastDueDegradation(contextFor({ standing }))).toBe('ALLOW')
    expect(pastDueDegradation(contextFor({ standing: 'past_due' }))).toMatchObject({ action: 'DEGRADE' })
  })
})
