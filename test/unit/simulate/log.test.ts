import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Bursar, InvalidConfigError, memoryStore, type LedgerEntry } from '../../../src/index.js'
import { toCsv, toJson } from '../../../src/ledger/index.js'
import { readLog, sampleLog, type LoggedRequest } from '../../../src/simulate/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { all, rowError } from './kit.js'

const map = { time: 'at', userId: 'who', model: 'model', inputTokens: 'in', outputTokens: 'out' }
const folder = mkdtempSync(join(tmpdir(), 'bursar-log-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('a log of somebody else', () => {
  it('is read as CSV with quotes, CRLF and a byte order mark, in whatever pieces it comes', async () => {
    const text = '\uFEFFat,who,model,in,out\r\n2026-01-01T00:00:00Z,"ada, the ""first""",large,1,2\r\n2026-01-01 00:00:01.1234567,ben,"sm\nall",3,4'
    const bytes = new TextEncoder().encode(text)
    const broken = await all(readLog([text.replace('sm\nall', 'small')], { map }))
    for (const size of [1, 3, 7, 1_000]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.slice(index * size, (index + 1) * size))
      await expect(all(readLog(pieces, { map }))).rejects.toThrow(/row 3: model: "sm\\nall" is no id/)
      expect(await all(readLog(pieces.map((piece) => piece), { map, onBadRow: 'skip' }))).toHaveLength(1)
    }
    expect(broken.map((call) => [call.row, call.at, (call as LoggedRequest).userId])).toEqual([[2, Date.UTC(2026, 0, 1), 'ada, the "first"'], [3, Date.UTC(2026, 0, 1) + 1_123, 'ben']])
  })

  it('is read as JSON lines, with columns inside others', async () => {
    const text = '{"t":1767225600,"user":{"id":"ada"},"team":"search","price":"0.5"}\n{"t":1767225600500,"user":{"id":"ben"},"price":1}\n'
    const calls = (await all(readLog([text], { map: { time: 't', userId: 'user.id', cost: 'price', 'scopes.team': 'team' } }))) as LoggedRequest[]
    expect(calls.map(({ at, userId, microcents, scopes }) => [at, userId, microcents, scopes])).toEqual([
      [1_767_225_600_000, 'ada', 50_000_000, { team: 'search' }],
      [1_767_225_600_500, 'ben', 100_000_000, undefined],
    ])
  })

  it.each([
    ['negative tokens', 'at,who,model,in,out\n2026-01-01,ada,large,-1,2', 2, /inputTokens \(column "in"\): "-1" is no count/],
    ['tokens that are none', 'at,who,model,in,out\n2026-01-01,ada,large,1,NaN', 2, /outputTokens .*"NaN"/],
    ['a day that is none', 'at,who,model,in,out\n2026-02-29T00:00:00Z,ada,large,1,1', 2, /time .*"2026-02-29T00:00:00Z" is no time/],
    ['a zone that does not exist', 'at,who,model,in,out\n2026-01-01T00:00:00Europe/Nowhere,ada,large,1,1', 2, /is no time.*zones by offset/],
    ['a row that was cut off', 'at,who,model,in,out\n2026-01-01,ada,large,1,1\n2026-01-01,ad', 3, /has 2 cells, and the header has 5/],
    ['a quote that stays open', 'at,who,model,in,out\n2026-01-01,"ada,large,1,1\n', 2, /quote that is never closed/],
    ['nobody', 'at,who,model,in,out\n2026-01-01,,large,1,1', 2, /userId: is missing/],
    ['a time that goes back', 'at,who,model,in,out\n2026-01-02,ada,large,1,1\n2026-01-01,ada,large,1,1', 3, /before that of row 2.*lookAhead/],
  ])('names the row of %s', async (_what, text, row, message) => {
    const error = await rowError(text, { map })
    expect(error.row).toBe(row)
    expect(error.message).toMatch(message)
  })

  it('leaves bad rows out where it is told to, and counts them', async () => {
    const log = readLog(['at,who\n2026-01-01,ada\nnever,ben\n2026-01-02,cleo\n2025-01-01,dan\n'], { map: { time: 'at', userId: 'who' }, onBadRow: 'skip' })
    const pass = log.pass()
    const seen: string[] = []
    for await (const batch of pass.batches()) for (const call of batch) seen.push((call as LoggedRequest).userId)
    expect(seen).toEqual(['ada', 'cleo'])
    expect(pass.skipped.count).toBe(2)
    expect(pass.skipped.first.map(({ row }) => row)).toEqual([3, 5])
  })

  it('leaves out a row of nobody, once, however often the log is repeated', async () => {
    const log = readLog(['at,who\n2026-01-05T00:00:00Z,ada\n2026-01-05T00:00:01Z,\n2026-01-05T00:00:02Z,ben\n'], { map: { time: 'at', userId: 'who' }, onBadRow: 'skip', spread: { repeat: { times: 3, over: '3d' } } })
    const pass = log.pass()
    const seen: string[] = []
    for await (const batch of pass.batches()) for (const call of batch) seen.push((call as LoggedRequest).userId)
    expect(seen.join(' ')).toBe('ada ben ada ben ada ben')
    expect(pass.skipped).toMatchObject({ count: 1, first: [{ row: 3 }] })
  })

  it.each([
    ['is never closed', (line: number) => (line === 3 ? '2026-01-05,"bob,0.001' : `2026-01-05,u${line},0.001`), [3]],
    ['is never closed, and the file is long', (line: number) => (line === 3 ? '2026-01-05,"bob,0.001' : `2026-01-05,u${line},0.001${'0'.repeat(60)}`), [3]],
    ['is never closed, among rows that are quoted', (line: number) => (line === 3 ? '2026-01-05,"bob,0.001' : `2026-01-05,"u${line}",0.001`), [3]],
    ['closes in the same column further down', (line: number) => (line === 3 ? '2026-01-05,"bob,0.001' : line === 9 ? '2026-01-05,dan",0.001' : `2026-01-05,u${line},0.001`), [3]],
    ['opens in several rows', (line: number) => (line % 1_000 === 3 ? '2026-01-05,"bob,0.001' : `2026-01-05,u${line},0.001`), [3, 1_003, 2_003, 3_003, 4_003]],
    ['is in the last row', (line: number) => (line === 5_000 ? '2026-01-05,"bob,0.001' : `2026-01-05,u${line},0.001`), [5_000]],
  ])('loses no other row where a quote %s', async (_what, lineOf, rows) => {
    const lines = ['at,who,cost', ...Array.from({ length: 4_999 }, (_, index) => lineOf(index + 2))]
    const pass = readLog([`${lines.join('\n')}\n`], { map: { time: 'at', userId: 'who', cost: 'cost' }, onBadRow: 'skip' }).pass()
    const seen: number[] = []
    for await (const batch of pass.batches()) for (const { row } of batch) seen.push(row)
    expect(pass.skipped.count).toBe(rows.length)
    expect(pass.skipped.first.map(({ row }) => row)).toEqual(rows)
    expect(seen).toEqual(lines.map((_, index) => index + 1).slice(1).filter((row) => !(rows as number[]).includes(row)))
  })

  it('refuses a file without anything, and a header that names two columns alike', async () => {
    const path = join(folder, 'nothing.jsonl')
    writeFileSync(path, '')
    await expect(all(readLog(path))).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/log: is empty/) })
    await expect(all(readLog([' \n\n'], { map }))).rejects.toThrow(/log: is empty/)
    await expect(all(readLog(['at,who,at\n2026-01-01,ada,2026-01-02\n'], { map: { time: 'at', userId: 'who' } }))).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/two columns "at"/) })
    expect(await all(readLog(['at,who,,\n2026-01-01,ada,,\n'], { map: { time: 'at', userId: 'who' } }))).toHaveLength(1)
  })

  it('puts rows in order within its look-ahead, and names one that is later than that', async () => {
    const text = (late: string): string => `at,who\n2026-01-01T00:00:00Z,a\n2026-01-01T00:10:00Z,b\n2026-01-01T00:06:00Z,c\n2026-01-01T01:00:00Z,d\n${late},e\n`
    const options = { map: { time: 'at', userId: 'who' }, lookAhead: '5m' } as const
    const inTime = (await all(readLog([text('2026-01-01T00:58:00Z')], options))) as LoggedRequest[]
    expect(inTime.map(({ userId }) => userId).join('')).toBe('acbed')
    expect(await rowError(text('2026-01-01T00:02:00Z'), options)).toMatchObject({ row: 6 })
  })

  it('reads times without an offset in the zone that is named, and refuses one that does not exist', async () => {
    const [call] = await all(readLog(['at,who\n2026-07-01 12:00:00,ada\n'], { map: { time: 'at', userId: 'who' }, timeZone: 'Europe/Berlin' }))
    expect(call?.at).toBe(Date.UTC(2026, 6, 1, 10))
    expect(() => readLog([], { timeZone: 'Europe/Nowhere' })).toThrow(InvalidConfigError)
  })

  it('refuses options and columns that are none', async () => {
    expect(() => readLog('x', { colour: 'red' } as never)).toThrow(/colour/)
    expect(() => readLog('x', { map: { time: 'at' } })).toThrow(/map\.userId/)
    await expect(all(readLog(['a,b\n1,2\n'], { map: { time: 'at', userId: 'b' } }))).rejects.toThrow(/there is no column "at".*a, b/)
    await expect(all(readLog(['a,b\n1,2\n']))).rejects.toThrow(/map: is missing/)
    await expect(all(readLog(join(folder, 'none.csv'), { map }))).rejects.toThrow(/cannot be read/)
  })

  it('is read anew each time, and says where it can be read only once', async () => {
    const rows = async function* (): AsyncIterable<object> {
      yield { at: '2026-01-01T00:00:00Z', who: 'ada' }
    }
    const again = readLog(rows, { map: { time: 'at', userId: 'who' } })
    expect(await all(again)).toEqual(await all(again))
    const once = readLog(rows(), { map: { time: 'at', userId: 'who' } })
    expect(await all(once)).toHaveLength(1)
    await expect(all(once)).rejects.toThrow(/can be read once/)
  })
})

