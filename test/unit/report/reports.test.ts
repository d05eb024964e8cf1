// Reports on a ledger: what a row says, in which order rows come, what is left out, and what is refused before anything is read.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CostTracker, memoryLedger, Reports, type EntrySource, type LedgerEntry } from '../../../src/index.js'
import { pageOf, sumsOf } from '../../../src/ledger/index.js'
import { manualClock } from '../../../src/testing/index.js'

const CENT = 1_000_000

function entry(fields: Partial<LedgerEntry> & { readonly when?: string }): LedgerEntry {
  const { when = '2026-01-15T12:00Z', ...given } = fields
  return { id: crypto.randomUUID(), kind: 'settled', at: Date.parse(when), decisionId: 'd', userId: 'u', microcents: CENT, tokens: 10, charged: [], ...given }
}

function sourceOf(...all: readonly LedgerEntry[]): EntrySource {
  const sink = memoryLedger()
  sink.write(all)
  return sink
}

/** One that sums by itself, and says what it was asked. */
function summing(asked: (readonly number[])[], ...all: readonly LedgerEntry[]): EntrySource {
  const inner = sourceOf(...all)
  return {
    entries: () => inner.entries(),
    page: (...page) => pageOf(inner, ...page),
    sums: (conditions, by, boundaries) => {
      asked.push(boundaries)
      return sumsOf(inner, conditions, by, boundaries)
    },
  }
}

const reading: EntrySource = {
  entries: () => {
    throw new Error('read')
  },
}

