// Explanations over HTTP: by the id that the client knows, of its own decisions, and of shared budgets that they refuse.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { storeId } from '../../../src/server/ids.js'
import { caller, OPERATOR } from '../../support/server/app.js'
import { seenWorld, type SeenWorld } from '../../support/server/seen.js'

const ACME = caller(['read'], 'acme')

let made: SeenWorld
afterEach(() => made.close())
beforeEach(async () => {
  made = seenWorld({ global: { daily: 2 }, scopes: { tenant: { acme: { monthly: 5 }, '*': {} } } })
  await made.engine.limits.create({ id: storeId('acme', 'own'), scope: { kind: 'tenant', id: 'acme' }, budget: { daily: 0.5 } })
  // Refused by their own tenant's limit; and, when most of it is spent, by what everybody shares.
  await made.ask('ada', 'acme', 0.625, { id: 'own-limit' })
  await made.ask('bob', 'globex', 1.75, { tier: 'pro' })
  await made.ask('zoe', 'acme', 0.375, { id: 'shared' })
  await made.ask('bob', 'globex', 0.5, { id: 'shared' })
})

describe('GET /v1/decisions/{id}', () => {
  it('gives the operator all of it, by the id that the tenant knows', async () => {
    const { json } = await made.look(OPERATOR, '/v1/decisions/shared?tenant=acme')
    expect(json).toMatchObject({ decisionId: 'shared', action: 'BLOCK', code: 'budget', who: { userId: 'zoe', tenant: 'acme' }, reason: expect.stringContaining('$1.75 is used'), fitting: { largestFittingCost: 0.25 } })
    expect(json.windows.map(({ scope }: { scope: { kind: string } }) => scope.kind)).toContain('global')
    expect((await made.look(OPERATOR, '/v1/decisions/shared?tenant=globex')).json.who).toEqual({ userId: 'bob', tenant: 'globex', tier: 'free' })
    expect((await made.look(OPERATOR, `/v1/decisions/${encodeURIComponent(storeId('acme', 'shared'))}`)).json.who.userId).toBe('zoe')
    expect((await made.look(OPERATOR, '/v1/decisions/shared')).status).toBe(404)
  })

  it('gives a tenant its own, without budgets that it shares with others', async () => {
    const { json, text } = await made.look(ACME, '/v1/decisions/shared')
    expect(json).toMatchObject({ decisionId: 'shared', action: 'BLOCK', who: { userId: 'zoe' }, reason: 'A budget that is shared with others does not allow this request now.', fitting: {} })
    expect(json.windows.map(({ scope }: { scope: { kind: string; id: string } }) => `${scope.kind} ${scope.id}`)).not.toContain('global global')
    expect(json.windows.length).toBeGreaterThan(3)
    expect(json.rungs[0].against).toEqual([])
    expect(text).not.toMatch(/1\.75|everybody|"global|bob|0\.25/)
  })

  it("names a tenant's limits as the tenant does", async () => {
    const { json, text } = await made.look(ACME, '/v1/decisions/own-limit')
    expect(json.reason).toContain('limit "own"')
    expect(json.rungs[0].against.filter((each: object) => 'window' in each).map(({ window }: { window: number }) => json.windows[window].hit)).toEqual(['block'])
    expect(text).not.toContain('acme/')
    expect((await made.look(OPERATOR, '/v1/decisions/own-limit?tenant=acme')).text).toContain('acme/own')
  })

  it('gives it as text', async () => {
    const { headers, text } = await made.look(ACME, '/v1/decisions/shared?text=true')
    expect(headers.get('content-type')).toMatch(/^text\/plain/)
    expect(text).toMatch(/^BLOCK \(budget\) {2}decision shared {2}at 2026-11-15T12:00:00.000Z\n {2}A budget that is shared with others/)
    expect(text).not.toMatch(/everybody|1\.75/)
  })

  it('knows nothing of the decisions of others', async () => {
    await made.ask('bob', 'globex', 0.5, { id: 'theirs' })
    const made404 = async (as: ReturnType<typeof caller>, path: string): Promise<void> => expect(await made.look(as, path)).toMatchObject({ status: 404, json: { code: 'NOT_FOUND' } })
    await made404(ACME, '/v1/decisions/theirs')
    await made404(ACME, `/v1/decisions/${encodeURIComponent(storeId('globex', 'theirs'))}`)
    await made404(caller(['read'], 'acme', 'ada'), '/v1/decisions/shared')
    await made404(OPERATOR, '/v1/decisions/none?tenant=acme')
    expect((await made.look(ACME, '/v1/decisions/theirs?tenant=globex')).status).toBe(403)
  })

  it('finds decisions of the application itself, for those whose they are', async () => {
    const decision = await made.engine.check({ userId: 'ada', tenant: 'acme', estimatedCost: 9 } as never)
    expect((await made.look(ACME, `/v1/decisions/${decision.id}`)).json.decisionId).toBe(decision.id)
    expect((await made.look(OPERATOR, `/v1/decisions/${decision.id}`)).status).toBe(200)
    expect((await made.look(OPERATOR, `/v1/decisions/${decision.id}?tenant=globex`)).status).toBe(404)
    expect((await made.look(caller(['read'], 'globex'), `/v1/decisions/${decision.id}`)).status).toBe(404)
  })
})
