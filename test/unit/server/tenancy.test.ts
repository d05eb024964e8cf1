// Keys of tenants and users at the routes about money: whatever id, user, tenant, tier or scope they name, they reach their own and nothing
// else, and see nothing else.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { definePolicy, type BursarConfig } from '../../../src/index.js'
import { strictBudgetEnforcement } from '../../../policies/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { Caller } from '../../../src/server/caller.js'
import { caller, OPERATOR, PLAIN_OPTIONS, testApp, type TestApp } from '../../support/server/app.js'

const ACME = caller(['check', 'read'], 'acme')
const EVIL = caller(['check', 'read', 'admin'], 'evil')
const ADA = caller(['check', 'read'], 'acme', 'ada')
const BOB = caller(['check', 'read'], 'acme', 'bob')
const LONER = caller(['check', 'read'], undefined, 'ada')
const clock = manualClock()
let app: TestApp

const config = {
  clock,
  tiers: { free: { daily: 1 }, pro: { daily: 100 } },
  defaultTier: 'free',
  global: { daily: 50 },
  scopes: { tenant: { acme: { daily: 20 }, '*': {} }, team: { search: { daily: 10 }, '*': {} }, project: { '*': { daily: 10 } } },
} as unknown as BursarConfig

beforeEach(() => {
  app = testApp({ config, options: { ...PLAIN_OPTIONS, tenantScopes: ['project'] } })
})
afterEach(() => app.close())

/** On a server that lets admins of tenants raise budgets. */
const managing = async (): Promise<void> => {
  await app.close()
  app = testApp({ config, options: { ...PLAIN_OPTIONS, tenantScopes: ['project'], tenantsManageBudgets: true } })
}

const check = (as: typeof ACME | undefined, body: object, key?: string) => app.ask(as, 'POST', '/v1/check', { userId: 'ada', estimatedCost: 0.1, ...body }, key === undefined ? {} : { 'idempotency-key': key })
const kindsIn = (json: { readonly context: { readonly windows: readonly { readonly scope: { readonly kind: string } }[] } }) => [...new Set(json.context.windows.map(({ scope }) => scope.kind))]

describe('ids', () => {
  it('are each tenant’s own: one key in two tenants is two requests', async () => {
    expect((await check(ACME, {}, 'job')).json).toMatchObject({ id: 'job', replayed: false })
    expect((await check(EVIL, {}, 'job')).json).toMatchObject({ id: 'job', replayed: false })
    expect((await check(OPERATOR, {}, 'job')).json).toMatchObject({ id: 'job', replayed: false })
    expect((await check(ACME, {}, 'job')).json).toMatchObject({ id: 'job', replayed: true })
  })

  it.each(['job', 'acme/job', '/acme/job', '../acme/job', 'acme%2Fjob', '~ada:job', '/job'])('of another tenant are not there, whatever is guessed: %s', async (guess) => {
    await check(ACME, {}, 'job')
    const path = `/v1/holds/${encodeURIComponent(guess)}`
    for (const [action, body] of [['settle', { cost: 0 }], ['release', undefined], ['extend', { ttl: '20h' }]] as const) {
      const { status, json } = await app.ask(EVIL, 'POST', `${path}/${action}`, body)
      expect([status, json.code]).toEqual([404, 'UNKNOWN_HOLD'])
    }
    const { json } = await app.ask(EVIL, 'POST', '/v1/holds/settle/batch', { items: [{ id: guess, cost: 0 }, { id: guess, cost: 0, tenant: 'acme' }] })
    expect(json.items.map((item: { readonly status: number }) => item.status)).toEqual([404, 403])
    expect((await app.engine.tracker.getUserSummary({ userId: 'ada', tenant: 'acme' })).periodCosts['daily']).toMatchObject({ held: 0.1 })
  })

  it('never show what stands before them in the store', async () => {
    await check(ACME, {}, 'job')
    const answers = [await check(ACME, {}, 'job'), await check(ACME, { estimatedCost: 0.2 }, 'job'), await check(ACME, { estimatedCost: 5 }, 'big'), await app.ask(ACME, 'POST', '/v1/holds/none/settle', { cost: 1 }), await app.ask(ACME, 'POST', '/v1/costs', { userId: 'ada', cost: 0.1, idempotencyKey: 'job' })]
    expect(answers.map(({ status }) => status)).toEqual([200, 409, 402, 404, 409])
    for (const { text } of answers) expect(text).not.toContain('acme/')
  })

  it('may be those of tenants with any name, and of any length', async () => {
    const names = ['a/b', 'a%2Fb', 'ümläut', 'x'.repeat(256), `${'x'.repeat(255)}y`, '日本'.repeat(100), '=x', '~x', '/', '..']
    for (const tenant of names) expect(await check(OPERATOR, { tenant }, 'job')).toMatchObject({ status: 200, json: { id: 'job', replayed: false } })
    for (const tenant of names) expect((await app.ask(OPERATOR, 'POST', `/v1/holds/job/settle?tenant=${encodeURIComponent(tenant)}`, { cost: 0.1 })).json).toMatchObject({ id: 'job', replayed: false })
  })
})

