// Looking at everybody: what was lost is found, and one customer that fails keeps no other waiting.

import { describe, expect, it } from 'vitest'
import { openStage } from '../../support/stripe/stage.js'

describe('syncAll', () => {
  it('finds what no event has told of', async () => {
    const stage = await openStage()
    const { subscription } = stage.subscribed('ada')
    stage.subscribed('bob', 'price_enterprise')
    stage.account.customers.create()
    expect(await stage.webhook.sync.syncAll()).toEqual({ customers: 3, parked: 0, failed: [] })
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['pro', 'enterprise'])
    expect((await stage.bursar.tracker.getUserBilling('ada'))?.reason).toBe('reconcile')
    stage.account.subscriptions.cancel(subscription)
    await stage.webhook.sync.syncAll()
    expect([await stage.tierOf('ada'), await stage.tierOf('bob')]).toEqual(['free', 'enterprise'])
  })

  it('looks at more customers than a page has, each once', async () => {
    const stage = await openStage()
    for (let index = 0; index < 215; index += 1) stage.customer(`user-${index}`)
    const { customer } = stage.subscribed('ada')
    stage.subscribed('bob', 'price_enterprise')
    await stage.deliverNew()
    const looked: string[] = []
    stage.webhook.sync.events.on('synced', ({ customer }) => void looked.push(customer))
    expect(await stage.webhook.sync.syncAll()).toEqual({ customers: 217, parked: 0, failed: [] })
    expect(looked).toHaveLength(217)
    expect(new Set(looked).size).toBe(217)
    expect(looked).toContain(customer)
  })

  it('goes on past a customer that fails, and reports it', async () => {
    const stage = await openStage()
    const users = ['ada', 'bob', 'eve', 'kim', 'lou', 'max']
    const customers = users.map((userId) => stage.subscribed(userId).customer)
    stage.standIn.beforeReply = ({ query }) => {
      if (query['customer'] === customers[2]) throw new Error('cut')
    }
    const { failed, ...counts } = await stage.webhook.sync.syncAll()
    expect(counts).toEqual({ customers: 6, parked: 0 })
    expect(failed).toEqual([{ customer: customers[2], error: expect.any(Error) }])
    expect(stage.heard('sync-error')).toEqual(failed)
    expect(await Promise.all(users.map((userId) => stage.tierOf(userId)))).toEqual(['pro', 'pro', undefined, 'pro', 'pro', 'pro'])
    stage.standIn.beforeReply = undefined
    expect((await stage.webhook.sync.syncAll()).failed).toEqual([])
    expect(await stage.tierOf('eve')).toBe('pro')
  })

  it('counts whoever waits for a user', async () => {
    const stage = await openStage()
    stage.account.subscriptions.create({ customer: stage.account.customers.create(), priceIds: ['price_pro'] })
    expect(await stage.webhook.sync.syncAll()).toEqual({ customers: 1, parked: 1, failed: [] })
  })

  it('changes nothing where nothing has changed', async () => {
    const stage = await openStage()
    stage.subscribed('ada')
    stage.subscribed('bob', 'price_enterprise')
    await stage.deliverNew()
    const said = async () => Promise.all(['ada', 'bob'].map(async (user) => ({ ...(await stage.bursar.tracker.getUserBilling(user)), fence: 'of the look' })))
    const before = await said()
    const changes: object[] = []
    stage.bursar.tracker.events.on('tier-changed', (change) => void changes.push(change))
    stage.clock.advance('1h')
    await stage.webhook.sync.syncAll()
    expect(await said()).toEqual(before)
    expect(changes).toEqual([])
  })

  it('may run in two processes at once', async () => {
    const stage = await openStage()
    for (const userId of ['ada', 'bob', 'eve']) stage.subscribed(userId)
    const other = stage.open()
    const both = await Promise.all([stage.webhook.sync.syncAll(), other.webhook.sync.syncAll()])
    expect(both).toEqual([{ customers: 3, parked: 0, failed: [] }, { customers: 3, parked: 0, failed: [] }])
    expect(await Promise.all(['ada', 'bob', 'eve'].map((userId) => stage.tierOf(userId)))).toEqual(['pro', 'pro', 'pro'])
  })
})
