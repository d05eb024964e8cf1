// Customers over HTTP: written down, found, changed and removed, each by its own tenant's keys alone.

import { afterEach, describe, expect, it } from 'vitest'
import { ACME, ACME_CHECKER, ACME_READER, ADA, administration, GLOBEX, NOON, SOLO, STORES } from '../../support/server/administered.js'
import { OPERATOR } from '../../support/server/app.js'

const { open, closeAll } = administration()

afterEach(closeAll)

describe.each(STORES)('customers on %s', (store) => {
  it('are made with a tier, and read back', async () => {
    const { ask, engine, changes } = open(store)
    const made = await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', email: 'ada@acme.test', metadata: { plan: 'yearly', seats: 3, trial: false, note: null }, tier: 'pro' })
    const view = { id: 'ada', tenant: 'acme', name: 'Ada', email: 'ada@acme.test', metadata: { plan: 'yearly', seats: 3, trial: false, note: null }, tier: 'pro', createdAt: '2026-03-10T12:00:00.000Z', updatedAt: '2026-03-10T12:00:00.000Z', version: made.json.version }
    expect(made).toMatchObject({ status: 201, json: view })
    expect(made.headers.get('etag')).toBe(`"${made.json.version}"`)
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBe('pro')
    for (const as of [ACME, ACME_READER, ADA]) expect((await ask(as, 'GET', '/v1/customers/ada')).json).toEqual(view)
    expect((await ask(OPERATOR, 'GET', '/v1/customers/ada?tenant=acme')).json).toEqual(view)
    expect(changes).toEqual([['customer', 'acme']])
    expect((await ask(OPERATOR, 'POST', '/v1/customers', { id: 'ada', name: 'Another' })).json).toMatchObject({ tenant: null, email: null, metadata: {}, tier: null })
  })

  it('are made once', async () => {
    const { ask } = open(store)
    const both = await Promise.all([ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'One' }), ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Other', tier: 'pro' })])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    const { json } = await ask(ACME, 'GET', '/v1/customers/ada')
    expect(json.tier).toBe(json.name === 'Other' ? 'pro' : null)
    expect(await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Third' })).toMatchObject({ status: 409, json: { code: 'CONFLICT' } })
  })

  it('are made by asking for the same again after their tier could not be written', async () => {
    const { ask, engine } = open(store)
    const { setUserTier } = engine.tracker
    const { put } = engine.tracker.registry
    // As if the process had ended there: nothing can be written after the record.
    engine.tracker.setUserTier = () => {
      engine.tracker.registry.put = () => Promise.reject(new TypeError('away'))
      return Promise.reject(new TypeError('away'))
    }
    expect((await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })).status).toBe(500)
    Object.assign(engine.tracker, { setUserTier })
    engine.tracker.registry.put = put
    expect(await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })).toMatchObject({ status: 201, json: { tier: 'pro' } })
    expect((await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })).status).toBe(409)
  })

  it('are written anew by PUT and changed by PATCH', async () => {
    const opened = open(store)
    const { ask } = opened
    await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', email: 'ada@acme.test', metadata: { a: 1 }, tier: 'pro' })
    opened.now += 1_000
    expect(await ask(ACME, 'PATCH', '/v1/customers/ada', { name: 'Ada L.' })).toMatchObject({
      status: 200,
      json: { name: 'Ada L.', email: 'ada@acme.test', metadata: { a: 1 }, tier: 'pro', createdAt: new Date(NOON).toISOString(), updatedAt: new Date(NOON + 1_000).toISOString() },
    })
    expect((await ask(ACME, 'PATCH', '/v1/customers/ada', { email: null, metadata: { b: 2 }, tier: null })).json).toMatchObject({ name: 'Ada L.', email: null, metadata: { b: 2 }, tier: null })
    expect((await ask(ACME, 'PATCH', '/v1/customers/ada', { metadata: null })).json).toMatchObject({ metadata: {} })
    await ask(ACME, 'PATCH', '/v1/customers/ada', { email: 'ada@acme.test', metadata: { c: 3 }, tier: 'free' })
    expect(await ask(ACME, 'PUT', '/v1/customers/ada', { name: 'Countess' })).toMatchObject({ status: 200, json: { name: 'Countess', email: null, metadata: {}, tier: 'free' } })
    expect((await ask(ACME, 'PUT', '/v1/customers/ada', { name: 'Countess', email: 'c@acme.test', tier: 'pro' })).json).toMatchObject({ email: 'c@acme.test', tier: 'pro' })
  })

  it('stay as they are for whoever has read an older version', async () => {
    const { ask } = open(store)
    const first = (await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada' })).headers.get('etag') as string
    const second = (await ask(ACME, 'PUT', '/v1/customers/ada', { name: 'Second' }, { 'if-match': first })).headers.get('etag') as string
    expect(second).not.toBe(first)
    expect((await ask(ACME, 'PUT', '/v1/customers/ada', { name: 'Late', tier: 'pro' }, { 'if-match': first })).status).toBe(412)
    expect((await ask(ACME, 'PATCH', '/v1/customers/ada', { name: 'Late', tier: 'pro' }, { 'if-match': first })).status).toBe(412)
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada', undefined, { 'if-match': first })).status).toBe(412)
    expect((await ask(ACME, 'GET', '/v1/customers/ada')).json).toMatchObject({ name: 'Second', tier: null })
    expect((await ask(ACME, 'PUT', '/v1/customers/ada', { name: 'Late' }, { 'if-match': 'yesterday' })).status).toBe(422)
    expect((await ask(ACME, 'PATCH', '/v1/customers/ada', { name: 'Any' }, { 'if-match': '*' })).status).toBe(200)
    const third = (await ask(ACME, 'GET', '/v1/customers/ada')).headers.get('etag') as string
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada', undefined, { 'if-match': third })).status).toBe(204)
  })

  it('that have changed since keep tier and limits when they are to go', async () => {
    const { ask, engine } = open(store)
    const ada = { userId: 'ada', tenant: 'acme' }
    const read = (await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })).headers.get('etag') as string
    await ask(ACME, 'PUT', '/v1/users/ada/budget', { daily: 0 })
    const { get, put } = engine.tracker.registry
    let isFirst = true
    // Another process renames the customer after this one has read it, and before it writes.
    engine.tracker.registry.put = async (kind, key, value, options) => {
      if (kind === 'customer' && isFirst) {
        isFirst = false
        const found = await get.call(engine.tracker.registry, kind, key)
        await put.call(engine.tracker.registry, kind, key, JSON.stringify({ ...JSON.parse(found?.value as string), name: 'Theirs' }), { expected: found?.version ?? 0 })
      }
      return put.call(engine.tracker.registry, kind, key, value, options)
    }
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada', undefined, { 'if-match': read })).status).toBe(412)
    expect(await engine.tracker.getUserTier(ada)).toBe('pro')
    expect(await engine.tracker.getUserOverrides(ada)).toHaveLength(1)
    expect((await ask(ACME, 'GET', '/v1/customers/ada')).json).toMatchObject({ name: 'Theirs', tier: 'pro' })
  })

  it('go when that is asked again after it broke off', async () => {
    const { ask, engine } = open(store)
    const read = (await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })).headers.get('etag') as string
    const { setUserTier } = engine.tracker
    engine.tracker.setUserTier = () => Promise.reject(new TypeError('away'))
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada', undefined, { 'if-match': read })).status).toBe(500)
    engine.tracker.setUserTier = setUserTier
    expect((await ask(ACME, 'GET', '/v1/customers/ada')).status).toBe(404)
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada', undefined, { 'if-match': read })).status).toBe(204)
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBeUndefined()
    expect((await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada again' })).status).toBe(201)
  })

  it('that the operator was removing go with tier and limits, and not by a tenant that may not clear them', async () => {
    const { ask, engine } = open(store, {}, { tenantsManageBudgets: false })
    const ada = { userId: 'ada', tenant: 'acme' }
    await ask(OPERATOR, 'POST', '/v1/customers', { id: 'ada', tenant: 'acme', name: 'Ada', tier: 'pro' })
    await engine.tracker.updateUserBudget(ada, { daily: 7 })
    const { updateUserBudget } = engine.tracker
    engine.tracker.updateUserBudget = () => Promise.reject(new TypeError('away'))
    expect((await ask(OPERATOR, 'DELETE', '/v1/customers/ada?tenant=acme')).status).toBe(500)
    engine.tracker.updateUserBudget = updateUserBudget
    expect(await ask(ACME, 'DELETE', '/v1/customers/ada')).toMatchObject({ status: 409, json: { code: 'CONFLICT', detail: expect.stringContaining("key of the operator's") } })
    expect((await ask(OPERATOR, 'DELETE', '/v1/customers/ada?tenant=acme')).status).toBe(204)
    expect(await engine.tracker.getUserTier(ada)).toBeUndefined()
    expect(await engine.tracker.getUserOverrides(ada)).toEqual([])
  })

  it('made anew while a slow removal of the one before takes its tier away have theirs', async () => {
    const { ask, engine } = open(store)
    await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })
    const { setUserTier } = engine.tracker
    engine.tracker.setUserTier = async (...given) => {
      engine.tracker.setUserTier = setUserTier
      expect((await ask(ACME, 'DELETE', '/v1/customers/ada')).status).toBe(204)
      expect((await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Anew', tier: 'pro' })).status).toBe(201)
      await setUserTier.apply(engine.tracker, given)
    }
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada')).status).toBe(204)
    expect((await ask(ACME, 'GET', '/v1/customers/ada')).json).toMatchObject({ name: 'Anew', tier: 'pro' })
  })

  it('have no tier from their tenant unless tenants manage budgets, and keep what the operator has set when they go', async () => {
    const { ask, engine } = open(store, {}, { tenantsManageBudgets: false })
    const ada = { userId: 'ada', tenant: 'acme' }
    const refused = { status: 403, json: { code: 'FORBIDDEN', detail: expect.stringContaining('tenantsManageBudgets') } }
    expect(await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })).toMatchObject(refused)
    expect((await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada' })).status).toBe(201)
    for (const method of ['PUT', 'PATCH']) for (const tier of ['pro', null]) expect(await ask(ACME, method, '/v1/customers/ada', { name: 'Ada', tier }), method).toMatchObject(refused)
    expect((await ask(OPERATOR, 'PATCH', '/v1/customers/ada?tenant=acme', { tier: 'pro' })).json).toMatchObject({ tier: 'pro' })
    await engine.tracker.updateUserBudget(ada, { daily: 0.1 })
    expect((await ask(ACME, 'PATCH', '/v1/customers/ada', { name: 'Countess' })).json).toMatchObject({ name: 'Countess', tier: 'pro' })
    expect((await ask(ACME, 'DELETE', '/v1/customers/ada')).status).toBe(204)
    expect(await engine.tracker.getUserTier(ada)).toBe('pro')
    expect(await engine.tracker.getUserOverrides(ada)).toMatchObject([{ period: 'daily', limit: 0.1 }])
  })

  it('keep both of two changes at the same time', async () => {
    const { ask } = open(store)
    await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada' })
    const changed = await Promise.all([ask(ACME, 'PATCH', '/v1/customers/ada', { email: 'ada@acme.test' }), ask(ACME, 'PATCH', '/v1/customers/ada', { metadata: { a: 1 } })])
    expect(changed.map(({ status }) => status)).toEqual([200, 200])
    expect((await ask(ACME, 'GET', '/v1/customers/ada')).json).toMatchObject({ email: 'ada@acme.test', metadata: { a: 1 } })
  })

  it('go with tier and own limits, and leave what was spent', async () => {
    const { ask, engine } = open(store)
    const ada = { userId: 'ada', tenant: 'acme' }
    await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada', tier: 'pro' })
    await engine.tracker.updateUserBudget(ada, { daily: 7, rolling: { '5h': 1 } })
    await engine.tracker.addCost({ ...ada, cost: 0.5 })
    expect(await ask(ACME, 'DELETE', '/v1/customers/ada')).toMatchObject({ status: 204, text: '' })
    expect(await engine.tracker.getUserTier(ada)).toBeUndefined()
    expect(await engine.tracker.getUserOverrides(ada)).toEqual([])
    expect((await ask(ACME, 'GET', '/v1/users/ada/budget?period=daily')).json).toMatchObject({ budget_used_usd: 0.5, budget_limit_usd: 1 })
    for (const [method, given] of [['GET', undefined], ['DELETE', undefined], ['PUT', { name: 'x' }], ['PATCH', { name: 'x' }]] as const) {
      expect((await ask(ACME, method, '/v1/customers/ada', given)).status, method).toBe(404)
    }
    expect((await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada again' })).status).toBe(201)
  })

  it('are listed page by page in one order, each once, whoever comes in between', async () => {
    const { ask } = open(store)
    const ids = ['dora', 'ada', 'carl', 'Bob', 'ed', 'ümit', 'a/b', 'a b']
    for (const id of ids) await ask(ACME, 'POST', '/v1/customers', { id, name: `Name of ${id}` })
    await ask(GLOBEX, 'POST', '/v1/customers', { id: 'carla', name: 'Carla' })
    const seen: string[] = []
    let next: string | undefined
    do {
      const { status, json } = await ask(ACME_READER, 'GET', `/v1/customers?limit=3${next === undefined ? '' : `&cursor=${next}`}`)
      expect(status).toBe(200)
      seen.push(...json.items.map(({ id }: { id: string }) => id))
      if (next === undefined) await ask(ACME, 'POST', '/v1/customers', { id: 'a', name: 'Before the cursor' })
      next = json.next
    } while (next !== undefined)
    expect(seen).toEqual([...ids].sort())
    expect((await ask(ACME, 'GET', '/v1/customers?limit=9')).json.next).toBeUndefined()
    expect((await ask(ACME, 'GET', '/v1/customers?limit=8')).json.next).toEqual(expect.any(String))
  })

  it('are found by how their id, name or address begins', async () => {
    const { ask } = open(store)
    await ask(ACME, 'POST', '/v1/customers', { id: 'u1', name: 'Ada', email: 'countess@acme.test' })
    await ask(ACME, 'POST', '/v1/customers', { id: 'u2', name: 'Bob' })
    await ask(ACME, 'POST', '/v1/customers', { id: 'ad-3', name: 'Carl' })
    await ask(GLOBEX, 'POST', '/v1/customers', { id: 'u9', name: 'Adam' })
    const found = async (q: string): Promise<string[]> => (await ask(ACME, 'GET', `/v1/customers?q=${q}`)).json.items.map(({ id }: { id: string }) => id)
    expect(await found('aD')).toEqual(['ad-3', 'u1'])
    expect(await found('u')).toEqual(['u1', 'u2'])
    expect(await found('COUNT')).toEqual(['u1'])
    expect(await found('da')).toEqual([])
  })

  it('are nobody else’s', async () => {
    const { ask, changes } = open(store)
    await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada' })
    await ask(ACME, 'POST', '/v1/customers', { id: 'bob', name: 'Bob' })
    await ask(OPERATOR, 'POST', '/v1/customers', { id: 'solo', name: 'Solo' })
    const told = changes.length
    for (const [method, given] of [['GET', undefined], ['PUT', { name: 'x' }], ['PATCH', { name: 'x' }], ['DELETE', undefined]] as const) {
      for (const id of ['ada', 'acme%2Fada', '..%2Facme%2Fada']) {
        expect((await ask(GLOBEX, method, `/v1/customers/${id}`, given)).status, `${method} ${id}`).toBe(404)
        expect((await ask(GLOBEX, method, `/v1/customers/${id}?tenant=acme`, given)).status, `${method} ${id}`).toBe(403)
      }
      for (const as of [ADA, SOLO]) expect((await ask(as, method, '/v1/customers/bob', given)).status, method).toBe(403)
      expect((await ask(undefined, method, '/v1/customers/ada', given)).status).toBe(401)
      if (method !== 'GET') for (const as of [ACME_READER, ADA]) expect((await ask(as, method, '/v1/customers/ada', given)).status).toBe(403)
      expect((await ask(ACME_CHECKER, method, '/v1/customers/ada', given)).status).toBe(403)
    }
    expect((await ask(GLOBEX, 'POST', '/v1/customers', { id: 'ada', tenant: 'acme', name: 'x' })).status).toBe(403)
    expect((await ask(ACME_READER, 'POST', '/v1/customers', { id: 'new', name: 'x' })).status).toBe(403)
    const listed = async (as: typeof ACME, query = ''): Promise<string[]> => (await ask(as, 'GET', `/v1/customers${query}`)).json.items.map(({ id, tenant }: { id: string; tenant: string | null }) => `${tenant}/${id}`)
    expect(await listed(GLOBEX)).toEqual([])
    expect((await ask(GLOBEX, 'GET', '/v1/customers?tenant=acme')).status).toBe(403)
    expect(await listed(ADA)).toEqual(['acme/ada'])
    expect(await listed(SOLO)).toEqual(['null/solo'])
    expect(await listed(OPERATOR)).toEqual(['null/solo', 'acme/ada', 'acme/bob'])
    expect(await listed(OPERATOR, '?tenant=acme')).toEqual(['acme/ada', 'acme/bob'])
    // A cursor that somebody else was given leads nowhere else.
    const { next } = (await ask(OPERATOR, 'GET', '/v1/customers?limit=1')).json
    expect(await listed(GLOBEX, `?cursor=${next}`)).toEqual([])
    expect(changes.length).toBe(told)
  })

  it('are not made of what is wrong', async () => {
    const { ask, engine } = open(store)
    const wrong = [
      { id: 'ada' },
      { name: 'Ada' },
      { id: '', name: 'Ada' },
      { id: 'a\u0007', name: 'Ada' },
      { id: '\ud800', name: 'Ada' },
      { id: 'ada', name: '' },
      { id: 'ada', name: 'A\u0000' },
      { id: 'ada', name: 'A'.repeat(201) },
      { id: 'ada', name: 'Ada', email: 'nobody' },
      { id: 'ada', name: 'Ada', tier: 'gold' },
      { id: 'ada', name: 'Ada', metadata: { deep: { a: 1 } } },
      { id: 'ada', name: 'Ada', metadata: Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`k${index}`, index])) },
      { id: 'ada', name: 'Ada', more: 1 },
      [],
    ]
    for (const given of wrong) expect((await ask(ACME, 'POST', '/v1/customers', given)).status, JSON.stringify(given)).toBe(422)
    expect((await ask(OPERATOR, 'POST', '/v1/customers', { id: 'ada', tenant: '\ud800', name: 'Ada' })).status).toBe(422)
    expect((await ask(OPERATOR, 'POST', '/v1/customers', '{"id":')).status).toBe(400)
    for (const query of ['limit=0', 'limit=1001', 'limit=x', 'cursor=!', 'cursor=', 'q=', 'order=name']) expect((await ask(ACME, 'GET', `/v1/customers?${query}`)).status, query).toBe(422)
    expect((await ask(ACME, 'GET', '/v1/customers')).json).toEqual({ items: [] })
    expect(await engine.tracker.getUserTier({ userId: 'ada', tenant: 'acme' })).toBeUndefined()
    await ask(ACME, 'POST', '/v1/customers', { id: 'ada', name: 'Ada' })
    for (const method of ['PUT', 'PATCH']) expect((await ask(ACME, method, '/v1/customers/ada', { name: 'New', tier: 'gold' })).status).toBe(422)
    expect((await ask(ACME, 'PUT', '/v1/customers/ada', { email: 'a@b.test' })).status).toBe(422)
    expect((await ask(ACME, 'GET', '/v1/customers/ada')).json.name).toBe('Ada')
  })
})