describe('a summary', () => {
  it('adds up calls, denials, tokens and cost by fields and by time, in order, with what has no text last', async () => {
    const all = [
      entry({ when: '2026-02-01T00:00Z', tenant: 'b', model: 'm' }),
      entry({ tenant: 'b', model: 'm' }),
      entry({ tenant: 'b', model: 'm', kind: 'corrected', microcents: -CENT / 2, tokens: -3 }),
      entry({ tenant: 'a', model: 'm', kind: 'denied', microcents: 0, tokens: 0 }),
      entry({ model: 'm' }),
      entry({ tenant: 'b' }),
    ]
    const january = { start: new Date('2026-01-01T00:00Z'), end: new Date('2026-02-01T00:00Z') }
    expect(await new Reports(sourceOf(...all)).summary({ by: ['month', 'tenant', 'model'] }).all()).toEqual([
      { ...january, tenant: 'a', model: 'm', calls: 0, denials: 1, entries: 1, tokens: 0, cost: 0, exact: { microcents: 0n, tokens: 0n } },
      { ...january, tenant: 'b', model: 'm', calls: 1, denials: 0, entries: 2, tokens: 7, cost: 0.005, exact: { microcents: 500_000n, tokens: 7n } },
      { ...january, tenant: 'b', model: undefined, calls: 1, denials: 0, entries: 1, tokens: 10, cost: 0.01, exact: { microcents: 1_000_000n, tokens: 10n } },
      { ...january, tenant: undefined, model: 'm', calls: 1, denials: 0, entries: 1, tokens: 10, cost: 0.01, exact: { microcents: 1_000_000n, tokens: 10n } },
      { start: new Date('2026-02-01T00:00Z'), end: new Date('2026-03-01T00:00Z'), tenant: 'b', model: 'm', calls: 1, denials: 0, entries: 1, tokens: 10, cost: 0.01, exact: { microcents: 1_000_000n, tokens: 10n } },
    ])
  })

  it('cuts days in the zone that it is asked for, and weeks where they start', async () => {
    const source = sourceOf(entry({ when: '2026-03-28T23:30Z' }), entry({ when: '2026-03-29T21:59Z' }), entry({ when: '2026-03-29T22:00Z' }))
    const reports = new Reports(source, { timeZone: 'Europe/Berlin', weekStartsOn: 0 })
    const shown = async (...asked: Parameters<Reports['summary']>) => (await reports.summary(...asked).all()).map(({ start, entries }) => [start?.toISOString(), entries])
    expect(await shown({ by: ['day'] })).toEqual([['2026-03-28T23:00:00.000Z', 2], ['2026-03-29T22:00:00.000Z', 1]])
    expect(await shown({ by: ['day'], timeZone: 'UTC' })).toEqual([['2026-03-28T00:00:00.000Z', 1], ['2026-03-29T00:00:00.000Z', 2]])
    expect(await shown({ by: ['week'] })).toEqual([['2026-03-28T23:00:00.000Z', 3]])
  })

  it('covers from and until, and says so in the rows at both ends', async () => {
    const all = ['2026-01-14T11:59Z', '2026-01-14T12:00Z', '2026-01-15T00:00Z', '2026-01-16T11:59Z', '2026-01-16T12:00Z'].map((when) => entry({ when }))
    for (const source of [sourceOf(...all), summing([], ...all)]) {
      const rows = await new Reports(source).summary({ by: ['day'], from: Date.parse('2026-01-14T12:00Z'), until: new Date('2026-01-16T12:00Z') }).all()
      expect(rows.map(({ start, end, entries }) => [start?.toISOString().slice(5, 16), end?.toISOString().slice(5, 16), entries])).toEqual([['01-14T12:00', '01-15T00:00', 1], ['01-15T00:00', '01-16T00:00', 1], ['01-16T00:00', '01-16T12:00', 1]])
    }
  })

  it('is exact beyond what a number holds', async () => {
    const huge = entry({ microcents: Number.MAX_SAFE_INTEGER, tokens: Number.MAX_SAFE_INTEGER })
    const report = new Reports(sourceOf(huge, { ...huge, id: 'b' }, entry({ microcents: 1, tokens: 1 }))).summary({ by: [] })
    expect((await report.all())[0]?.exact).toEqual({ microcents: 18_014_398_509_481_983n, tokens: 18_014_398_509_481_983n })
    expect(JSON.parse(await text(report.toJson()))).toEqual([{ calls: 3, denials: 0, entries: 3, tokens: '18014398509481983', cost: '180143985.09481983' }])
  })

  it('asks a ledger that sums by itself for all hours of a year at once, and by fields for as many stretches as have rows to be kept', async () => {
    const hours: (readonly number[])[] = []
    const year = { from: Date.UTC(2026, 0), until: Date.UTC(2027, 0) }
    expect(await new Reports(summing(hours, entry({}))).summary({ by: ['hour'], timeZone: 'Europe/Berlin', ...year }).all()).toHaveLength(1)
    expect(hours.map(({ length }) => length)).toEqual([8_761])
    const asked: (readonly number[])[] = []
    await new Reports(summing(asked, entry({}))).summary({ by: ['hour', 'tenant'], ...year }).all()
    expect(asked.map(({ length }) => length)).toEqual([65, 1_025, 8_760 - 1_088 + 1])
    const busy: (readonly number[])[] = []
    const source: EntrySource = {
      ...reading,
      sums: (_conditions, by, boundaries) => {
        busy.push(boundaries)
        const sum = (index: number) => ({ bucket: Math.floor(index / 1_000), texts: by.map(() => `t${index}`), entries: 1, calls: 1, denials: 0, tokens: 0n, microcents: 1n })
        return Array.from({ length: (boundaries.length - 1) * 1_000 }, (_, index) => sum(index))
      },
    }
    let rows = 0
    for await (const { cost } of new Reports(source).summary({ by: ['day', 'id'], ...year })) rows += Math.sign(cost)
    expect([rows, Math.max(...busy.map(({ length }) => length))]).toEqual([365_000, 65])
  })

  it('lets the process do other things between two questions to a ledger that answers at once, and while it reads one', async () => {
    const year = { from: Date.UTC(2026, 0), until: Date.UTC(2027, 0) }
    const many = Array.from({ length: 12_000 }, () => entry({}))
    const unpaged = sourceOf(...many)
    const hourly = { by: ['hour', 'tenant'] as const, ...year }
    for (const [source, asked] of [[summing([], entry({})), hourly], [unpaged, hourly], [{ entries: () => unpaged.entries() }, hourly], [{ entries: () => unpaged.entries() }, { by: [] }]] as const) {
      let [turns, isOver] = [0, false]
      const turn = (): void => {
        turns += 1
        if (!isOver) setImmediate(turn)
      }
      setImmediate(turn)
      await new Reports(source).summary(asked).all()
      isOver = true
      expect(turns).toBeGreaterThanOrEqual(2)
    }
  })

  it('asks a ledger that sums by itself only around the years that it has entries of', async () => {
    const asked: (readonly number[])[] = []
    const source = summing(asked, entry({ when: '2025-06-01T00:00Z' }), entry({ when: '2026-06-01T00:00Z' }))
    const rows = await new Reports(source, { clock: () => Date.UTC(2026, 6, 1) }).summary({ by: ['day'] }).all()
    expect(rows).toHaveLength(2)
    expect(Math.max(...asked.map(({ length }) => length))).toBe(2 * 365 + 1)
    expect(asked.length).toBeLessThan(6)
    // Where one is from another age, the years in between cost nothing.
    const far: (readonly number[])[] = []
    const old = summing(far, entry({ when: '2026-06-01T00:00Z' }), entry({ when: '1971-01-01T00:00Z' }), entry({ when: '9999-12-31T23:59Z' }))
    expect(await new Reports(old, { clock: () => Date.UTC(2026, 6, 1) }).summary({ by: ['day'] }).all()).toHaveLength(3)
    expect(far.length).toBeLessThan(25)
  })

  it('of nothing has no rows', async () => {
    for (const source of [sourceOf(), summing([])]) expect(await new Reports(source).summary({ by: ['hour', 'tenant'] }).all()).toEqual([])
  })

  it.each<[object, string, RegExp]>([
    [{ by: ['day', 'hour'] }, 'INVALID_REQUEST', /day and hour/],
    [{ by: ['colour'] }, 'INVALID_REQUEST', /"colour"/],
    [{ by: ['tenant', 'tenant'] }, 'INVALID_REQUEST', /twice/],
    [{ by: 'tenant' }, 'INVALID_REQUEST', /list/],
    [{ by: ['day'], timeZone: 'Europe/Berlyn' }, 'INVALID_CONFIG', /Berlyn/],
    [{ by: ['hour'], timeZone: '+05:30' }, 'INVALID_CONFIG', /Offsets/],
    [{ by: ['tenant'], timeZone: 'Mars' }, 'INVALID_CONFIG', /Mars/],
    [{ by: ['day'], from: 5, until: 5 }, 'INVALID_REQUEST', /until/],
    [{ by: ['day'], from: new Date(Number.NaN) }, 'INVALID_REQUEST', /from/],
    [{ by: ['day'], where: { colour: 'x' } }, 'INVALID_REQUEST', /colour/],
    [{ by: ['day'], groupBy: 'x' }, 'INVALID_REQUEST', /groupBy/],
  ])('refuses %j before anything is read', (options, code, message) => {
    expect(() => new Reports(reading).summary(options as never)).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as unknown }))
  })

  it('refuses a zone and a week of its own that are none', () => {
    expect(() => new Reports(reading, { timeZone: 'Nowhere' })).toThrow(/Nowhere/)
    expect(() => new Reports(reading, { weekStartsOn: 7 as never })).toThrow(/weekStartsOn/)
    for (const source of [undefined, null, {}]) expect(() => new Reports(source as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(/^source: .* is no ledger/) as unknown }))
    for (const options of [{ timezone: 'Europe/Berlin' }, null, 5]) expect(() => new Reports(reading, options as never)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(/^options.*timeZone/) as unknown }))
  })
})

