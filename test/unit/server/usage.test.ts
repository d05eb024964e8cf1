// Ledger entries over HTTP: which, in which words, page by page or streamed; to nobody what is another's.

import { afterEach, describe, expect, it } from 'vitest'
import { entrySchema } from '../../../src/server/seeing/entry-view.js'
import { prefixOf } from '../../../src/server/ids.js'
import { memoryStore } from '../../../src/store/memory/index.js'
import { caller, OPERATOR } from '../../support/server/app.js'
import { NOON, seenWorld, type SeenWorld } from '../../support/server/seen.js'

const ACME = caller(['read'], 'acme')
const ADA = caller(['read'], 'acme', 'ada')
const HOUR = 3_600_000

let made: SeenWorld
afterEach(() => made.close())

/** Four entries, an hour apart. */
async function fill(): Promise<void> {
  made = seenWorld({ global: { monthly: 50 }, scopes: { tenant: { acme: { monthly: 5 }, '*': {} } } })
  const { clock, engine, ask } = made
  await ask('ada', 'acme', 0.25, { id: 'call-1', cost: 0.2, model: 'large' })
  clock.set(NOON + HOUR)
  await engine.tracker.addCost({ userId: 'bob', tenant: 'globex', cost: 0.5, model: 'small', provider: 'p', idempotencyKey: `${prefixOf('globex')}secret`, metadata: { project: 'x' } })
  clock.set(NOON + 2 * HOUR)
  await ask('zoe', 'acme', 0.75, { id: 'call-2', model: 'small' })
  clock.set(NOON + 3 * HOUR)
  await ask('zoe', 'acme', 0.5, { id: 'call-3', model: 'large' })
}

const ids = async (path: string, as = OPERATOR): Promise<string[]> => {
  const { status, json } = await made.look(as, path)
  expect(status).toBe(200)
  return json.items.map(({ decisionId }: { decisionId: string }) => decisionId)
}

/** The answer itself: to look at its pieces, or at lines that are JSON one by one. */
async function fetched(as: typeof OPERATOR, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  await made.look(as, '/v1/nothing')
  return made.app.fetch(new Request(`http://bursar.test${path}`, { headers: { ...headers, authorization: `Bearer ${`test-${JSON.stringify(as)}`.replaceAll(' ', '_')}` } }))
}

