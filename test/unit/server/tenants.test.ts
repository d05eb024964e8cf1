// Tenants over HTTP: the operator's alone.

import { afterEach, describe, expect, it } from 'vitest'
import { ACME, ACME_READER, ADA, administration, SOLO, STORES } from '../../support/server/administered.js'
import { caller, OPERATOR } from '../../support/server/app.js'

const { open, closeAll } = administration()

afterEach(closeAll)

describe.each(STORES)('tenants on %s', (store) => {
  it('have a name, and what is set for their users', async () => {
    const { ask, engine, changes } = open(store)
    const view = { id: 'acme', name: 'Acme Inc.', tier: 'pro', models: ['gpt-4o*'], createdAt: '2026-03-10T12:00:00.000Z', updatedAt: '2026-03-10T12:00:00.000Z' }
    expect(await ask(OPERATOR, 'POST', '/v1/tenants', { id: 'acme', name: 'Acme Inc.', tier: 'pro', models: ['gpt-4o*'] })).toMatchObject({ status: 201, json: view })
    expect((await ask(caller(['read']), 'GET', '/v1/tenants/acme')).json).toEqual(view)
    expect(await engine.tracker.limits.tenants.get('acme')).toMatchObject({ tier: 'pro', models: ['gpt-4o*'] })
    expect((await ask(OPERATOR, 'GET', '/v1/users/ada/budget?tenant=acme')).json).toMatchObject({ tier: 'pro', budget_limit_usd: 100 })
    expect(changes).toEqual([['tenant', 'acme']])
    expect((await ask(OPERATOR, 'POST', '/v1/tenants', { id: 'globex' })).json).toMatchObject({ name: null, tier: null, models: null })
  })

  it('are made once, also where only settings stand', async () => {
    const { ask, engine } = open(store)
    const both = await Promise.all([ask(OPERATOR, 'POST', '/v1/tenants', { id: 'acme' }), ask(OPERATOR, 'POST', '/v1/tenants', { id: 'acme' })])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    await engine.tracker.limits.tenants.set('set', { tier: 'pro' })
    expect((await ask(OPERATOR, 'POST', '/v1/tenants', { id: 'set', tier: 'free' })).status).toBe(409)
    expect((await ask(OPERATOR, 'GET', '/v1/tenants/set')).json).toEqual({ id: 'set', name: null, tier: 'pro', models: null, createdAt: null, updatedAt: null })
  })

  it('are set as a whole', async () => {
    const opened = open(store)
    const { ask, engine } = opened
    expect((await ask(OPERATOR, 'PUT', '/v1/tenants/acme', { name: 'Acme', tier: 'pro', models: ['a'] })).status).toBe(201)
    opened.now += 1_000
    expect(await ask(OPERATOR, 'PUT', '/v1/tenants/acme', { models: ['b'] })).toMatchObject({ status: 200, json: { name: null, tier: null, models: ['b'], createdAt: '2026-03-10T12:00:00.000Z', updatedAt: '2026-03-10T12:00:01.000Z' } })
    expect((await ask(OPERATOR, 'PUT', '/v1/tenants/acme', { name: 'Acme' })).json).toMatchObject({ name: 'Acme', models: null })
    expect(await engine.tracker.limits.tenants.get('acme')).toBeUndefined()
  })

  it('are forgotten, and their users are not', async () => {
    const { ask, engine } = open(store)
    await ask(OPERATOR, 'POST', '/v1/tenants', { id: 'acme', name: 'Acme', tier: 'pro' })
    await engine.tracker.addCost({ userId: 'ada', tenant: 'acme', cost: 0.5 })
    expect((await ask(OPERATOR, 'DELETE', '/v1/tenants/acme')).status).toBe(204)
    expect((await ask(OPERATOR, 'GET', '/v1/tenants/acme')).status).toBe(404)
    expect((await ask(OPERATOR, 'DELETE', '/v1/tenants/acme')).status).toBe(404)
    expect((await ask(ACME, 'GET', '/v1/users/ada/budget')).json).toMatchObject({ tier: 'free', budget_used_usd: 0.5 })
    await engine.tracker.limits.tenants.set('set', { tier: 'pro' })
    expect((await ask(OPERATOR, 'DELETE', '/v1/tenants/set')).status).toBe(204)
    expect(await engine.tracker.limits.tenants.get('set')).toBeUndefined()
  })

  it('are listed page by page, with those that only have settings', async () => {
    const { ask, engine } = open(store)
    for (const id of ['delta', 'acme', 'charlie']) await ask(OPERATOR, 'POST', '/v1/tenants', { id })
    await engine.tracker.limits.tenants.set('bravo', { models: ['a'] })
    await ask(OPERATOR, 'PUT', '/v1/tenants/charlie', { tier: 'pro' })
    const first = (await ask(OPERATOR, 'GET', '/v1/tenants?limit=2')).json
    expect(first.items.map(({ id }: { id: string }) => id)).toEqual(['acme', 'bravo'])
    const rest = (await ask(OPERATOR, 'GET', `/v1/tenants?limit=2&cursor=${first.next}`)).json
    expect(rest).toMatchObject({ items: [{ id: 'charlie', tier: 'pro' }, { id: 'delta' }] })
    expect(rest.next).toBeUndefined()
  })

  it('are no business of a tenant’s or a user’s', async () => {
    const { ask, engine } = open(store)
    await ask(OPERATOR, 'POST', '/v1/tenants', { id: 'acme', tier: 'pro' })
    const attempts = [
      ['GET', '/v1/tenants', undefined],
      ['POST', '/v1/tenants', { id: 'new' }],
      ['GET', '/v1/tenants/acme', undefined],
      ['PUT', '/v1/tenants/acme', { tier: 'free' }],
      ['DELETE', '/v1/tenants/acme', undefined],
    ] as const
    for (const [method, path, given] of attempts) {
      for (const as of [ACME, ACME_READER, ADA, SOLO, caller(['check'])]) expect((await ask(as, method, path, given)).status, `${method} ${path} ${as.keyId}`).toBe(403)
      expect((await ask(undefined, method, path, given)).status).toBe(401)
      if (method !== 'GET') expect((await ask(caller(['read']), method, path, given)).status).toBe(403)
    }
    expect(await engine.tracker.limits.tenants.list()).toMatchObject([{ tenant: 'acme', tier: 'pro' }])
  })

  it('are not made of what is wrong', async () => {
    const { ask, changes } = open(store)
    const wrong = [{}, { id: '' }, { id: '\ud800' }, { id: 'a\n' }, { id: 'a'.repeat(101) }, { id: 'acme', tier: 'gold' }, { id: 'acme', models: [] }, { id: 'acme', models: ['g*t'] }, { id: 'acme', name: '' }, { id: 'acme', name: '\u0000' }, { id: 'acme', more: 1 }]
    for (const given of wrong) expect((await ask(OPERATOR, 'POST', '/v1/tenants', given)).status, JSON.stringify(given)).toBe(422)
    for (const given of [{ tier: 'gold' }, { models: ['g*t'] }, { more: 1 }]) expect((await ask(OPERATOR, 'PUT', '/v1/tenants/acme', given)).status, JSON.stringify(given)).toBe(422)
    expect((await ask(OPERATOR, 'GET', '/v1/tenants')).json).toEqual({ items: [] })
    expect((await ask(OPERATOR, 'GET', '/v1/tenants/acme')).status).toBe(404)
    expect(changes).toEqual([])
  })
})
