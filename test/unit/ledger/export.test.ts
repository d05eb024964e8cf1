// Exports that other programs read: CSV without formulas, JSON, and files that are never half.

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from '@photostructure/sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Bursar, CostTracker, memoryStore } from '../../../src/index.js'
import { toCsv, toJson, writeFile as writePieces, type LedgerEntry } from '../../../src/ledger/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { allowedOf } from '../setting.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bursar-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Reads CSV as RFC 4180 says. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let row: string[] = []
  let at = 0
  while (at < text.length) {
    let cell = ''
    if (text[at] === '"') {
      at += 1
      for (;;) {
        if (at >= text.length) throw new Error('a quoted cell without an end')
        const doubled = text[at] === '"' && text[at + 1] === '"'
        if (text[at] === '"' && !doubled) break
        cell += text[at]
        at += doubled ? 2 : 1
      }
      at += 1
    } else while (at < text.length && text[at] !== ',' && text[at] !== '\r') cell += text[at++]
    row.push(cell)
    if (text[at] === ',') at += 1
    else if (text.startsWith('\r\n', at)) {
      at += 2
      rows.push(row)
      row = []
    } else throw new Error(`neither a comma nor CRLF at ${at}: ${JSON.stringify(text.slice(at, at + 20))}`)
  }
  return rows
}

async function* each(...entries: readonly Partial<LedgerEntry>[]): AsyncIterable<LedgerEntry> {
  for (const entry of entries) yield { id: 'd:settled', kind: 'settled', at: 0, decisionId: 'd', userId: 'ann', microcents: 5, tokens: 0, charged: [], ...entry }
}

