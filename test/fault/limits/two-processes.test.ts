// Two processes on one store: what one changes of limits and tenants the other obeys a second later, and while the store is away both
// go on with what they knew.

import { describe, expect, it } from 'vitest'
import { Bursar, type Store } from '../../../src/index.js'
import { steadyClock } from '../../../src/time/index.js'
import { sharedData } from '../../support/session-stores.js'
import { storeWith } from '../../unit/setting.js'

/** A second of the steady clock goes by: no test may say how long that takes on another. */
async function aSecond(): Promise<void> {
  const until = steadyClock() + 1_001
  while (steadyClock() < until) await new Promise((resolve) => setTimeout(resolve, until - steadyClock()))
}

describe.each([['sqlite'], ['redis']] as const)('two processes on %s', (name) => {
  it('obey a limit a second after the other has made, changed or removed it', async () => {
    const data = await sharedData(name)
    try {
      const [a, b] = [data.process(), data.process()]
      const ask = async (cost: number): Promise<boolean> => (await b.check({ userId: 'ada', estimatedCost: cost })).allowed
      expect(await ask(5)).toBe(true)
      await a.limits.create({ id: 'cap', scope: { kind: 'user', id: 'ada' }, budget: { total: 1 } })
      expect((await a.check({ userId: 'ada', estimatedCost: 5 })).allowed).toBe(false)
      await aSecond()
      expect(await ask(5)).toBe(false)
      await a.limits.change('cap', { budget: { total: 10 } })
      await aSecond()
      expect(await ask(5)).toBe(true)
      await a.limits.change('cap', { until: data.clock() + 1 })
      await aSecond()
      expect(await ask(6)).toBe(false)
      data.clock.advance(1)
      expect(await ask(6)).toBe(true)
      await a.limits.remove('cap')
      await a.limits.tenants.set('acme', { models: ['small'] })
      await aSecond()
      expect(await ask(6)).toBe(true)
      expect(await b.check({ userId: 'ada', tenant: 'acme', model: 'big', estimatedCost: 1 })).toMatchObject({ allowed: false, code: 'policy' })
      expect(await b.tracker.audit()).toMatchObject({ status: 'clean' })
    } finally {
      await data.close()
    }
  })

  it('lose nothing where both change one limit at the same time', async () => {
    const data = await sharedData(name)
    try {
      const [a, b] = [data.process(), data.process()]
      await a.limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 1 } })
      await Promise.all([a.limits.change('cap', { budget: { daily: 2 } }), b.limits.change('cap', { budget: { weekly: 3 } }), a.limits.change('cap', { description: 'both' }), b.limits.change('cap', { mode: 'alert' })])
      expect(await b.limits.get('cap')).toMatchObject({ budget: { daily: 2, weekly: 3, total: 1 }, description: 'both', mode: 'alert' })
      const made = await Promise.allSettled([a, b, a, b].map((each, index) => each.limits.create({ id: 'one', scope: { kind: 'global' }, budget: { total: index + 1 } })))
      expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    } finally {
      await data.close()
    }
  })

  it('stand by what they knew while the registry does not answer', async () => {
    const data = await sharedData(name)
    try {
      const store = data.store()
      let isAway = false
      const registry: Store['registry'] = { ...bound(store), get: (kind, key) => (isAway ? Promise.reject(new Error('gone')) : store.registry.get(kind, key)) }
      const bursar = new Bursar({ tiers: { free: {} }, defaultTier: 'free', clock: data.clock, store: storeWith(store, { registry }), onStoreError: 'local', localShare: 1, storeTimeout: '30s' })
      await bursar.limits.create({ id: 'cap', scope: { kind: 'global' }, budget: { total: 1 } })
      expect((await bursar.check({ userId: 'ada', estimatedCost: 0.5 })).allowed).toBe(true)
      isAway = true
      await aSecond()
      expect(await bursar.check({ userId: 'ada', estimatedCost: 0.6 })).toMatchObject({ allowed: false, enforcedBy: 'local' })
    } finally {
      await data.close()
    }
  })
})

describe('a store that keeps tenants apart', () => {
  it('takes limits of tenants and users, and no other', async () => {
    const data = await sharedData('redis, tenants apart')
    try {
      const bursar = data.process()
      for (const scope of [{ kind: 'global' }, { kind: 'tier', id: 'free' }, { kind: 'tier', id: '*' }]) {
        await expect(bursar.limits.create({ scope, budget: { daily: 1 } })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining("partition: 'all'") as string })
      }
      expect(await bursar.limits.list()).toEqual([])
      for (const scope of [{ kind: 'tenant', id: '*' }, { kind: 'user', id: '*' }, { kind: 'user', id: 'ada' }]) await bursar.limits.create({ scope, budget: { daily: 1 } })
      for (const who of [{ userId: 'ada' }, { userId: 'bob', tenant: 'acme' }]) {
        const decisions = await Promise.all(Array.from({ length: 5 }, () => bursar.check({ ...who, estimatedCost: 0.5 })))
        expect(decisions.filter(({ allowed }) => allowed)).toHaveLength(2)
      }
      expect((await bursar.limits.progress()).map(({ member, held }) => [member, held]).sort()).toEqual([['acme', 1], ['ada', 1], ['ada', 1], ['bob', 1]])
      expect(await bursar.limits.triggered()).toHaveLength(4)
      expect(await bursar.tracker.audit()).toMatchObject({ status: 'clean' })
    } finally {
      await data.close()
    }
  })
})

function bound({ registry }: Store): Store['registry'] {
  return { get: registry.get.bind(registry), put: registry.put.bind(registry), list: registry.list.bind(registry) }
}