describe('a key of a tenant', () => {
  it('asks for users of its tenant alone', async () => {
    expect((await check(ACME, { tenant: 'acme' })).status).toBe(200)
    for (const [path, body] of [['/v1/check', { estimatedCost: 0 }], ['/v1/costs', { cost: 1 }], ['/v1/sessions', { maxCost: 1 }]] as const) {
      const { status, json } = await app.ask(EVIL, 'POST', path, { userId: 'ada', tenant: 'acme', ...body })
      expect([status, json.code]).toEqual([403, 'FORBIDDEN'])
    }
    expect((await app.ask(EVIL, 'POST', '/v1/refunds', { userId: 'ada', tenant: 'acme', cost: 1 })).status).toBe(403)
    expect((await app.ask(EVIL, 'POST', '/v1/holds/job/settle?tenant=acme', { cost: 1 })).status).toBe(403)
    expect((await app.ask(EVIL, 'GET', '/v1/users/ada/sessions/s?tenant=acme')).status).toBe(403)
    expect(await app.engine.tracker.getUserCost({ userId: 'ada', tenant: 'acme' })).toBe(0)
  })

  it('charges its own user of that id, and not another tenant’s', async () => {
    await app.ask(EVIL, 'POST', '/v1/costs', { userId: 'ada', cost: 0.7 })
    expect(await app.engine.tracker.getUserCost({ userId: 'ada', tenant: 'evil' })).toBe(0.7)
    expect(await app.engine.tracker.getUserCost({ userId: 'ada', tenant: 'acme' })).toBe(0)
    expect(await app.engine.tracker.getUserCost('ada')).toBe(0)
  })

  it('gives no money back, chooses no tier, and is told by whom, unless the server lets tenants manage budgets', async () => {
    for (const [path, body] of [['/v1/refunds', { cost: 1 }], ['/v1/check', { estimatedCost: 0, userTier: 'pro' }], ['/v1/costs', { cost: 1, userTier: 'pro' }], ['/v1/sessions', { maxCost: 1, userTier: 'pro' }]] as const) {
      const { status, json } = await app.ask(EVIL, 'POST', path, { userId: 'ada', ...body })
      expect([path, status, json.detail]).toEqual([path, 403, expect.stringContaining('tenantsManageBudgets')])
    }
    expect(await app.engine.tracker.getUserCost({ userId: 'ada', tenant: 'evil' })).toBe(0)
  })

  it('refunds its own charges alone, where it may', async () => {
    await managing()
    await app.ask(ACME, 'POST', '/v1/costs', { userId: 'ada', cost: 0.7, idempotencyKey: 'c' })
    for (const decisionId of ['c', 'acme/c', '/c']) expect((await app.ask(EVIL, 'POST', '/v1/refunds', { userId: 'ada', cost: 0.7, decisionId })).json.refunded ?? 0).toBe(0)
    expect((await app.ask(EVIL, 'POST', '/v1/refunds', { userId: 'ada', cost: 0.7 })).json).toMatchObject({ refunded: 0, unapplied: 0.7 })
    expect(await app.engine.tracker.getUserCost({ userId: 'ada', tenant: 'acme' })).toBe(0.7)
  })

  it('finds its own sessions alone', async () => {
    await app.ask(ACME, 'POST', '/v1/sessions', { userId: 'ada', sessionId: 's', maxCost: 1 })
    expect((await app.ask(EVIL, 'GET', '/v1/users/ada/sessions/s')).status).toBe(404)
    expect((await check(EVIL, { sessionId: 's' })).status).toBe(404)
    expect((await app.ask(EVIL, 'POST', '/v1/sessions', { userId: 'ada', sessionId: 's', maxCost: 5 })).status).toBe(201)
    expect((await app.ask(ACME, 'GET', '/v1/users/ada/sessions/s')).json).toMatchObject({ maxCost: 1, tenant: 'acme' })
  })

  it('chooses no tier, unless it has the role admin and the server lets it', async () => {
    await managing()
    for (const [path, body] of [['/v1/check', { estimatedCost: 5 }], ['/v1/costs', { cost: 1 }], ['/v1/sessions', { maxCost: 1 }]] as const) {
      expect((await app.ask(ACME, 'POST', path, { userId: 'ada', userTier: 'pro', ...body })).status).toBe(403)
      expect((await app.ask(ADA, 'POST', path, { userId: 'ada', userTier: 'pro', ...body })).status).toBe(403)
    }
    expect((await check(ACME, { userTier: 'free' })).status).toBe(403)
    expect((await check(EVIL, { userTier: 'pro', estimatedCost: 5 })).status).toBe(200)
    expect((await check(caller(['check']), { userTier: 'pro', estimatedCost: 5 })).status).toBe(200)
  })

  it('names the groups alone that are open to it', async () => {
    for (const scopes of [{ team: 'search' }, { project: 'p', team: 'search' }, { tenant: 'evil' }, { tier: 'pro' }, { user: 'bob' }]) {
      expect((await check(ACME, { scopes })).status).toBe(403)
      expect((await app.ask(ACME, 'POST', '/v1/costs', { userId: 'ada', cost: 1, scopes })).status).toBe(403)
      expect((await app.ask(ACME, 'POST', '/v1/sessions', { userId: 'ada', maxCost: 1, scopes })).status).toBe(403)
    }
    expect((await check(ACME, { scopes: { project: 'p' } })).status).toBe(200)
    expect((await check(OPERATOR, { scopes: { team: 'search' } })).status).toBe(200)
  })

  it('sees windows of its own, and of what is shared only whether it refuses', async () => {
    expect(kindsIn((await check(OPERATOR, { tenant: 'acme' })).json)).toEqual(['user', 'global', 'tenant'])
    const { json } = await check(ACME, { scopes: { project: 'p' } })
    expect(kindsIn(json)).toEqual(['user', 'tenant'])
    expect(json.verdicts.filter(({ policy }: { readonly policy: string }) => policy === 'shared')).toEqual([{ policy: 'shared', action: 'ALLOW' }, { policy: 'shared', action: 'ALLOW' }])
  })

  it('hears of a shared budget that refuses no figure', async () => {
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'somebody', cost: 49.95 })
    const { status, text, json } = await check(ACME, {})
    expect(status).toBe(402)
    expect(json).toMatchObject({ code: 'budget', detail: 'A budget that is shared with others does not allow this request now.', reason: json.detail, denial: { message: json.detail } })
    for (const member of ['window', 'limit', 'used', 'resetsAt', 'largestFittingCost', 'scope', 'retryAfterMs']) expect([json[member], json.denial[member]]).toEqual([undefined, undefined])
    expect(text).not.toMatch(/49\.95|0\.05|global|everybody/)
    expect((await check(OPERATOR, { tenant: 'acme' })).json).toMatchObject({ limit: 50, used: 49.95, denial: { scope: { kind: 'global' } } })
  })

  it('cannot find the limit of a shared budget, or when others have spent, by asking for more and more', async () => {
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'somebody', cost: 50 })
    const told = async (estimatedCost: number): Promise<object> => {
      const { status, headers, json } = await check(caller(['check'], 'spy'), { userId: 'rich', estimatedCost })
      const { retryAfterMs, denial } = json
      return { status, retryAfterMs, after: headers.get('retry-after'), denial: denial.retryAfterMs, rateLimit: headers.get('ratelimit')?.replace(/r=\d+/, '') }
    }
    await app.engine.tracker.setUserTier({ userId: 'rich', tenant: 'spy' }, 'pro')
    const small = await told(0.01)
    expect(small).toMatchObject({ status: 402, retryAfterMs: undefined, after: null, denial: undefined })
    for (const estimate of [1, 49.99, 50, 50.01, 90]) expect(await told(estimate)).toEqual(small)
    // The operator is told: of what fits into the limit when there is room again, of what does not that it never will.
    expect((await check(OPERATOR, { userId: 'somebody', userTier: 'pro', estimatedCost: 1 })).json.retryAfterMs).toBeGreaterThan(0)
    expect((await check(OPERATOR, { userId: 'somebody', userTier: 'pro', estimatedCost: 60 })).json.retryAfterMs).toBe(null)
  })

  it('hears of its own budget that refuses, but not what would fit beside a shared one', async () => {
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'somebody', cost: 49.5 })
    const { json, text } = await check(ACME, { estimatedCost: 2 })
    // Of several refusals the one that lasts longest is told; the user's own never fits.
    expect(json).toMatchObject({ window: 'daily', limit: 1, denial: { scope: { kind: 'user', id: 'ada', tenant: 'acme' } } })
    expect([json.largestFittingCost, json.denial.largestFittingCost]).toEqual([undefined, undefined])
    expect(text).not.toContain('49.5')
  })

  it('hears all of a budget of its tenant', async () => {
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'eve', tenant: 'acme', cost: 19.95 })
    expect((await check(ACME, {})).json).toMatchObject({ limit: 20, used: 19.95, denial: { scope: { kind: 'tenant', id: 'acme' } } })
    const { json, text } = await check(ADA, {})
    expect(json.detail).toBe('A budget that is shared with others does not allow this request now.')
    expect(text).not.toContain('19.95')
  })

  it('hears not how a policy has failed, nor what was loaded for policies', async () => {
    await app.close()
    const failing = (context: { readonly facts: object }): never => {
      throw new Error(`no route to 10.0.0.7 ${JSON.stringify(context.facts)}`)
    }
    app = testApp({ config: { clock, tiers: { free: { daily: 1 } }, defaultTier: 'free', policies: [strictBudgetEnforcement, failing], enrich: () => Promise.resolve({ secret: 'margin' }) } as never })
    const { status, text, json } = await check(ACME, {})
    expect([status, json.code]).toEqual([403, 'policy-error'])
    expect(text).not.toMatch(/10\.0\.0\.7|margin/)
    expect((await check(OPERATOR, {})).text).toMatch(/10\.0\.0\.7/)
  })

  it('hears of a cheaper model not which shared budget asked for it', async () => {
    await app.close()
    const shared = definePolicy({ name: 'thrifty', thresholds: { degrade: 50, block: 100 } } as never)
    app = testApp({ config: { clock, tiers: { free: { daily: 5 } }, defaultTier: 'free', global: { daily: 10, policies: [shared] }, ladder: { 'gpt-4o': 'gpt-4o-mini' }, prices: { models: { 'gpt-4o': { input: 10, output: 10 }, 'gpt-4o-mini': { input: 1, output: 1 } } } } as never })
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'somebody', cost: 6 })
    const request = { userId: 'ada', model: 'gpt-4o', inputTokens: 1_000, maxOutputTokens: 1_000 }
    const whole = await app.ask(OPERATOR, 'POST', '/v1/check', request)
    expect(whole.json).toMatchObject({ action: 'DEGRADE', model: 'gpt-4o-mini' })
    const { json, text } = await app.ask(ACME, 'POST', '/v1/check', request)
    expect(json).toMatchObject({ action: 'DEGRADE', model: 'gpt-4o-mini', reason: 'a budget that is shared with others asks for it' })
    expect(text).not.toMatch(/everybody|thrifty|global/)
  })

  it('knows limits of its own by its own names, and none of others', async () => {
    await app.engine.limits.create({ id: 'acme/cap', scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 5 } } as never)
    await app.engine.limits.create({ id: 'summer-sale', scope: { kind: 'global' }, budget: { daily: 6 } } as never)
    const { json, text } = await check(ACME, {})
    expect(json.context.windows.filter(({ scope }: { readonly scope: { readonly kind: string } }) => scope.kind === 'limit').map(({ scope }: { readonly scope: object }) => scope)).toEqual([{ kind: 'limit', id: 'cap', tenant: 'acme' }])
    expect(text).not.toMatch(/acme(%2F|\/)|summer/)
    await app.ask(OPERATOR, 'POST', '/v1/costs', { userId: 'eve', tenant: 'acme', cost: 4.95 })
    const full = await check(ACME, {})
    expect(full.json).toMatchObject({ status: 402, denial: { scope: { kind: 'limit', id: 'cap', tenant: 'acme' } } })
    expect(full.json.detail).toContain('"cap"')
    expect(full.text).not.toMatch(/acme(%2F|\/)/)
  })
})