describe('the other reports', () => {
  const all = [
    entry({ tenant: 'acme', model: 'big', provider: 'openai', metadata: { project: 'x' } }),
    entry({ tenant: 'acme', model: 'small', provider: 'openai', userId: 'v', microcents: 3 * CENT }),
    entry({ tenant: 'acme', model: 'big', kind: 'denied', microcents: 0, tokens: 0 }),
    entry({ model: 'big', when: '2026-01-16T00:00Z' }),
    entry({ tenant: 'idle', kind: 'configured', microcents: 0, tokens: 0 }),
  ]
  const reports = new Reports(sourceOf(...all))

  it('say what each client used, by model', async () => {
    const rows = await reports.byClient().all()
    expect(rows.map(({ client, calls, tokens, cost, models }) => [client, calls, tokens, cost, models.map((model) => [model.model, model.calls, model.cost])])).toEqual([
      ['acme', 2, 20, 0.04, [['big', 1, 0.01], ['small', 1, 0.03]]],
      ['unassigned', 1, 10, 0.01, [['big', 1, 0.01]]],
    ])
    expect(await text(reports.byClient({ until: Date.parse('2026-01-16') }).toCsv())).toBe('Client,Model,Calls,Tokens,Cost\r\nacme,big,1,10,0.01\r\nacme,small,1,10,0.03\r\n')
    expect(JSON.parse(await text(reports.byClient({ where: { userId: 'v' } }).toJson()))).toEqual([{ client: 'acme', calls: 1, tokens: 10, cost: '0.03', models: [{ model: 'small', calls: 1, tokens: 10, cost: '0.03' }] }])
  })

  it('say what each tenant used on each day, and was denied', async () => {
    expect((await reports.daily().all()).map(({ start, tenant, calls, denials }) => [start?.getUTCDate(), tenant, calls, denials])).toEqual([[15, 'acme', 2, 1], [16, 'unassigned', 1, 0]])
  })

  it('tell what belongs to nobody from a tenant called unassigned, and no model from one called unknown', async () => {
    const named = new Reports(sourceOf(entry({ tenant: 'unassigned', model: 'unknown' }), entry({ tenant: 'unassigned' }), entry({ microcents: 3 * CENT })))
    expect((await named.byClient().all()).map(({ client, isUnassigned, calls, models }) => [client, isUnassigned, calls, models.map(({ model, isUnknown }) => [model, isUnknown])])).toEqual([
      ['unassigned', undefined, 2, [['unknown', undefined], ['unknown', true]]],
      ['unassigned', true, 1, [['unknown', true]]],
    ])
    expect((await named.daily().all()).map(({ tenant, isUnassigned, calls }) => [tenant, isUnassigned, calls])).toEqual([['unassigned', undefined, 2], ['unassigned', true, 1]])
    const billed = await named.billing().all()
    expect(billed.map(({ client, isUnassigned, cost }) => [client, isUnassigned, cost])).toEqual([['unassigned', undefined, 0.01], ['unassigned', undefined, 0.01], ['unassigned', true, 0.03]])
    expect((JSON.parse(await text(named.billing().toJson())) as { isUnassigned?: boolean }[]).map(({ isUnassigned }) => isUnassigned)).toEqual([undefined, undefined, true])
  })

  it('say who spent most, the same amount in the order of the names', async () => {
    expect((await reports.topSpenders().all()).map(({ userId, tenant, cost }) => [userId, tenant, cost])).toEqual([['v', 'acme', 0.03], ['u', 'acme', 0.01], ['u', undefined, 0.01]])
    expect((await reports.topSpenders({ by: 'model', limit: 1 }).all()).map(({ model, cost }) => [model, cost])).toEqual([['small', 0.03]])
    expect(await reports.topSpenders({ by: 'scopes.team' }).all()).toEqual([])
    for (const limit of [0, 1.5, 10_001]) expect(() => reports.topSpenders({ limit })).toThrow(/limit/)
  })

  it('say what to invoice', async () => {
    expect(await text(reports.billing().toCsv())).toBe('Date,Client,Service,Model,Calls,Tokens,Cost,Project\r\n2026-01-15,acme,openai,big,1,10,0.01,x\r\n2026-01-15,acme,openai,small,1,10,0.03,\r\n2026-01-16,unassigned,,big,1,10,0.01,\r\n')
    const auckland = await reports.billing({ timeZone: 'Pacific/Auckland', client: 'userId', service: 'model', from: Date.parse('2026-01-15T12:00Z') }).all()
    expect(auckland.map(({ date, client, service, model, project }) => [date, client, service, model, project])).toEqual([['2026-01-16', 'u', 'big', 'big', 'x'], ['2026-01-16', 'u', 'big', 'big', undefined], ['2026-01-16', 'v', 'small', 'small', undefined]])
    expect(() => reports.billing({ project: 'project' as never })).toThrow(/"project"/)
  })
})