async function written(pieces: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

const tracking = () => new CostTracker({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock: manualClock() })

describe('exportToCsv', () => {
  it('writes a header and a line for each entry, with exact amounts', async () => {
    const bursar = new Bursar({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock: manualClock() })
    const decision = allowedOf(await bursar.check({ userId: 'u', tenant: 't', estimatedCost: 0.5, model: 'm', provider: 'p', metadata: { a: [1, 'x'] }, idempotencyKey: 'd' }))
    await decision.settle({ cost: '0.00000003' })
    await bursar.tracker.refund({ userId: 'u', tenant: 't', cost: '0.00000001', decisionId: 'd', reason: 'half of it' })
    const path = join(folder, 'entries.csv')
    await bursar.tracker.exportToCsv(path)
    const [header, ...rows] = parseCsv(await readFile(path, 'utf8'))
    expect(rows.map((row) => Object.fromEntries(row.map((cell, index) => [header?.[index], cell])))).toEqual([
      { id: 'd:settled', kind: 'settled', time: '2026-01-15T12:00:00.000Z', decisionId: 'd', tenant: 't', userId: 'u', tier: 'free', sessionId: '', provider: 'p', requestedModel: 'm', model: 'm', cost: '0.00000003', tokens: '0', estimatedCost: '0.50', reason: '', metadata: '{"a":[1,"x"]}', priceVersion: '', estimated: '', usage: '', labels: '', opened: '2026-01-15T12:00:00.000Z', action: 'ALLOW', calls: '1', scopes: '', estimatedTokens: '0', rungs: '' },
      expect.objectContaining({ id: 'd:corrected:1', kind: 'corrected', cost: '-0.00000001', reason: 'half of it' }),
    ])
    expect(await readdir(folder)).toEqual(['entries.csv'])
  })

  it.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx', '=HYPERLINK("http://evil","a,b")', '＝1'])('defuses %j, which a spreadsheet would run', async (text) => {
    const tracker = tracking()
    await tracker.addCost({ userId: 'u', cost: 0.1 })
    await tracker.refund({ userId: 'u', cost: 0.1, reason: text })
    if (!/[\t\r]/.test(text)) await tracker.addCost({ userId: text, model: text, provider: text, cost: 0.2 })
    const path = join(folder, 'entries.csv')
    await tracker.exportToCsv(path)
    const [header = [], ...rows] = parseCsv(await readFile(path, 'utf8'))
    const defused = rows.flatMap((row) => row.filter((cell, index) => cell.includes(text) && ['userId', 'model', 'provider', 'reason'].includes(header[index] as string)))
    expect(defused.length).toBeGreaterThan(0)
    for (const cell of defused) expect(cell).toBe(`'${text}`)
    for (const row of rows) row.forEach((cell, index) => { if (!['cost', 'estimatedCost'].includes(header[index] as string)) expect(cell).not.toMatch(/^[=+\-@\t\r]/) })
  })

  it('quotes and defuses what is a cell of its own where lists are separated by semicolons or tabs', async () => {
    const reasons = ['x;=1+1', 'x; @y', 'a\t=1', 'x;"=1"', 'a;b', 'a\tb', '5;6']
    const lines = (await written(toCsv(each(...reasons.map((reason) => ({ reason })))))).split('\r\n').slice(1, -1)
    const cells = parseCsv(`${lines.join('\r\n')}\r\n`).map((row) => row[14])
    expect(cells).toEqual(["x;'=1+1", "x;' @y", "a\t'=1", `x;'"=1"`, 'a;b', 'a\tb', '5;6'])
    for (const [index, line] of lines.entries()) expect(line).toContain(`,"${(cells[index] as string).replaceAll('"', '""')}",`)
  })

  it('defuses within JSON so that it is read back as it was', async () => {
    const metadata = { 'a;=k': 'x;=1+1', b: ['; @y', 'a;b', '\t=1', "it's;-2"] }
    const [header = [], row = []] = parseCsv(await written(toCsv(each({ metadata, scopes: { team: 's;+1' } }))))
    const [shown, scopes] = [row[header.indexOf('metadata')] as string, row[header.indexOf('scopes')] as string]
    expect([JSON.parse(shown), JSON.parse(scopes)]).toEqual([metadata, { team: 's;+1' }])
    for (const cell of [shown, scopes]) for (const part of cell.split(';')) expect(part).not.toMatch(/^\s*[=+\-@]/)
    expect(shown).toContain('a;b')
  })

  it.each(['a;b', 'a\tb', 'a,b', 'say "hi"', 'two\nlines', 'two\r\nlines', "it's", ' padded ', 'grüße 🙂', '"', ''])('reads %j back as it was', async (reason) => {
    const tracker = tracking()
    await tracker.addCost({ userId: 'u', cost: 0.1 })
    await tracker.refund({ userId: 'u', cost: 0.1, reason })
    const path = join(folder, 'entries.csv')
    await tracker.exportToCsv(path)
    const rows = parseCsv(await readFile(path, 'utf8'))
    expect(rows.every((row) => row.length === rows[0]?.length)).toBe(true)
    expect(rows[2]?.[rows[0]?.indexOf('reason') as number]).toBe(reason)
  })

  it('writes how a cost was found, of which nothing runs, and in which session', async () => {
    const labels = { '=1+1': 1, '"': 2, '\t@x\r\n': 3 }
    const [header = [], found = [], given = []] = parseCsv(await written(toCsv(each({ sessionId: 's', details: { priceVersion: '=cmd()', estimated: true, usage: { inputTokens: 3 }, labels } }, { details: { usage: {} } }))))
    const cells = (row: readonly string[]): (string | undefined)[] => ['priceVersion', 'estimated', 'usage', 'labels'].map((column) => row[header.indexOf(column)])
    expect(cells(found)).toEqual(["'=cmd()", 'true', '{"inputTokens":3}', JSON.stringify(labels)])
    expect(JSON.parse(cells(found)[3] as string)).toEqual(labels)
    expect(cells(given)).toEqual(['', '', '{}', ''])
    expect([found, given].map((row) => row[header.indexOf('sessionId')])).toEqual(['s', ''])
    for (const row of [found, given]) for (const cell of row) expect(cell).not.toMatch(/^[=+\-@\t\r]/)
  })

  it('writes scopes, models that were open, what the decision was, and how many calls it is, after the columns of before', async () => {
    const entry = { scopes: { team: '=x' }, rungs: [{ model: 'a', microcents: 2, tokens: 1 }], estimatedTokens: 3, openedAt: 0, details: { action: 'DEGRADE' as const } }
    const [header = [], full = [], denied = []] = parseCsv(await written(toCsv(each(entry, { kind: 'denied' }))))
    expect(header.slice(0, 20)).toEqual(['id', 'kind', 'time', 'decisionId', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'cost', 'tokens', 'estimatedCost', 'reason', 'metadata', 'priceVersion', 'estimated', 'usage', 'labels'])
    expect(header.slice(20)).toEqual(['opened', 'action', 'calls', 'scopes', 'estimatedTokens', 'rungs'])
    expect(full.slice(20)).toEqual(['1970-01-01T00:00:00.000Z', 'DEGRADE', '1', '{"team":"=x"}', '3', '[{"model":"a","cost":"0.00000002","tokens":1}]'])
    expect(denied.slice(20)).toEqual(['', 'BLOCK', '0', '', '', ''])
  })

  it('writes the header alone where nothing was charged', async () => {
    await tracking().exportToCsv(join(folder, 'none.csv'))
    expect(parseCsv(await readFile(join(folder, 'none.csv'), 'utf8'))).toHaveLength(1)
  })
})

