// runAs: whose money code spends that does not say it.

import { describe, expect, it } from 'vitest'
import { Bursar } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf, entriesOf } from '../setting.js'

const engine = () =>
  new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 5 } }, defaultTier: 'free', scopes: { team: { search: {} } }, clock: manualClock() })

describe('runAs', () => {
  it('gives code deep inside an identity, through everything that it awaits', async () => {
    const bursar = engine()
    const deep = async () => {
      await Promise.resolve()
      const decision = allowedOf(await bursar.check({ estimatedCost: 0.1, metadata: { step: 1 } }))
      await decision.settle({ cost: 0.1 })
      return decision
    }
    const decision = await bursar.runAs({ userId: 'ada', tenant: 'acme', userTier: 'pro', scopes: { team: 'search' }, metadata: { app: 'x' } }, deep)
    expect(decision.context).toMatchObject({ userId: 'ada', tenant: 'acme', userTier: 'pro', metadata: { app: 'x', step: 1 } })
    expect((await entriesOf(bursar.tracker))[0]).toMatchObject({ userId: 'ada', tenant: 'acme', tier: 'pro' })
  })

  it('keeps flows apart that run at the same time, and gives what the function gives', async () => {
    const bursar = engine()
    const users = Array.from({ length: 20 }, (_, index) => `u${index}`)
    const seen = await Promise.all(users.map((userId) => bursar.runAs({ userId }, async () => {
      await Promise.resolve()
      return bursar.guard({ estimatedCost: 0.01 }, async ({ decision }) => ({ result: decision.context.userId, cost: 0.01 }))
    })))
    expect(seen).toEqual(users)
    expect(bursar.runAs({ userId: 'u' }, () => 5)).toBe(5)
    expect(() => bursar.runAs({ userId: 'u' }, () => { throw new Error('as it is') })).toThrow('as it is')
  })

  it('counts only inside, the innermost first, and never where a request names its user', async () => {
    const bursar = engine()
    expect(bursar.identity).toBeUndefined()
    await bursar.runAs({ userId: 'outer', userTier: 'pro' }, async () => {
      expect(bursar.identity).toEqual({ userId: 'outer', userTier: 'pro' })
      await bursar.runAs({ userId: 'inner' }, async () => expect(allowedOf(await bursar.check({ estimatedCost: 0 })).context).toMatchObject({ userId: 'inner', userTier: 'free' }))
      const named = allowedOf(await bursar.check({ userId: 'ben', estimatedCost: 0 }))
      expect(named.context).toMatchObject({ userId: 'ben', userTier: 'free' })
    })
    await expect(bursar.check({ estimatedCost: 0 })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('userId') as string })
  })

  it('stands behind a request that names the very same user, with what that does not say itself', async () => {
    const bursar = engine()
    const run = await bursar.session({ userId: 'ada', tenant: 'acme', userTier: 'pro', scopes: { team: 'search' }, metadata: { app: 'x' }, maxCost: 0.5 })
    const other = await bursar.session({ userId: 'ada', tenant: 'acme', maxCost: 0.5 })
    const ada = { userId: 'ada', tenant: 'acme' }
    const sessionsOf = async (request: object) => {
      const { windows, context } = await bursar.runAs(run.identity, () => bursar.check({ estimatedCost: 0.1, ...request }))
      return { in: windows.filter(({ scope }) => scope.kind === 'session').map(({ scope }) => scope.id).filter((id, index, all) => all.indexOf(id) === index), context }
    }
    const inRun = [`ada/${run.id}`]
    expect(await sessionsOf(ada)).toMatchObject({ in: inRun, context: { userTier: 'pro', metadata: { app: 'x' } } })
    expect(await sessionsOf({ ...ada, sessionId: undefined, userTier: 'free', metadata: { step: 1 } })).toMatchObject({ in: inRun, context: { userTier: 'free', metadata: { app: 'x', step: 1 } } })
    expect((await sessionsOf({ ...ada, sessionId: other.id })).in).toEqual([`ada/${other.id}`])
    for (const another of [{ userId: 'ada' }, { userId: 'ada', tenant: 'other' }, { userId: 'ben', tenant: 'acme' }]) expect(await sessionsOf(another)).toMatchObject({ in: [], context: { userTier: 'free', metadata: {} } })
    // An identity of the same user without a session is the way out of one.
    await bursar.runAs(run.identity, () => bursar.runAs(ada, async () => expect((await bursar.check({ ...ada, estimatedCost: 0.1 })).windows.some(({ scope }) => scope.kind === 'session')).toBe(false)))
    expect((await run.summary()).held).toBe(0.2)
    await expect(bursar.runAs(run.identity, () => bursar.guard({ ...ada, estimatedCost: 0.4 }, async () => ({ result: 0, cost: 0.4 })))).rejects.toMatchObject({ sessionId: run.id, cap: 0.5 })
  })

  it.each([[{ scopes: null }, 'scopes'], [{ metadata: null }, 'metadata'], [{ scopes: ['search'] }, 'scopes'], [{ metadata: 'text' }, 'metadata']])('lets no %j of the same user through', async (wrong, says) => {
    const bursar = engine()
    await bursar.runAs({ userId: 'ada', scopes: { team: 'search' }, metadata: { app: 'x' } }, () => expect(bursar.check({ userId: 'ada', estimatedCost: 0, ...wrong } as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(says) as string }))
  })

  it('is of one engine', async () => {
    const [one, other] = [engine(), engine()]
    await one.runAs({ userId: 'ada' }, () => expect(other.check({ estimatedCost: 0 })).rejects.toThrow('runAs'))
  })

  it.each([
    [{}, 'userId'],
    [{ userId: '' }, 'userId'],
    [{ userId: 'u', idempotencyKey: 'k' }, 'idempotencyKey'],
    [{ userId: 'u', usertier: 'pro' }, 'usertier'],
    [null, 'identity'],
    ['u', 'identity: "u"'],
  ])('refuses %j, and does not call', (identity, says) => {
    let called = false
    expect(() => engine().runAs(identity as never, () => (called = true))).toThrow(says)
    expect(called).toBe(false)
  })

  it('does not mix the identity of one with a field of another', async () => {
    const bursar = engine()
    await bursar.runAs({ userId: 'ada', tenant: 'acme' }, () => expect(bursar.check({ tenant: 'other', estimatedCost: 0 })).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('tenant') as string }))
    await bursar.runAs({ userId: 'ada' }, () => expect(bursar.check({ tenant: 'other', estimatedCost: 0 })).rejects.toMatchObject({ message: expect.stringContaining('tenant') as string }))
  })
})