describe('what is drawn', () => {
  const rows = Array.from({ length: 300 }, (_, index) => ({ at: Date.UTC(2026, 0, 5, 0, 0, index), in: 1, out: 1 }))
  const spread = { seed: 4, users: { count: 20 }, tiers: { free: 3, pro: 1 }, models: { large: 1, small: 0 } }
  const options = { map: { time: 'at', inputTokens: 'in', outputTokens: 'out' } }

  it('is the same for the same seed, and each user has one tier', async () => {
    const read = async (seed: number): Promise<LoggedRequest[]> => (await all(readLog(rows, { ...options, spread: { ...spread, seed } }))) as LoggedRequest[]
    const calls = await read(4)
    expect(await read(4)).toEqual(calls)
    expect((await read(5)).map(({ userId }) => userId)).not.toEqual(calls.map(({ userId }) => userId))
    const tiers = new Map(calls.map(({ userId, tier }) => [userId, tier]))
    expect(calls.every(({ userId, tier, model }) => tiers.get(userId) === tier && model === 'large')).toBe(true)
    expect(new Set(tiers.values())).toEqual(new Set(['free', 'pro']))
    const first = calls.filter(({ userId }) => userId === 'user_01').length
    expect(first).toBeGreaterThan(calls.filter(({ userId }) => userId === 'user_10').length)
  })

  it('repeats a log in business hours, at its own pace, and refuses repetitions that overlap', async () => {
    const repeat = { times: 10, over: '7d', starts: 'business-hours' } as const
    const calls = await all(readLog(rows, { ...options, spread: { ...spread, repeat } }))
    expect(calls).toHaveLength(3_000)
    expect(calls.every(({ at }, index) => index === 0 || at >= (calls[index - 1]?.at ?? 0))).toBe(true)
    const starts = calls.filter((_, index) => index % 300 === 0).map(({ at }) => new Date(at))
    expect(starts.every((start) => start.getUTCHours() >= 9 && start.getUTCHours() < 17 && start.getUTCDay() % 6 !== 0)).toBe(true)
    await expect(all(readLog(rows, { ...options, spread: { ...spread, repeat: { times: 100, over: '1h' } } }))).rejects.toThrow(/repetition 2 would begin before/)
  })
})