describe('exportToJson', () => {
  it('writes one array of entries with exact amounts and times', async () => {
    const tracker = tracking()
    const path = join(folder, 'entries.json')
    await tracker.exportToJson(path)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual([])
    await tracker.addCost({ userId: 'u', cost: '0.10', metadata: { 'a"b': '=1' } })
    await tracker.addCost({ userId: 'v', cost: 0.00000001 })
    await tracker.exportToJson(path)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject([{ userId: 'u', kind: 'recorded', cost: '0.10', time: '2026-01-15T12:00:00.000Z', metadata: { 'a"b': '=1' } }, { userId: 'v', cost: '0.00000001' }])
  })
})

describe('an export to JSON', () => {
  it('has how a cost was found as it is', async () => {
    const details = { priceVersion: '=v', estimated: true as const, usage: { inputTokens: 3 }, labels: { '=1+1': 1 } }
    const [found, given] = JSON.parse(await written(toJson(each({ details }, {})))) as { details?: unknown }[]
    expect([found?.details, given?.details]).toEqual([details, undefined])
  })
})

describe('an export to JSON lines', () => {
  it('has one object on each line, and nothing where there is nothing', async () => {
    const tracker = tracking()
    const path = join(folder, 'entries.jsonl')
    await tracker.exportToJsonLines(path)
    expect(await readFile(path, 'utf8')).toBe('')
    await tracker.addCost({ userId: 'u', cost: '0.10', metadata: { note: 'two\nlines' } })
    await tracker.addCost({ userId: 'v', cost: 1 })
    await tracker.exportToJsonLines(path)
    const lines = (await readFile(path, 'utf8')).split('\n')
    expect(lines.pop()).toBe('')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([{ userId: 'u', cost: '0.10', metadata: { note: 'two\nlines' } }, { userId: 'v', cost: '1.00' }])
  })
})