describe('a written report', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bursar-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const odd = ['=1+1', '@x', 'a,"b"', '-2']
  const report = () => new Reports(sourceOf(...odd.map((tenant) => entry({ tenant, microcents: -5 })))).summary({ by: ['tenant', 'metadata.=x'] })

  it('runs nothing in a spreadsheet, not even from a column’s name, and keeps negative amounts as they are', async () => {
    expect(await text(report().toCsv())).toBe('tenant,metadata.=x,calls,denials,entries,tokens,cost\r\n"\'-2",,1,0,1,10,-0.00000005\r\n"\'=1+1",,1,0,1,10,-0.00000005\r\n"\'@x",,1,0,1,10,-0.00000005\r\n"a,""b""",,1,0,1,10,-0.00000005\r\n')
  })

  it('is CSV, JSON or JSON lines, as its name ends', async () => {
    for (const format of ['csv', 'json', 'jsonl']) await report().writeTo(join(folder, `all.${format}`))
    const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
    expect((await read('all.csv')).split('\r\n')).toHaveLength(6)
    expect(JSON.parse(await read('all.json'))).toHaveLength(4)
    expect((await read('all.jsonl')).trimEnd().split('\n').map((line) => (JSON.parse(line) as { tenant: string }).tenant)).toEqual(['-2', '=1+1', '@x', 'a,"b"'])
    await report().writeTo(join(folder, 'other'), { format: 'json' })
    expect(await read('other')).toBe(await read('all.json'))
    await expect(report().writeTo(join(folder, 'all.xlsx'))).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(new Reports(reading).byClient().writeTo(join(folder, 'x'), { format: 'xml' as never })).rejects.toThrow(/"xml"/)
  })

  it.each<[unknown, unknown, RegExp]>([
    ['a.csv', { fromat: 'json' }, /options\.fromat.*format, onProgress, signal/],
    ['a.csv', null, /options: null/],
    ['a.csv', { signal: 5 }, /signal: 5/],
    ['a.csv', { signal: null }, /signal: null/],
    ['a.csv', { onProgress: 5 }, /onProgress: 5/],
    ['', { format: 'csv' }, /path: ""/],
    [undefined, { format: 'csv' }, /path: undefined/],
    ['.', { format: 'json' }, /is a folder/],
  ])('is refused to %j with %j before anything is read', async (name, options, message) => {
    const path = name === undefined || name === '' ? name : join(folder, name as string)
    await expect(new Reports(reading).byClient().writeTo(path as string, options as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(message) as unknown })
    expect(await readdir(folder)).toEqual([])
  })

  it('tells how many rows there were, and leaves nothing where it was given up', async () => {
    const told: number[] = []
    await report().writeTo(join(folder, 'all.csv'), { onProgress: (written) => told.push(written) })
    expect(told).toEqual([4])
    const reason = new Error('enough')
    await expect(report().writeTo(join(folder, 'none.csv'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(await readdir(folder)).toEqual(['all.csv'])
  })
})

describe('tracker.reports', () => {
  it('cut time as the configuration says', async () => {
    const clock = manualClock(Date.UTC(2026, 0, 15, 23, 30))
    const tracker = new CostTracker({ tiers: { free: { daily: 10 } }, defaultTier: 'free', timeZone: 'Europe/Berlin', weekStartsOn: 0, clock })
    await tracker.addCost({ userId: 'u', cost: 1 })
    expect((await tracker.reports.billing().all()).map(({ date, cost }) => [date, cost])).toEqual([['2026-01-16', 1]])
    expect((await tracker.reports.summary({ by: ['week'] }).all())[0]?.start).toEqual(new Date('2026-01-10T23:00Z'))
  })
})

async function text(pieces: AsyncIterable<string>): Promise<string> {
  let all = ''
  for await (const piece of pieces) all += piece
  return all
}
