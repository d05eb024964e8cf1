// Reports over HTTP: exact sums, in the zone that is asked for, as JSON and as CSV; to a tenant its own.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createApp } from '../../../src/server/app.js'
import { memoryStore } from '../../../src/store/memory/index.js'
import { caller, OPERATOR } from '../../support/server/app.js'
import { NOON, seenWorld, type SeenWorld } from '../../support/server/seen.js'

const ACME = caller(['read'], 'acme')

let made: SeenWorld
afterEach(() => made.close())
beforeEach(async () => {
  made = seenWorld({ timeZone: 'Europe/Berlin' })
  const { clock, ask, engine } = made
  // The last hour of October there.
  clock.set(Date.parse('2026-10-31T22:59:59Z'))
  await ask('ada', 'acme', 0.125, { model: 'large' })
  clock.set(Date.parse('2026-10-31T23:00:00Z'))
  await ask('ada', 'acme', 0.25, { model: 'large' })
  clock.set(NOON)
  await ask('bob', 'globex', 0.5, { model: 'small' })
  await ask('bob', 'globex', 0.75, { model: 'small' })
  await engine.tracker.addCost({ userId: 'eve', cost: 0.0000001, provider: '=p', metadata: { project: 'search' } })
})

const report = async (path: string, as = OPERATOR) => {
  const { status, json } = await made.look(as, `/v1/reports/${path}`)
  expect(status).toBe(200)
  return json
}

describe('reports', () => {
  it('are of the current month of the configured zone', async () => {
    expect(await report('daily')).toEqual({
      from: '2026-10-31T23:00:00.000Z',
      until: null,
      timeZone: 'Europe/Berlin',
      items: [
        { start: '2026-10-31T23:00:00.000Z', end: '2026-11-01T23:00:00.000Z', tenant: 'acme', calls: 1, denials: 0, entries: 1, tokens: 0, cost: 0.25, exact: { microcents: '25000000', tokens: '0' } },
        { start: '2026-11-14T23:00:00.000Z', end: '2026-11-15T23:00:00.000Z', tenant: 'globex', calls: 1, denials: 1, entries: 2, tokens: 0, cost: 0.5, exact: { microcents: '50000000', tokens: '0' } },
        { start: '2026-11-14T23:00:00.000Z', end: '2026-11-15T23:00:00.000Z', tenant: 'unassigned', isUnassigned: true, calls: 1, denials: 0, entries: 1, tokens: 0, cost: 0.0000001, exact: { microcents: '10', tokens: '0' } },
      ],
    })
  })

  it('are of whatever time is asked for', async () => {
    expect((await report('daily?zone=UTC')).items).toHaveLength(2)
    expect(await report('daily?until=2026-11-01')).toMatchObject({ from: '2026-09-30T22:00:00.000Z', until: '2026-10-31T23:00:00.000Z', items: [{ cost: 0.125 }] })
    expect((await report('daily?from=2026-10-31&until=2026-11-02')).items.map(({ cost }: { cost: number }) => cost)).toEqual([0.125, 0.25])
  })

  it('are by client, by model, of top spenders, and to invoice', async () => {
    expect((await report('by-client')).items).toMatchObject([{ client: 'acme', cost: 0.25, models: [{ model: 'large', cost: 0.25 }] }, { client: 'globex', cost: 0.5, models: [{ model: 'small', calls: 1 }] }, { client: 'unassigned', isUnassigned: true }])
    expect((await report('by-model')).items.map(({ model, cost, denials }: { model?: string; cost: number; denials: number }) => [model, cost, denials])).toEqual([['large', 0.25, 0], ['small', 0.5, 0], [undefined, 0.0000001, 1]])
    expect((await report('top?limit=2')).items.map(({ userId, cost }: { userId: string; cost: number }) => [userId, cost])).toEqual([['bob', 0.5], ['ada', 0.25]])
    expect((await report('top?by=model')).items.map(({ model }: { model: string }) => model)).toEqual(['small', 'large'])
    expect((await report('billing?client=userId')).items).toMatchObject([{ date: '2026-11-01', client: 'ada', cost: 0.25 }, { date: '2026-11-15', client: 'bob' }, { date: '2026-11-15', client: 'eve', project: 'search', exact: { microcents: '10' } }])
  })

  it('are CSV where that is asked for, with formulas defused', async () => {
    const { headers, text } = await made.look(OPERATOR, '/v1/reports/billing?format=csv')
    expect([headers.get('content-type'), headers.get('content-disposition')]).toEqual(['text/csv; charset=utf-8', 'attachment; filename="billing.csv"'])
    expect(text.split('\r\n')).toEqual(['Date,Client,Service,Model,Calls,Tokens,Cost,Project', '2026-11-01,acme,,large,1,0,0.25,', '2026-11-15,globex,,small,1,0,0.50,', `2026-11-15,unassigned,"'=p",,1,0,0.0000001,search`, ''])
  })

  it("show a tenant's key its own", async () => {
    for (const path of ['daily', 'by-client', 'by-model', 'top', 'billing', 'top?by=tenant', 'billing?client=userId']) {
      const json = await report(`${path}`, ACME)
      expect(json.items).toHaveLength(1)
      expect(JSON.stringify(json)).not.toMatch(/globex|bob|eve|small/)
    }
    expect((await made.look(ACME, '/v1/reports/daily?tenant=globex')).status).toBe(403)
    expect((await report('daily?tenant=globex')).items).toHaveLength(1)
    expect((await report('top', caller(['read'], 'acme', 'zoe'))).items).toEqual([])
  })

  it.each(['daily?zone=Nowhere', 'daily?from=soon', 'daily?by=model', 'top?by=color', 'top?limit=0', 'daily?from=2026-11-02&until=2026-11-01', 'daily?format=xml'])('refuse %s', async (path) => {
    expect((await made.look(OPERATOR, `/v1/reports/${path}`)).status).toBe(422)
  })

  it('and exports are refused where the ledger does not tell of all that was charged, unless a part is asked for', async () => {
    const small = seenWorld({}, (clock) => memoryStore({ clock, ledgerCapacity: 3 }))
    try {
      for (let index = 0; index < 3; index += 1) await small.ask(`user-${index}`, undefined, 0.5)
      const ndjson = { accept: 'application/x-ndjson' }
      const asked: readonly (readonly [string, Record<string, string>?])[] = [['/v1/reports/daily'], ['/v1/reports/top?format=csv'], ['/v1/usage.csv'], ['/v1/usage', ndjson]]
      // So that the key is known.
      await small.look(OPERATOR, '/v1/usage')
      const on = (app: typeof small.app) => async (path: string, headers: Record<string, string> = {}): Promise<Response> => app.fetch(new Request(`http://bursar.test${path}`, { headers: { ...headers, authorization: `Bearer test-${JSON.stringify(OPERATOR).replaceAll(' ', '_')}` } }))
      for (const [path, headers] of asked) expect((await on(small.app)(path, headers)).status).toBe(200)
      await small.ask('user-3', undefined, 0.5)
      // Whether a ledger is whole is looked up now and then: another service begins anew.
      const look = on(createApp(small.service))
      for (const [path, headers] of asked) {
        const refused = await look(path, headers)
        expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'INCOMPLETE', detail: expect.stringMatching(/^ledger: the store has charged more than its ledger tells here: .* partial=true/) }])
        expect((await look(`${path}${path.includes('?') ? '&' : '?'}partial=true`, headers)).status).toBe(200)
      }
      expect((await look('/v1/usage')).status).toBe(200)
    } finally {
      await small.close()
    }
  })
})