describe('a key of a user', () => {
  it('asks for that user alone, who need not be named', async () => {
    expect((await app.ask(ADA, 'POST', '/v1/check', { estimatedCost: 0.1 })).json).toMatchObject({ allowed: true, context: { userId: 'ada', tenant: 'acme' } })
    for (const [path, body] of [['/v1/check', { estimatedCost: 0 }], ['/v1/costs', { cost: 1 }], ['/v1/sessions', { maxCost: 1 }]] as const) {
      expect((await app.ask(ADA, 'POST', path, { userId: 'bob', ...body })).status).toBe(403)
      expect((await app.ask(LONER, 'POST', path, { userId: 'ada', tenant: 'acme', ...body })).status).toBe(403)
    }
    expect((await app.ask(ADA, 'GET', '/v1/users/bob/sessions/s')).status).toBe(403)
    expect((await app.ask(ADA, 'POST', '/v1/refunds', { cost: 1 })).status).toBe(403)
  })

  it('has ids of its own within its tenant: nobody else’s holds are there', async () => {
    await check(ACME, { userId: 'bob' }, 'job')
    const mine = await check(ADA, {}, 'job')
    expect(mine.json).toMatchObject({ id: 'job', replayed: false })
    await check(BOB, { userId: 'bob' }, 'other')
    for (const id of ['other', '~bob:other', 'acme/job', '~ada:other']) for (const action of ['settle', 'release', 'extend']) expect((await app.ask(ADA, 'POST', `/v1/holds/${encodeURIComponent(id)}/${action}`, action === 'settle' ? { cost: 0 } : {})).status).toBe(404)
    expect((await app.ask(ADA, 'POST', '/v1/holds/job/settle', { cost: 0.02 })).json).toMatchObject({ id: 'job', cost: 0.02, replayed: false })
    expect((await app.ask(ADA, 'POST', '/v1/holds/~ada:job/settle', { cost: 0.02 })).json).toMatchObject({ id: 'job', replayed: true })
    expect(await app.engine.tracker.getUserCost({ userId: 'bob', tenant: 'acme' })).toBe(0)
  })

  it('has holds that its tenant can settle, with the user before their ids', async () => {
    await check(ADA, {}, 'job')
    expect((await app.ask(ACME, 'POST', '/v1/holds/~ada:job/settle', { cost: 0.02 })).json).toMatchObject({ id: '~ada:job', cost: 0.02 })
  })

  it('has ids that nobody chooses for another user', async () => {
    for (const key of [ACME, OPERATOR]) {
      const tenant = key === OPERATOR ? { tenant: 'acme' } : {}
      for (const [path, body] of [['/v1/check', { estimatedCost: 0 }], ['/v1/costs', { cost: 0 }], ['/v1/refunds', { cost: 0 }]] as const) {
        if (path === '/v1/refunds' && key !== OPERATOR) continue
        for (const id of ['~ada:job', '~:job', '~bob:~bob:job']) expect(await app.ask(key, 'POST', path, { userId: 'bob', ...tenant, ...body, idempotencyKey: id })).toMatchObject({ status: 422, json: { code: 'INVALID_REQUEST' } })
        expect((await app.ask(key, 'POST', path, { userId: 'bob', ...tenant, ...body }, { 'idempotency-key': '~ada:job' })).status).toBe(422)
        expect((await app.ask(key, 'POST', path, { userId: 'bob', ...tenant, ...body, idempotencyKey: `~bob:${key === OPERATOR ? 'o' : 't'}${path}` })).status).toBeLessThan(300)
      }
      expect((await check(key, { userId: 'bob', ...tenant }, '~job')).status).toBe(200)
    }
    expect((await check(ADA, {}, '~bob:job')).json).toMatchObject({ id: '~bob:job', replayed: false })
    expect((await check(ADA, {}, '~ada:~ada:job')).status).toBe(422)
  })

  it('is shown its ids as it has sent them, in messages too, and finds its decisions by them', async () => {
    expect((await app.ask(ADA, 'POST', '/v1/costs', { cost: 0.1, idempotencyKey: 'c' })).json.id).toBe('c')
    const reused = await app.ask(ADA, 'POST', '/v1/costs', { cost: 0.2, idempotencyKey: 'c' })
    expect([reused.status, reused.json.detail]).toEqual([409, expect.stringContaining('id: "c" was used')])
    const refused = await check(ADA, { estimatedCost: 5 }, 'big')
    expect([refused.status, refused.json.id, refused.json.denial.decisionId, refused.json.instance]).toEqual([402, 'big', 'big', 'urn:bursar:decision:big'])
    for (const id of ['big', '~ada:big']) expect(await app.ask(ADA, 'GET', `/v1/decisions/${id}`)).toMatchObject({ status: 200, json: { decisionId: 'big' } })
    expect((await app.ask(BOB, 'GET', '/v1/decisions/big')).status).toBe(404)
    expect((await app.ask(BOB, 'GET', '/v1/decisions/~ada:big')).status).toBe(404)
    expect(await app.ask(ACME, 'GET', '/v1/decisions/~ada:big')).toMatchObject({ status: 200, json: { decisionId: '~ada:big' } })
    expect([reused.text, refused.text].join()).not.toContain('~ada')
  })

  it('sees windows of that user alone', async () => {
    await app.ask(ADA, 'POST', '/v1/sessions', { sessionId: 's', maxCost: 1 })
    expect(kindsIn((await check(ADA, { sessionId: 's', scopes: { project: 'p' } })).json)).toEqual(['user', 'session'])
    expect(kindsIn((await check(LONER, {})).json)).toEqual(['user'])
  })

  it('sees no limit of a tier or group that is called as the user is', async () => {
    await app.engine.limits.create({ id: 'each-tier', scope: { kind: 'tier', id: '*' }, budget: { daily: 5 } } as never)
    const free = caller(['check'], undefined, 'free')
    expect(kindsIn((await app.ask(free, 'POST', '/v1/check', { estimatedCost: 0.1 })).json)).toEqual(['user'])
    await app.engine.limits.create({ id: 'each-tenant', scope: { kind: 'tenant', id: '*' }, budget: { daily: 5 } } as never)
    const acme = caller(['check'], 'acme', 'acme')
    expect(kindsIn((await app.ask(acme, 'POST', '/v1/check', { estimatedCost: 0.1 })).json)).toEqual(['user'])
  })

  it('has ids with names of users that are long, or of any script', async () => {
    for (const userId of ['ада', 'x'.repeat(256), 'a:b', '~x', '@x', 'a/b', '=h', 'a@b.example']) {
      const key = caller(['check'], 'acme', 'ada')
      await app.close()
      app = testApp({ config, keys: { authenticate: () => Promise.resolve(new Caller({ ...key, userId })) } as never })
      const { json } = await app.ask(key, 'POST', '/v1/check', { estimatedCost: 0.1 }, { 'idempotency-key': 'k'.repeat(128) })
      expect(json.allowed).toBe(true)
      expect((await app.ask(key, 'POST', `/v1/holds/${encodeURIComponent(json.id)}/settle`, { cost: 0.1 })).json).toMatchObject({ id: json.id, replayed: false })
    }
  })
})