describe('a ledger', () => {
  async function ledger(): Promise<LedgerEntry[]> {
    const clock = manualClock()
    const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock, store: memoryStore({ clock }), ladder: { large: 'small' }, policies: ['graceful'] })
    for (const cost of [0.4, 0.45, 0.3, 0.9]) {
      const decision = await bursar.check({ userId: '=ada', model: 'large', estimatedCost: cost, metadata: { note: 'a "quote", and more' } })
      clock.advance('1s')
      if (decision.allowed) await decision.settle({ cost, tokens: 3 })
      clock.advance('1s')
    }
    await bursar.tracker.refund({ userId: '=ada', cost: 0.1 })
    const entries: LedgerEntry[] = []
    for await (const entry of bursar.tracker.entries()) entries.push(entry)
    return entries
  }
  const text = async (pieces: AsyncIterable<string>): Promise<string> => {
    let whole = ''
    for await (const piece of pieces) whole += piece
    return whole
  }
  const each = async function* (entries: LedgerEntry[]): AsyncIterable<LedgerEntry> {
    yield* entries
  }
  const told = (calls: readonly object[]): object[] => calls.map((call) => ({ ...call, row: 0, order: 0, entry: undefined, windowsSince: undefined }))

  it('says the same from its entries and from what was exported as CSV and JSON', async () => {
    const entries = await ledger()
    const calls = await all(readLog(entries))
    expect(calls.length).toBeGreaterThan(3)
    const path = join(folder, 'ledger.csv')
    writeFileSync(path, await text(toCsv(each(entries))))
    expect(told(await all(readLog(path)))).toEqual(told(calls))
    expect(told(await all(readLog([await text(toJson(each(entries)))])))).toEqual(told(calls))
    const lines = entries.map((entry) => `${JSON.stringify(entry)}\n`)
    expect(told(await all(readLog(lines)))).toEqual(told(calls))
  })

  it('names the row where an export was cut off or changed', async () => {
    const entries = await ledger()
    const csv = await text(toCsv(each(entries)))
    expect((await rowError(csv.slice(0, -3))).message).toMatch(/cut off/)
    expect((await rowError((await text(toJson(each(entries)))).slice(0, -3))).message).toMatch(/cut off/)
    const changed = entries.map((entry, index) => JSON.stringify(index === 1 ? { ...entry, microcents: -5, kind: 'settled' } : entry)).join('\n')
    expect(await rowError(changed)).toMatchObject({ row: 2 })
    const later = entries.map((entry, index) => JSON.stringify(index === 2 ? { ...entry, openedAt: entry.at + 1 } : entry)).join('\n')
    expect((await rowError(later)).message).toMatch(/row 3: openedAt/)
  })

  it('refuses an entry that it has twice, and a second ending of one hold, or leaves them out', async () => {
    const entry = (id: string, at: number, more: object = {}): object => ({ id: `${id}:settled`, kind: 'settled', at, openedAt: at - 1_000, decisionId: id, userId: 'ada', microcents: 5, tokens: 0, estimatedMicrocents: 5, charged: [], ...more })
    const now = Date.UTC(2026, 0, 1)
    const entries = [entry('a', now), entry('b', now + 10), entry('c', now + 20)]
    const text = (...each: object[]): string => each.map((one) => JSON.stringify(one)).join('\n')
    expect((await rowError(text(...entries, ...entries))).message).toMatch(/row 4: id: "a:settled" was in row 1 already.*overlap/)
    expect((await rowError(text(...entries, entry('b', now + 10, { microcents: 50 })))).message).toMatch(/row 4: id: "b:settled" was in row 2/)
    expect((await rowError(text(...entries, entry('b', now + 15, { id: 'b:released', kind: 'released', microcents: 0, openedAt: now - 990 })))).message).toMatch(/row 4: decisionId: "b" ended in row 2 already/)
    const pass = readLog([text(...entries, ...entries)], { onBadRow: 'skip' }).pass()
    let count = 0
    for await (const batch of pass.batches()) count += batch.length
    expect([count, pass.skipped.count]).toEqual([3, 3])
    // An id that was forgotten, and is used again.
    expect(await all(readLog([text(...entries, entry('a', now + 60_000))]))).toHaveLength(4)
  })

  it('tells ids apart that an export has to defuse', async () => {
    const ids = ['=x', "'=x", "''=x", "'x", 'a;=b', "a;'=b", "';'=b", '-1']
    const now = Date.UTC(2026, 0, 1)
    const entries = ids.map((userId, index): LedgerEntry => ({ id: `${index}:denied`, kind: 'denied', at: now + index, decisionId: String(index), userId, microcents: 0, tokens: 0, charged: [], reason: 'BUDGET', metadata: { note: `;=${userId}` } }))
    const calls = (await all(readLog([await text(toCsv(each(entries)))]))) as LoggedRequest[]
    expect(calls.map(({ userId }) => userId)).toEqual(ids)
    expect(calls.map(({ metadata }) => metadata?.['note'])).toEqual(ids.map((userId) => `;=${userId}`))
  })

  it('names a hold that lasted longer than the look-ahead', async () => {
    const entry = (id: string, openedAt: number, at: number): object => ({ id, kind: 'settled', at, openedAt, decisionId: id, userId: 'ada', microcents: 1, tokens: 0, estimatedMicrocents: 1, charged: [] })
    const hour = 3_600_000
    const entries = [entry('a', 10 * hour, 10 * hour), entry('b', 11 * hour, 11 * hour), entry('c', 9 * hour, 13 * hour)].map((each) => JSON.stringify(each)).join('\n')
    expect((await rowError(entries, { lookAhead: '30m' })).message).toMatch(/row 3: time: was opened at .* and held for 4h.*lookAhead/)
    expect(await all(readLog([entries], { lookAhead: '5h' }))).toHaveLength(3)
  })
})

describe('a sample', () => {
  it('has as many requests as it should, in order, the same each time', async () => {
    const log = sampleLog({ requests: 500, users: 300, days: 2, seed: 9 })
    const calls = (await all(log)) as LoggedRequest[]
    expect(calls).toHaveLength(500)
    expect(await all(log)).toEqual(calls)
    expect(new Set(calls.map(({ tier }) => tier))).toEqual(new Set(['free', 'pro', 'enterprise']))
    expect(() => sampleLog({ requests: 0 })).toThrow(/requests/)
  })
})