describe('an export of some entries', () => {
  it.each(['exportToCsv', 'exportToJson', 'exportToJsonLines'] as const)('%s writes those that match, and says how many at the end', async (method) => {
    const tracker = tracking()
    for (const userId of ['u', 'v', 'u']) await tracker.addCost({ userId, cost: 1 })
    const path = join(folder, 'some')
    const told: number[] = []
    await tracker[method](path, { filter: { where: { userId: 'u' } }, onProgress: (written) => told.push(written) })
    const text = await readFile(path, 'utf8')
    expect([text.match(/recorded/g)?.length, text.includes(',v,') || text.includes('"v"')]).toEqual([4, false])
    expect(told).toEqual([2])
  })

  it.each<[unknown, unknown, RegExp]>([
    [undefined, {}, /path: undefined is no path/],
    ['', {}, /path: "" is no path/],
    [5, {}, /path: 5 is no path/],
    ['.', {}, /is a folder/],
    ['x', null, /options: null/],
    ['x', { signal: 5 }, /signal: 5 is no AbortSignal/],
    ['x', { onProgress: 'no' }, /onProgress: "no" is no function/],
    ['x', { filter: { where: { kind: 'setled' } } }, /"setled".*settled/],
  ])('refuses %j with %j before anything is read, and writes nothing', async (name, options, message) => {
    const tracker = tracking()
    const path = name === '.' ? folder : name === 'x' ? join(folder, name) : (name as string)
    for (const method of ['exportToCsv', 'exportToJson', 'exportToJsonLines', 'exportToSqlite'] as const) {
      await expect(tracker[method](path, options as never)).rejects.toMatchObject({ code: expect.stringMatching(/^INVALID_(REQUEST|CONFIG)$/) as unknown, message: expect.stringMatching(message) as unknown })
    }
    expect(await readdir(folder)).toEqual([])
  })

  it('is ended by what onProgress throws, and leaves nothing', async () => {
    const broken = new Error('the bar broke')
    const onProgress = (): void => {
      throw broken
    }
    for (const method of ['exportToCsv', 'exportToJson', 'exportToJsonLines', 'exportToSqlite'] as const) await expect(tracking()[method](join(folder, 'x'), { onProgress })).rejects.toBe(broken)
    expect(await readdir(folder)).toEqual([])
  })

  it('refuses a filter or an option that is none, and writes nothing', async () => {
    const tracker = tracking()
    await expect(tracker.exportToCsv(join(folder, 'x'), { filter: { where: { colour: 'red' } as never } })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(tracker.exportToCsv(join(folder, 'x'), { from: 0 } as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect(await readdir(folder)).toEqual([])
  })

  it('tells of progress on the way, and is given up when the signal says so, without a trace', async () => {
    const clock = manualClock()
    const tracker = new CostTracker({ tiers: { free: { daily: 10 } }, defaultTier: 'free', clock, store: memoryStore({ clock, ledgerCapacity: 2_500 }) })
    for (let index = 0; index < 2_500; index += 1) await tracker.addCost({ userId: 'u', cost: 0.001 })
    const told: number[] = []
    await tracker.exportToJson(join(folder, 'all'), { onProgress: (written) => told.push(written) })
    expect(told).toEqual([1_000, 2_000, 2_500])
    const ended = new AbortController()
    const reason = new Error('enough')
    const exported = tracker.exportToCsv(join(folder, 'half'), { signal: ended.signal, onProgress: () => ended.abort(reason) })
    await expect(exported).rejects.toBe(reason)
    await expect(tracker.exportToSqlite(join(folder, 'none'), { signal: ended.signal })).rejects.toBe(reason)
    expect(await readdir(folder)).toEqual(['all'])
  })
})

describe('writing a file', () => {
  it('leaves the old file and no rest where it fails', async () => {
    const path = join(folder, 'file')
    await writeFile(path, 'old')
    const broken = async function* (): AsyncIterable<string> {
      yield 'new'
      throw new Error('ledger is gone')
    }
    await expect(writePieces(path, broken())).rejects.toThrow('ledger is gone')
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(folder)).toEqual(['file'])
  })

  it('rejects where the folder does not exist', async () => {
    await expect(tracking().exportToCsv(join(folder, 'none', 'file.csv'))).rejects.toThrow(/path: .*ENOENT.*Make the folder/)
  })
})

describe('an export to SQLite', () => {
  it('has every kept entry in one table that other programs read', async () => {
    const tracker = new CostTracker({ tiers: { free: { daily: 1 } }, clock: manualClock('2026-01-15T12:00:00Z') })
    await tracker.addCost({ userId: 'ann', userTier: 'free', model: 'gpt-4o', cost: '0.1', metadata: { project: 'x' } })
    await tracker.addCost({ userId: 'bob', userTier: 'free', cost: '0.00000001' })
    const path = join(folder, 'costs.db')
    await tracker.exportToSqlite(path)
    const database = new DatabaseSync(path)
    const rows = database.prepare('SELECT user_id, kind, time, model, cost_usd, microcents, metadata FROM entry').all()
    database.close()
    expect(rows.map((row) => ({ ...row }))).toEqual([
      { user_id: 'ann', kind: 'recorded', time: '2026-01-15T12:00:00.000Z', model: 'gpt-4o', cost_usd: '0.10', microcents: 10_000_000, metadata: '{"project":"x"}' },
      { user_id: 'bob', kind: 'recorded', time: '2026-01-15T12:00:00.000Z', model: null, cost_usd: '0.00000001', microcents: 1, metadata: null },
    ])
  })
})