describe('GET /v1/usage', () => {
  it('gives entries with money as USD and exactly, and ids as their tenant knows them', async () => {
    await fill()
    const { json } = await made.look(OPERATOR, '/v1/usage')
    for (const item of json.items) entrySchema.parse(item)
    expect(json.items).toHaveLength(4)
    expect(json.next).toBeUndefined()
    expect(json.items[0]).toEqual({
      id: 'call-1:settled', kind: 'settled', at: '2026-11-15T12:00:00.000Z', decisionId: 'call-1', tenant: 'acme', userId: 'ada', tier: 'free', requestedModel: 'large', model: 'large', action: 'ALLOW',
      cost: 0.2, tokens: 0, calls: 1, estimatedCost: 0.25, estimatedTokens: 0, openedAt: '2026-11-15T12:00:00.000Z', details: { action: 'ALLOW' }, exact: { microcents: 20_000_000, estimatedMicrocents: 25_000_000 },
      charged: [
        { scope: { kind: 'user', id: 'ada', tenant: 'acme' }, window: 'daily/usd', startsAt: '2026-11-15T00:00:00.000Z' },
        { scope: { kind: 'user', id: 'ada', tenant: 'acme' }, window: 'weekly/usd', startsAt: '2026-11-09T00:00:00.000Z' },
        { scope: { kind: 'user', id: 'ada', tenant: 'acme' }, window: 'monthly/usd', startsAt: '2026-11-01T00:00:00.000Z' },
        { scope: { kind: 'global', id: 'global' }, window: 'monthly/usd', startsAt: '2026-11-01T00:00:00.000Z' },
        { scope: { kind: 'tenant', id: 'acme' }, window: 'monthly/usd', startsAt: '2026-11-01T00:00:00.000Z' },
      ],
    }) // prettier-ignore
    expect(json.items[3]).toMatchObject({ kind: 'denied', decisionId: 'call-3', action: 'BLOCK', cost: 0, calls: 0, reason: 'budget', charged: [] })
  })

  it.each([
    ['', ['call-1', 'secret', 'call-2', 'call-3']],
    ['?from=2026-11-15T13:00:00Z', ['secret', 'call-2', 'call-3']],
    ['?until=2026-11-15T13:00:00.000Z', ['call-1']],
    ['?from=2026-11-16', []],
    ['?from=2026-11&until=2026-12', ['call-1', 'secret', 'call-2', 'call-3']],
    ['?from=2026-11-15T15:00:00%2B01:00&until=2026-11-15T14:00:01', ['call-2']],
    ['?user=ada&user=bob', ['call-1', 'secret']],
    ['?tenant=globex', ['secret']],
    ['?model=small', ['secret', 'call-2']],
    ['?provider=', ['call-1', 'call-2', 'call-3']],
    ['?kind=denied', ['call-3']],
    ['?action=BLOCK&action=ALLOW&tier=free', ['call-1', 'call-2', 'call-3']],
    ['?minCost=0.5&maxCost=0.5', ['secret']],
    ['?metadata.project=x', ['secret']],
    ['?session=none', []],
    ['?newest=true&limit=2', ['call-3', 'call-2']],
    ['?newest=false&limit=2', ['call-1', 'secret']],
  ])('finds what is asked for: %s', async (query, expected) => {
    await fill()
    expect(await ids(`/v1/usage${query}`)).toEqual(expected)
  })

  it.each([
    ['limit=0', /^limit: /],
    ['limit=1001', /^limit: /],
    ['limit=x', /^limit: /],
    ['from=yesterday', /^from: "yesterday" is no point in time/],
    ['from=2026-11-31', /^from: /],
    ['from=2026-11-15&until=2026-11-15', /^until: .* is not after from/],
    ['kind=nothing', /^kind: "nothing" is none that an entry has/],
    ['minCost=much', /^minCost: /],
    ['color=red', /^color: is no parameter/],
    ['metadata.=x', /is no parameter/],
    ['newest=perhaps', /^newest: /],
    ['newest=true&after=x', /^after: /],
    ['after=x', /^after: is no cursor/],
  ])('refuses %s', async (query, detail) => {
    await fill()
    const { status, json } = await made.look(OPERATOR, `/v1/usage?${query}`)
    expect([status, json.detail]).toEqual([422, expect.stringMatching(detail)])
  })

  it('goes on behind a page, and misses nothing that is written meanwhile', async () => {
    await fill()
    const first = (await made.look(OPERATOR, '/v1/usage?limit=3')).json
    made.clock.set(NOON + 4 * HOUR)
    await made.ask('eve', undefined, 0.1, { id: 'later' })
    const next = (await made.look(OPERATOR, `/v1/usage?limit=3&after=${first.next}`)).json
    expect([...first.items, ...next.items].map(({ decisionId }: { decisionId: string }) => decisionId)).toEqual(['call-1', 'secret', 'call-2', 'call-3', 'later'])
    expect(next.next).toBeUndefined()
  })

  it("shows a tenant's key its own entries, whatever is asked, and only budgets that are its own", async () => {
    await fill()
    expect(await ids('/v1/usage', ACME)).toEqual(['call-1', 'call-2', 'call-3'])
    expect(await ids('/v1/usage?user=bob', ACME)).toEqual([])
    expect(await ids('/v1/usage?newest=true', ACME)).toEqual(['call-3', 'call-2', 'call-1'])
    expect(await ids('/v1/usage?tenant=acme&user=ada', ACME)).toEqual(['call-1'])
    for (const query of ['tenant=globex', 'tenant=acme&tenant=globex', 'tenant=']) expect((await made.look(ACME, `/v1/usage?${query}`)).status).toBe(403)
    const { json } = await made.look(ACME, '/v1/usage')
    expect(json.items[0].charged.map(({ scope }: { scope: { kind: string } }) => scope.kind)).toEqual(['user', 'user', 'user', 'tenant'])
    expect(JSON.stringify(json)).not.toContain('acme/call')
  })

  it("shows a user's key that user's entries", async () => {
    await fill()
    expect(await ids('/v1/usage', ADA)).toEqual(['call-1'])
    expect((await made.look(ADA, '/v1/usage?user=zoe')).status).toBe(403)
    const { json } = await made.look(ADA, '/v1/usage')
    expect(json.items[0].charged.map(({ scope }: { scope: { kind: string } }) => scope.kind)).toEqual(['user', 'user', 'user'])
    // One of that id in no tenant is another.
    expect(await ids('/v1/usage', caller(['read'], undefined, 'ada'))).toEqual([])
  })

  it('gives cursors that say nothing, and are good for whom they were made', async () => {
    await fill()
    const sealed = async (as = OPERATOR): Promise<string> => (await made.look(as, '/v1/usage?limit=1')).json.next
    const ofOperator = await sealed()
    expect(Buffer.from(ofOperator, 'base64url').toString('latin1')).not.toMatch(/call|acme/)
    expect(await sealed()).toHaveLength(ofOperator.length)
    expect((await made.look(ACME, `/v1/usage?after=${ofOperator}`)).status).toBe(422)
    expect((await made.look(OPERATOR, `/v1/usage?after=${await sealed(ACME)}`)).status).toBe(422)
    for (const place of [0, 20, ofOperator.length - 2]) {
      const altered = `${ofOperator.slice(0, place)}${ofOperator[place] === 'A' ? 'B' : 'A'}${ofOperator.slice(place + 1)}`
      expect((await made.look(OPERATOR, `/v1/usage?after=${altered}`)).status).toBe(422)
    }
    // Another query may go on there: its own conditions hold.
    expect(await ids(`/v1/usage?user=zoe&after=${ofOperator}`)).toEqual(['call-2', 'call-3'])
  })

  it('gives all that match as lines of JSON', async () => {
    await fill()
    const response = await fetched(ACME, '/v1/usage?user=zoe', { accept: 'application/x-ndjson' })
    expect(response.headers.get('content-type')).toBe('application/x-ndjson')
    const text = await response.text()
    expect(text.trimEnd().split('\n').map((line) => entrySchema.parse(JSON.parse(line)).decisionId)).toEqual(['call-2', 'call-3'])
    expect((await made.look(ACME, '/v1/usage?limit=1', { accept: 'application/x-ndjson' })).status).toBe(422)
  })
})

