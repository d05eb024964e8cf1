// Limits over HTTP: made, changed, removed and read, each within the reach of the key.

import { afterEach, describe, expect, it } from 'vitest'
import { ACME, ACME_CHECKER, ACME_READER, ADA, administration, GLOBEX, NOON, SOLO, STORES } from '../../support/server/administered.js'
import { caller, OPERATOR } from '../../support/server/app.js'

const { open, closeAll } = administration()

afterEach(closeAll)

const idsOf = (json: { items: { id: string }[] }): string[] => json.items.map(({ id }) => id)

describe.each(STORES)('limits on %s', (store) => {
  it('are made by the operator for anybody, and read back', async () => {
    const { ask, changes } = open(store, { scopes: { team: { search: {} } } } as never)
    const given = {
      id: 'cap',
      scope: { kind: 'tenant', id: 'acme' },
      budget: { monthly: '12.50', daily: { usd: 1, requests: 20 }, rolling: { '24h': { tokens: 1000 } }, timeZone: 'Europe/Vienna' },
      from: '2026-03-10T14:00:00+01:00',
      until: '2026-06-01T00:00:00Z',
      mode: 'alert',
      thresholds: { warn: 50 },
      description: 'the first quarter',
    }
    const made = await ask(OPERATOR, 'POST', '/v1/limits', given)
    const view = {
      ...given,
      managed: true,
      budget: { monthly: 12.5, daily: { usd: 1, requests: 20 }, rolling: { '1d': { tokens: 1000 } }, timeZone: 'Europe/Vienna' },
      from: '2026-03-10T13:00:00.000Z',
      until: '2026-06-01T00:00:00.000Z',
      createdAt: new Date(NOON).toISOString(),
      state: 'upcoming',
      version: made.json.version,
    }
    expect(made).toMatchObject({ status: 201 })
    expect(made.json).toEqual(view)
    expect((await ask(OPERATOR, 'GET', '/v1/limits/cap')).json).toEqual(view)
    expect((await ask(caller(['read']), 'GET', '/v1/limits')).json).toEqual({ items: [view] })
    for (const scope of [{ kind: 'global' }, { kind: 'tier', id: 'free' }, { kind: 'team', id: 'search' }, { kind: 'user', id: '*' }, { kind: 'user', id: 'ada', tenant: 'acme' }]) {
      const { status, json } = await ask(OPERATOR, 'POST', '/v1/limits', { scope, budget: { daily: 1 } })
      expect({ status, scope: json.scope, id: json.id }).toEqual({ status: 201, scope, id: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    }
    expect(changes.map(([what, tenant]) => `${what} ${tenant}`)).toEqual(['limit acme', 'limit undefined', 'limit undefined', 'limit undefined', 'limit undefined', 'limit acme'])
  })

  it('stop requests as soon as they are made, and no more when they are gone', async () => {
    const { ask, engine } = open(store)
    const allowed = async (): Promise<boolean> => {
      const decision = await engine.check({ userId: 'ada', tenant: 'acme', estimatedCost: 0.5 })
      if (decision.allowed) await decision.release()
      return decision.allowed
    }
    expect(await allowed()).toBe(true)
    await ask(ACME, 'POST', '/v1/limits', { id: 'cap', scope: { kind: 'tenant' }, budget: { daily: 0.25 } })
    expect(await allowed()).toBe(false)
    expect(await ask(ACME, 'PATCH', '/v1/limits/cap', { budget: { daily: 0.75 }, description: 'more' })).toMatchObject({ status: 200, json: { id: 'cap', budget: { daily: 0.75 }, description: 'more' } })
    expect(await allowed()).toBe(true)
    await ask(ACME, 'PATCH', '/v1/limits/cap', { budget: { daily: 0.1 }, until: '2026-03-10T13:00:00Z' })
    expect(await allowed()).toBe(false)
    expect((await ask(ACME, 'DELETE', '/v1/limits/cap')).status).toBe(204)
    expect(await allowed()).toBe(true)
    expect((await ask(ACME, 'GET', '/v1/limits/cap')).status).toBe(404)
  })

  it('of one id are made once, also at the same time', async () => {
    const { ask } = open(store)
    const one = { id: 'cap', scope: { kind: 'tenant' }, budget: { daily: 1 } }
    const answers = await Promise.all([1, 2, 3].map(() => ask(ACME, 'POST', '/v1/limits', one)))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409])
    expect(answers.find(({ status }) => status === 409)?.json).toMatchObject({ code: 'CONFLICT', detail: 'id: limit "cap" is there already. PATCH changes it; or choose another id.' })
  })

  it('of a tenant’s admin are on its own tenant and users, and nowhere else', async () => {
    const { ask, engine } = open(store, { scopes: { team: { search: {} } } } as never)
    const budget = { daily: 1 }
    const own = [
      [{ kind: 'tenant' }, { kind: 'tenant', id: 'acme' }],
      [{ kind: 'tenant', id: 'acme' }, { kind: 'tenant', id: 'acme' }],
      [{ kind: 'user', id: 'ada' }, { kind: 'user', id: 'ada', tenant: 'acme' }],
      [{ kind: 'user', id: '*' }, { kind: 'user', id: '*', tenant: 'acme' }],
      [{ kind: 'user', id: '*', tenant: 'acme' }, { kind: 'user', id: '*', tenant: 'acme' }],
    ]
    for (const [scope, made] of own) expect(await ask(ACME, 'POST', '/v1/limits', { scope, budget }), JSON.stringify(scope)).toMatchObject({ status: 201, json: { scope: made, managed: true } })
    const others = [
      { kind: 'global' },
      { kind: 'tenant', id: 'globex' },
      { kind: 'tenant', id: '*' },
      { kind: 'tier', id: 'free' },
      { kind: 'tier', id: '*' },
      { kind: 'team', id: 'search' },
      { kind: 'user', id: 'gus', tenant: 'globex' },
      { kind: 'user', id: '*', tenant: 'globex' },
      { kind: 'user', id: '*', tenant: '*' },
      { kind: 'session', id: 'ada/s1' },
    ]
    for (const scope of others) expect((await ask(ACME, 'POST', '/v1/limits', { scope, budget })).status, JSON.stringify(scope)).toBe(403)
    // A tenant that is called as what stands for all of them.
    for (const scope of [{ kind: 'tenant' }, { kind: 'tenant', id: '*' }, { kind: 'user', id: 'ada' }]) expect((await ask(caller(['admin'], '*'), 'POST', '/v1/limits', { scope, budget })).status).toBe(403)
    for (const as of [ACME_READER, ACME_CHECKER, ADA, SOLO]) expect((await ask(as, 'POST', '/v1/limits', { scope: { kind: 'user', id: 'ada' }, budget })).status).toBe(403)
    expect((await engine.tracker.limits.list()).map(({ id, scope }) => `${id.split('/')[0]} ${scope.kind}`).sort()).toEqual(['acme tenant', 'acme tenant', 'acme user', 'acme user', 'acme user'])
  })

  it('of two tenants may have the same id', async () => {
    const { ask, engine } = open(store)
    for (const [as, daily] of [[ACME, 1], [GLOBEX, 2], [OPERATOR, 3]] as const) {
      const scope = as === OPERATOR ? { kind: 'global' } : { kind: 'tenant' }
      expect(await ask(as, 'POST', '/v1/limits', { id: 'cap', scope, budget: { daily } })).toMatchObject({ status: 201, json: { id: 'cap' } })
    }
    for (const [as, daily] of [[ACME, 1], [GLOBEX, 2], [OPERATOR, 3]] as const) expect((await ask(as, 'GET', '/v1/limits/cap')).json.budget).toEqual({ daily })
    expect(await ask(ACME, 'POST', '/v1/limits', { id: 'cap', scope: { kind: 'tenant' }, budget: { daily: 4 } })).toMatchObject({ status: 409, json: { code: 'CONFLICT' } })
    expect(idsOf((await ask(OPERATOR, 'GET', '/v1/limits')).json)).toEqual(['acme/cap', 'cap', 'globex/cap'])
    expect((await ask(ACME, 'DELETE', '/v1/limits/cap')).status).toBe(204)
    expect((await engine.tracker.limits.list()).map(({ id }) => id)).toEqual(['cap', 'globex/cap'])
    expect(await ask(OPERATOR, 'PATCH', '/v1/limits/globex%2Fcap', { budget: { daily: 9 } })).toMatchObject({ status: 200, json: { id: 'globex/cap', budget: { daily: 9 } } })
    expect((await ask(GLOBEX, 'GET', '/v1/limits/cap')).json.budget).toEqual({ daily: 9 })
  })

  it('that the operator has set upon a tenant alone, it may read and not change', async () => {
    const { ask, engine } = open(store)
    const { limits } = engine.tracker
    await limits.create({ id: 'on-acme', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-ada', scope: { kind: 'user', id: 'ada', tenant: 'acme' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-bob', scope: { kind: 'user', id: 'bob', tenant: 'acme' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-users', scope: { kind: 'user', id: '*', tenant: 'acme' }, budget: { daily: 1 } })
    const hidden = ['on-all', 'on-tenants', 'on-everybody', 'on-globex', 'on-solo', 'on-free', 'acme/on-all', 'globex/own']
    await limits.create({ id: 'on-all', scope: { kind: 'global' }, budget: { daily: 1 } })
    await limits.create({ id: 'acme/on-all', scope: { kind: 'global' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-tenants', scope: { kind: 'tenant', id: '*' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-everybody', scope: { kind: 'user', id: '*' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-globex', scope: { kind: 'tenant', id: 'globex' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-solo', scope: { kind: 'user', id: 'solo' }, budget: { daily: 1 } })
    await limits.create({ id: 'on-free', scope: { kind: 'tier', id: 'free' }, budget: { daily: 1 } })
    await ask(GLOBEX, 'POST', '/v1/limits', { id: 'own', scope: { kind: 'tenant' }, budget: { daily: 1 } })
    await ask(ACME, 'POST', '/v1/limits', { id: 'own', scope: { kind: 'tenant' }, budget: { daily: 1 } })
    const { json } = await ask(ACME_READER, 'GET', '/v1/limits')
    expect(json.items.map(({ id, managed }: { id: string; managed: boolean }) => `${id} ${managed}`)).toEqual(['on-acme false', 'on-ada false', 'on-bob false', 'on-users false', 'own true'])
    expect(idsOf((await ask(ADA, 'GET', '/v1/limits')).json)).toEqual(['on-ada', 'on-users'])
    expect(idsOf((await ask(SOLO, 'GET', '/v1/limits')).json)).toEqual(['on-solo'])
    expect((await ask(ACME, 'GET', '/v1/limits?tenant=globex')).status).toBe(403)
    expect(idsOf((await ask(OPERATOR, 'GET', '/v1/limits?tenant=globex')).json)).toEqual(['globex/own', 'on-globex'])
    for (const id of ['on-acme', 'on-ada', 'on-users', ...hidden, 'nowhere']) {
      const path = `/v1/limits/${encodeURIComponent(id)}`
      const mayRead = id.startsWith('on-a') && id !== 'on-all'
      for (const suffix of ['', '/progress']) expect((await ask(ACME, 'GET', `${path}${suffix}`)).status, id).toBe(mayRead || id === 'on-users' ? 200 : 404)
      const isSeen = mayRead || id === 'on-users'
      for (const method of ['PATCH', 'DELETE']) expect(await ask(ACME, method, path, method === 'PATCH' ? { budget: { daily: 100 } } : undefined), id).toMatchObject(isSeen ? { status: 403, json: { detail: expect.stringContaining('set by the operator') } } : { status: 404 })
      for (const as of [ACME_READER, ADA, SOLO, ACME_CHECKER]) {
        expect((await ask(as, 'PATCH', path, { budget: { daily: 100 } })).status, id).toBe(403)
        expect((await ask(as, 'DELETE', path)).status, id).toBe(403)
      }
      expect((await ask(ACME_CHECKER, 'GET', path)).status).toBe(403)
      expect((await ask(undefined, 'GET', path)).status).toBe(401)
    }
    // A tenant that is called as what stands for all of them.
    expect(idsOf((await ask(caller(['read'], '*'), 'GET', '/v1/limits')).json)).toEqual([])
    for (const id of ['on-acme', 'on-bob', 'own', 'on-all']) expect((await ask(ADA, 'GET', `/v1/limits/${id}`)).status, id).toBe(404)
    const said = (await ask(ACME, 'PATCH', '/v1/limits/own', { until: '2020-01-01T00:00:00Z' })).json.detail as string
    expect(said).not.toContain('acme/')
    expect((await limits.list()).every(({ budget }) => budget.daily === 1)).toBe(true)
    expect((await limits.list())).toHaveLength(hidden.length + 5)
  })

  it('are listed by whom they cover and how they stand, page by page', async () => {
    const opened = open(store)
    const { ask } = opened
    const make = (id: string, scope: object, more: object = {}) => ask(OPERATOR, 'POST', '/v1/limits', { id, scope, budget: { daily: 1 }, ...more })
    await make('c', { kind: 'global' })
    await make('a', { kind: 'tenant', id: 'acme' }, { until: '2026-03-10T13:00:00Z' })
    await make('d', { kind: 'tenant', id: 'globex' }, { mode: 'alert' })
    await make('b', { kind: 'user', id: 'ada', tenant: 'acme' }, { from: '2026-03-11T00:00:00Z' })
    opened.now += 3_600_000
    const found = async (query: string): Promise<string[]> => idsOf((await ask(OPERATOR, 'GET', `/v1/limits?${query}`)).json)
    expect(await found('kind=tenant')).toEqual(['a', 'd'])
    expect(await found('id=globex')).toEqual(['d'])
    expect(await found('mode=alert')).toEqual(['d'])
    expect(await found('state=expired')).toEqual(['a'])
    expect(await found('state=upcoming&tenant=acme')).toEqual(['b'])
    const first = (await ask(OPERATOR, 'GET', '/v1/limits?limit=3')).json
    expect(idsOf(first)).toEqual(['a', 'b', 'c'])
    expect((await ask(OPERATOR, 'GET', `/v1/limits?limit=3&cursor=${first.next}`)).json).toMatchObject({ items: [{ id: 'd' }] })
    for (const query of ['state=gone', 'mode=block&mode=alert', 'limit=0', 'colour=red']) expect((await ask(OPERATOR, 'GET', `/v1/limits?${query}`)).status, query).toBe(422)
  })

  it('tell how full they are: of each member the caller’s own', async () => {
    const { ask, engine } = open(store)
    const { tracker } = engine
    await tracker.limits.create({ id: 'users', scope: { kind: 'user', id: '*', tenant: 'acme' }, budget: { daily: 2 } })
    await tracker.limits.create({ id: 'everybody', scope: { kind: 'user', id: '*' }, budget: { daily: 2 } })
    await ask(ACME, 'POST', '/v1/limits', { id: 'own', scope: { kind: 'tenant' }, budget: { daily: 4 } })
    for (const [userId, tenant, cost] of [['ada', 'acme', 0.5], ['bob', 'acme', 0.25], ['ada', 'globex', 0.125]] as const) await tracker.addCost({ userId, tenant, cost })
    const progress = async (as: typeof ACME, path: string): Promise<unknown> => {
      const { status, json } = await ask(as, 'GET', `/v1/limits/${path}`)
      return status === 200 ? json.items.map(({ scope, limitId, spent, remaining }: { scope: { kind: string; id: string; tenant?: string }; limitId: string; spent: number; remaining: number }) => `${limitId}: ${scope.kind} ${scope.id} ${scope.tenant} ${spent} ${remaining}`).sort() : status
    }
    expect(await progress(ACME_READER, 'own/progress')).toEqual(['own: tenant acme undefined 0.75 3.25'])
    expect(await progress(ACME_READER, 'users/progress')).toEqual(['users: user ada acme 0.5 1.5', 'users: user bob acme 0.25 1.75'])
    expect(await progress(ACME_READER, 'users/progress?member=bob')).toEqual(['users: user bob acme 0.25 1.75'])
    expect(await progress(ADA, 'users/progress')).toEqual(['users: user ada acme 0.5 1.5'])
    expect(await progress(caller(['read'], 'acme', 'eve'), 'users/progress')).toEqual(['users: user eve acme 0 2'])
    expect(await progress(ADA, 'users/progress?member=ada')).toEqual(['users: user ada acme 0.5 1.5'])
    expect(await progress(ADA, 'users/progress?member=bob')).toBe(403)
    expect(await progress(ACME, 'everybody/progress')).toBe(404)
    expect(await progress(OPERATOR, 'everybody/progress')).toEqual(['everybody: user ada acme 0.5 1.5', 'everybody: user ada globex 0.125 1.875', 'everybody: user bob acme 0.25 1.75'])
    expect(await progress(OPERATOR, 'everybody/progress?member=ada&tenant=globex')).toEqual(['everybody: user ada globex 0.125 1.875'])
    expect(await progress(OPERATOR, 'acme%2Fown/progress')).toEqual(['acme/own: tenant acme undefined 0.75 3.25'])
    expect(await progress(ACME, 'own/progress?member=ada')).toBe(422)
    expect(await progress(ACME, 'users/progress?tenant=globex')).toBe(403)
    expect(await progress(OPERATOR, 'nowhere/progress')).toBe(404)
  })

  it('tell which windows are at a threshold: to each key those of nobody else', async () => {
    const { ask, engine } = open(store, { global: { daily: 1 }, scopes: { tenant: { acme: { daily: 0.9 }, globex: { daily: 0.5 } } } } as never)
    const { tracker } = engine
    await tracker.limits.create({ id: 'users', scope: { kind: 'user', id: '*' }, budget: { daily: 0.55 } })
    await tracker.limits.create({ id: 'tenants', scope: { kind: 'tenant', id: '*' }, budget: { daily: 0.8 } })
    await ask(ACME, 'POST', '/v1/limits', { id: 'own', scope: { kind: 'tenant' }, budget: { daily: 0.85 } })
    for (const [userId, tenant, cost] of [['ada', 'acme', 0.5], ['acme', 'acme', 0.3], ['gus', 'globex', 0.45]] as const) await tracker.addCost({ userId, tenant, cost })
    const triggered = async (as: typeof ACME, query = ''): Promise<string[]> => {
      const { json } = await ask(as, 'GET', `/v1/limits/triggered${query}`)
      return json.items.map(({ scope, limitId, thresholdPct }: { scope: { kind: string; id: string; tenant?: string }; limitId: string | null; thresholdPct: number }) => `${thresholdPct} ${limitId ?? '-'} ${scope.kind} ${scope.id} ${scope.tenant ?? '-'}`).sort()
    }
    const ofAcme = ['100 tenants tenant acme -', '80 - tenant acme -', '80 own tenant acme -', '80 users user ada acme']
    expect(await triggered(ACME_READER)).toEqual(ofAcme)
    expect(await triggered(ACME, '?budgets=false')).toEqual(ofAcme.filter((each) => !each.includes(' - tenant')))
    expect(await triggered(ADA)).toEqual(['80 users user ada acme'])
    // A user who is called as their tenant is.
    expect(await triggered(caller(['read'], 'acme', 'acme'))).toEqual([])
    expect(await triggered(SOLO)).toEqual([])
    expect(await triggered(GLOBEX)).toEqual(['80 - tenant globex -', '80 users user gus globex'])
    expect(await triggered(OPERATOR)).toEqual([...ofAcme.map((each) => each.replace(' own ', ' acme/own ')), '100 - global global -', '80 - tenant globex -', '80 users user gus globex'].sort())
    expect((await ask(OPERATOR, 'GET', '/v1/limits/triggered?budgets=maybe')).status).toBe(422)
    expect((await ask(undefined, 'GET', '/v1/limits/triggered')).status).toBe(401)
    expect((await ask(ACME_CHECKER, 'GET', '/v1/limits/triggered')).status).toBe(403)
  })

  it('are not made or changed by what is wrong', async () => {
    const { ask, engine, changes } = open(store)
    await engine.tracker.limits.create({ id: 'acme/own', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 1 } })
    const good = { scope: { kind: 'tenant' }, budget: { daily: 1 } }
    const wrong = [
      {},
      { ...good, id: 'a/b' },
      { ...good, id: '' },
      { ...good, id: 'ä' },
      { ...good, id: 'x'.repeat(129) },
      { ...good, budget: {} },
      { ...good, budget: { daily: -1 } },
      { ...good, budget: { daily: '1e3' } },
      { ...good, budget: { daily: null } },
      { ...good, budget: { rolling: { never: 1 } } },
      { ...good, budget: { rolling: Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`${index + 1}h`, 1])) } },
      { ...good, budget: { daily: '999999999999999.99999999' } },
      { ...good, budget: { daily: 1, timeZone: 'Mars/Olympus' } },
      { ...good, budget: { daily: 1, policies: [] } },
      { ...good, until: '2026-03-10T11:59:59Z' },
      { ...good, from: '2026-05-01T00:00:00Z', until: '2026-04-01T00:00:00Z' },
      { ...good, until: '0000-01-01T00:00:00Z' },
      { ...good, mode: 'warn' },
      { ...good, thresholds: { warn: 120 } },
      { ...good, description: '' },
      { ...good, more: 1 },
      { ...good, scope: { kind: 'user' } },
      { ...good, scope: { kind: 'user', id: '\ud800' } },
    ]
    for (const given of wrong) expect((await ask(ACME, 'POST', '/v1/limits', given)).status, JSON.stringify(given)).toBe(422)
    for (const scope of [{ kind: 'global', id: 'x' }, { kind: 'planet', id: 'x' }, { kind: 'tier', id: 'gold' }, { kind: 'tenant' }, { kind: 'tenant', id: 'a', tenant: 'b' }, { kind: 'user', id: 'a', tenant: '*' }, { kind: 'tenant', id: '\ud800' }]) {
      expect((await ask(OPERATOR, 'POST', '/v1/limits', { scope, budget: { daily: 1 } })).status, JSON.stringify(scope)).toBe(422)
    }
    expect((await ask(OPERATOR, 'POST', '/v1/limits', { id: 'acme/mine', scope: { kind: 'global' }, budget: { daily: 1 } })).status).toBe(422)
    const patches = [{ scope: { kind: 'global' } }, { budget: { daily: null } }, { budget: { yearly: 1 } }, { until: '2020-01-01T00:00:00Z' }, { mode: null }, { thresholds: { warn: 101 } }, { id: 'other' }]
    for (const given of patches) expect((await ask(ACME, 'PATCH', '/v1/limits/own', given)).status, JSON.stringify(given)).toBe(422)
    for (const path of ['%01', 'x'.repeat(257)]) for (const method of ['GET', 'DELETE']) expect((await ask(OPERATOR, method, `/v1/limits/${path}`)).status).toBe(422)
    expect(await engine.tracker.limits.list()).toMatchObject([{ id: 'acme/own', budget: { daily: 1 }, version: expect.any(Number) }])
    expect(changes).toEqual([])
  })

  it('lose a part of their budget to a null, and keep the rest', async () => {
    const { ask } = open(store)
    await ask(ACME, 'POST', '/v1/limits', { id: 'own', scope: { kind: 'tenant' }, budget: { daily: 1, monthly: 9, rolling: { '5h': 1, '1h': 2 }, timeZone: 'Europe/Vienna' }, description: 'x', until: '2027-01-01T00:00:00Z' })
    const { status, json } = await ask(ACME, 'PATCH', '/v1/limits/own', { budget: { daily: null, rolling: { '5h': null }, timeZone: null }, description: null, until: null })
    expect({ status, budget: json.budget, description: json.description, until: json.until }).toEqual({ status: 200, budget: { monthly: 9, rolling: { '1h': 2 } }, description: null, until: null })
  })
})

describe('how many limits a tenant makes', () => {
  it('ends at a thousand of its own', async () => {
    const { ask, engine } = open('memory')
    for (let made = 0; made < 1_000; made += 1) await engine.tracker.limits.create({ id: `acme/${made}`, scope: { kind: 'user', id: `user-${made}`, tenant: 'acme' }, budget: { daily: 1 } })
    const one = { scope: { kind: 'tenant' }, budget: { daily: 1 } }
    expect(await ask(ACME, 'POST', '/v1/limits', one)).toMatchObject({ status: 409, json: { code: 'CONFLICT' } })
    expect((await ask(GLOBEX, 'POST', '/v1/limits', one)).status).toBe(201)
    expect((await ask(OPERATOR, 'POST', '/v1/limits', { ...one, scope: { kind: 'global' } })).status).toBe(201)
    await ask(ACME, 'DELETE', '/v1/limits/7')
    expect((await ask(ACME, 'POST', '/v1/limits', one)).status).toBe(201)
  })

  it('ends at twenty on one scope: what the operator has set there counts for nothing', async () => {
    const { ask } = open('memory')
    const one = { scope: { kind: 'user', id: 'ada' }, budget: { daily: 1 } }
    await ask(OPERATOR, 'POST', '/v1/limits', { ...one, scope: { ...one.scope, tenant: 'acme' } })
    for (let made = 0; made < 20; made += 1) expect((await ask(ACME, 'POST', '/v1/limits', one)).status).toBe(201)
    expect(await ask(ACME, 'POST', '/v1/limits', one)).toMatchObject({ status: 409, json: { code: 'CONFLICT' } })
    for (const scope of [{ kind: 'user', id: 'bob' }, { kind: 'tenant' }]) expect((await ask(ACME, 'POST', '/v1/limits', { ...one, scope })).status).toBe(201)
    expect((await ask(OPERATOR, 'POST', '/v1/limits', { ...one, scope: { ...one.scope, tenant: 'acme' } })).status).toBe(201)
  })
})