describe('GET /v1/usage.csv', () => {
  async function stream(): Promise<{ readonly response: Response; readonly reader: ReadableStreamDefaultReader<Uint8Array> }> {
    const response = await fetched(OPERATOR, '/v1/usage.csv')
    return { response, reader: (response.body as ReadableStream<Uint8Array>).getReader() }
  }

  it('has the columns of an export, and ids as their tenant knows them', async () => {
    await fill()
    const { status, headers, text } = await made.look(ACME, '/v1/usage.csv')
    expect([status, headers.get('content-type'), headers.get('content-disposition')]).toEqual([200, 'text/csv; charset=utf-8', 'attachment; filename="usage.csv"'])
    const lines = text.trimEnd().split('\r\n')
    expect(lines[0]).toMatch(/^id,kind,time,decisionId,tenant,userId,tier,.*,cost,tokens,/)
    expect(lines.slice(1).map((line) => line.split(',').slice(0, 6).join(' '))).toEqual(['call-1:settled settled 2026-11-15T12:00:00.000Z call-1 acme ada', 'call-2:settled settled 2026-11-15T14:00:00.000Z call-2 acme zoe', expect.stringMatching(/ denied 2026-11-15T15:00:00.000Z call-3 acme zoe$/)])
    expect((await made.look(ACME, '/v1/usage.csv?tenant=globex')).status).toBe(403)
    expect((await made.look(OPERATOR, '/v1/usage.csv?limit=1')).status).toBe(422)
  })

  it('defuses what a spreadsheet would run', async () => {
    await fill()
    await made.engine.tracker.addCost({ userId: '=HYPERLINK("x")', cost: 0.1, model: '+1' })
    const { text } = await made.look(OPERATOR, '/v1/usage.csv?kind=recorded&tenant=')
    expect(text).toContain(`"'=HYPERLINK(""x"")"`)
    expect(text).toContain(`"'+1"`)
  })

  it('reads on only as its reader reads, and no more once that has gone', async () => {
    made = seenWorld({}, (clock) => memoryStore({ clock, ledgerCapacity: 10_000 }))
    const { tracker } = made.engine
    for (let index = 0; index < 5_000; index += 1) await tracker.addCost({ userId: `user-${index}`, cost: 0.01 })
    let read = 0
    let isGivenUp = false
    const entries = tracker.entries.bind(tracker)
    tracker.entries = (filter) =>
      (async function* () {
        try {
          for await (const entry of entries(filter)) {
            read += 1
            yield entry
          }
        } finally {
          isGivenUp = true
        }
      })()
    const { reader } = await stream()
    await reader.read()
    const afterOne = read
    expect(afterOne).toBeGreaterThan(100)
    expect(afterOne).toBeLessThan(1_500)
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => void setImmediate(resolve))
    expect(read).toBe(afterOne)
    await reader.cancel()
    expect(isGivenUp).toBe(true)
    expect(read).toBeLessThan(1_500)
  })

  it('breaks off where the ledger fails half-way, and is a problem where it fails at once', async () => {
    await fill()
    const { tracker } = made.engine
    const failing = (after: number) => () =>
      (async function* () {
        for (let index = 0; index < after; index += 1) for await (const entry of entries()) yield entry
        throw new Error('the disk is gone')
      })()
    const entries = tracker.entries.bind(tracker)
    tracker.entries = failing(500)
    const { response, reader } = await stream()
    expect(response.status).toBe(200)
    await expect(
      (async () => {
        for (;;) if ((await reader.read()).done) return
      })(),
    ).rejects.toThrow('the disk is gone')
    expect(made.logged.filter(({ level }) => level === 'error')).toMatchObject([{ level: 'error', message: 'the reading of the ledger failed half-way' }])
    tracker.entries = failing(0)
    expect((await made.look(OPERATOR, '/v1/usage.csv')).status).toBe(500)
  })
})
