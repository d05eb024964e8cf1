import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Interrupted } from '../../../src/cli/failure.js'
import { NOW, Stage } from './stage.js'

async function stage(): Promise<Stage> {
  const made = new Stage()
  await made.traffic()
  return made
}

const lines = (text: string): any[] => text.trimEnd().split('\n').map((line) => JSON.parse(line))

describe('bursar usage', () => {
  it('lists entries, and writes out what would act on the terminal', async () => {
    const on = await stage()
    const out = await on.ok('usage', '--user', 'bob')
    expect(out).toMatch(/2026-11-22 12:00:00 +recorded +acme +bob +pro +gpt-4o +– +1,000 +\$0\.20/)
    expect(out).toMatch(/corrected .*−\$0\.05/)
    expect(out).toMatch(/configured .* tier /)
    expect(out).not.toContain('\u001b')
  })

  it('filters by any field, several values, and none', async () => {
    const on = await stage()
    const count = async (...args: string[]): Promise<number> => (await on.ok('usage', '--json', ...args)).split('\n').length - 1
    expect(await count()).toBe(11)
    expect(await count('--user', 'ada')).toBe(6)
    expect(await count('--user', 'ada', '--user', 'bob')).toBe(11)
    expect(await count('--where', 'metadata.project=search')).toBe(5)
    expect(await count('--where', 'tenant=')).toBe(6)
    expect(await count('--tenant', '')).toBe(6)
    expect(await count('--kind', 'denied', '--action', 'BLOCK')).toBe(1)
    expect(await count('--min-cost', '0.1')).toBe(3)
    expect(await count('--from', 'today', '--until', '2026-11-22T12:00')).toBe(0)
    expect(await count('--from', '2026-11', '--model', 'gpt-4o-mini')).toBe(5)
  })

  it('goes from page to page without missing an entry', async () => {
    const on = await stage()
    const seen: string[] = []
    let after: string[] = []
    for (let page = 0; page < 10; page += 1) {
      const { out, errors } = await on.run(['usage', '--json', '--limit', '4', ...after])
      seen.push(...lines(out).map(({ id, time }) => `${id} ${time}`))
      const [, cursor] = /--after '(.*)', or/.exec(errors) ?? []
      if (cursor === undefined) break
      after = ['--after', cursor]
    }
    expect(seen).toHaveLength(11)
    expect(new Set(seen).size).toBe(11)
  })

  it('begins at the newest where that is asked for', async () => {
    const on = await stage()
    for (const [minutes, user] of [[1, 'late'], [4_000_000, 'later']] as const) {
      on.now = NOW + minutes * 60_000
      await on.engine((bursar) => bursar.tracker.addCost({ userId: user, cost: '0.01' }))
    }
    on.now += 60_000
    const users = async (...args: string[]): Promise<string[]> => lines(await on.ok('usage', '--newest', '--json', ...args)).map(({ userId }) => userId)
    expect(await users('--limit', '2')).toEqual(['later', 'late'])
    expect(await users('--limit', '3')).toEqual(['later', 'late', 'ada'])
    expect(await users('--limit', '1', '--until', '2026-12-01')).toEqual(['late'])
    expect(await users('--user', 'bob')).toHaveLength(5)
    expect(await users()).toHaveLength(13)
    expect(await on.run(['usage', '--newest', '--after', '6'])).toMatchObject({ code: 2 })
  })

  it('gives every time in ISO 8601', async () => {
    const found = lines(await (await stage()).ok('usage', '--json', '--user', 'ada', '--limit', '1'))
    expect(found[0].charged.map(({ startsAt }: { startsAt: unknown }) => startsAt)).toContain('2026-11-22T00:00:00.000Z')
  })

  it.each([['--kind', 'setled'], ['--action', 'allow'], ['--where', 'kind=setled'], ['--where', 'action=allow']])('refuses the word %s %s, which no entry has', async (...args) => {
    const { code, errors } = await (await stage()).run(['usage', ...args])
    expect(code).toBe(2)
    expect(errors).toMatch(/^bursar: --(kind|action): /)
  })

  it.each([['--limit', '0'], ['--limit', '1e3'], ['--limit', '10001'], ['--where', 'foo=1'], ['--where', 'metadata'], ['--where', '=x'], ['--min-cost', '$1'], ['--from', '2026-11-02', '--until', '2026-11-01'], ['--after', 'nonsense'], ['extra']])('refuses %s %s', async (...args) => {
    const { code, out, errors } = await (await stage()).run(['usage', ...args])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
  })

  it('says nothing but data with --quiet', async () => {
    expect(await (await stage()).run(['usage', '--quiet', '--limit', '1', '--json'])).toMatchObject({ code: 0, errors: '' })
  })

  it('colours headings on a terminal alone, and not with NO_COLOR', async () => {
    const on = await stage()
    expect((await on.run(['usage'], { isTTY: true })).out).toContain('\u001b[1m')
    expect((await on.run(['usage'], { isTTY: true, env: { NO_COLOR: '1' } })).out).not.toContain('\u001b')
    expect((await on.run(['usage'])).out).not.toContain('\u001b')
  })
})

describe('bursar report', () => {
  it('sums by time and fields, with a total', async () => {
    const out = await (await stage()).ok('report', 'summary', '--by', 'month,tenant,model')
    expect(out).toMatch(/^month \(UTC\) +tenant +model +calls +denials +tokens +cost \(USD\)$/m)
    expect(out).toMatch(/^2026-11 +acme +gpt-4o +3 +0 +3,000 +\$0\.55$/m)
    expect(out).toMatch(/^total +8 +1 +3,500 +\$0\.60$/m)
  })

  it('has no total of some rows, and no rows of nothing', async () => {
    const on = await stage()
    expect(await on.ok('report', 'top', '--limit', '1')).not.toContain('total')
    expect(await on.ok('report', 'top')).not.toContain('total')
    expect(await on.ok('report', '--by', 'kind')).not.toContain('configured')
  })

  it('gives the same sums as CSV, JSON, JSON lines and into a file', async () => {
    const on = await stage()
    expect(await on.ok('report', 'billing', '--format', 'csv')).toBe('Date,Client,Service,Model,Calls,Tokens,Cost,Project\r\n2026-11-22,acme,openai,gpt-4o,3,3000,0.55,\r\n2026-11-22,unassigned,openai,gpt-4o-mini,5,500,0.05,search\r\n')
    expect(await on.json('report', 'clients')).toMatchObject([{ client: 'acme', calls: 3, cost: '0.55' }, { client: 'unassigned', calls: 5, cost: '0.05' }])
    expect(lines(await on.ok('report', 'top', '--format', 'jsonl', '--limit', '1'))).toMatchObject([{ userId: 'bob', tenant: 'acme', cost: '0.55' }])
    await on.ok('report', 'daily', '--zone', 'Europe/Berlin', '--out', 'daily.csv')
    expect(readFileSync(on.path('daily.csv'), 'utf8')).toContain('2026-11-21T23:00:00.000Z')
  })

  it.each([
    ['weekly'],
    ['summary', '--by', 'day,month'],
    ['summary', '--by', 'tenant,tenant'],
    ['summary', '--by', 'nonsense'],
    ['summary', '--limit', '3'],
    ['clients', '--by', 'day'],
    ['top', '--by', 'day'],
    ['top', '--limit', '10001'],
    ['billing', '--client', 'nobody'],
    ['daily', '--zone', 'Europe/Atlantis'],
    ['daily', '--out', 'daily.txt'],
    ['daily', '--out', 'no/such/folder.csv'],
    ['daily', '--out', 'x.csv', '--format', 'table'],
    ['daily', '--json', '--format', 'csv'],
  ])('refuses %s %s %s before anything is opened', async (...args) => {
    const made = new Stage()
    const { code, errors } = await made.run(['report', ...args, '--store', 'redis://127.0.0.1:1'])
    expect(code).toBe(2)
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
  })
})

describe('bursar export', () => {
  it.each(['csv', 'jsonl', 'json'])('writes %s to stdout and into a file', async (format) => {
    const on = await stage()
    const out = await on.ok('export', '--format', format)
    await on.ok('export', '--out', `ledger.${format}`)
    expect(readFileSync(on.path(`ledger.${format}`), 'utf8')).toBe(out)
    expect(out).toContain('gpt-4o-mini')
  })

  it('does not write over a file unless it is told, and leaves none that is unfinished', async () => {
    const on = await stage()
    writeFileSync(on.path('ledger.csv'), 'mine')
    const { code, errors } = await on.run(['export', '--out', 'ledger.csv'])
    expect(code).toBe(2)
    expect(errors).toContain('Add --force')
    expect(readFileSync(on.path('ledger.csv'), 'utf8')).toBe('mine')
    await on.ok('export', '--out', 'ledger.csv', '--force')
    expect(readFileSync(on.path('ledger.csv'), 'utf8')).toContain('recorded')
  })

  it('says of a folder that it is none to write to, forced or not', async () => {
    const on = await stage()
    mkdirSync(on.path('folder.csv'))
    for (const args of [['export'], ['report']]) {
      for (const force of [[], ['--force']]) expect(await on.run([...args, '--out', 'folder.csv', ...force])).toMatchObject({ code: 2, out: '', errors: `bursar: --out: ${on.path('folder.csv')} is a folder. Give the path of a file in it.\n` })
      expect(await on.run([...args, '--out', 'bursar.db/x.csv'])).toMatchObject({ code: 2, errors: `bursar: --out: ${on.path('bursar.db')} is no folder. Give another path.\n` })
    }
  })

  it('copies entries into another ledger, each once however often', async () => {
    const on = await stage()
    for (let time = 0; time < 2; time += 1) await on.ok('export', '--to', 'sqlite:./archive.db')
    const read = (...args: string[]): Promise<string> => on.ok('export', '--format', 'jsonl', ...args)
    expect(await read('--ledger', 'sqlite:./archive.db')).toBe(await read())
    expect(await on.ok('report', '--by', 'kind', '--ledger', 'sqlite:./archive.db')).toBe(await on.ok('report', '--by', 'kind'))
  })

  it('writes a SQLite file for other programs', async () => {
    const on = await stage()
    await on.ok('export', '--out', 'out.sqlite', '--user', 'bob')
    expect(readFileSync(on.path('out.sqlite')).subarray(0, 15).toString()).toBe('SQLite format 3')
  })

  it('shows a bar on a terminal, on stderr alone', async () => {
    const on = await stage()
    const { errors, out } = await on.run(['export', '--out', 'x.csv'], { isTTY: true })
    expect(errors).toContain('entries')
    expect(out).toBe('')
    expect((await on.run(['export', '--out', 'y.csv'])).errors).toBe(`11 entries written to ${on.path('y.csv')}.\n`)
  })

  it.each([[], ['--out', 'x.txt'], ['--format', 'sqlite'], ['--format', 'xml'], ['--to', 'redis://h'], ['--to', 'sqlite:'], ['--to', 'sqlite:./a.db', '--out', 'x.csv'], ['--out', 'no/such/x.csv'], ['--to', 'sqlite:./no/such/x.db']])('refuses %s %s %s', async (...args) => {
    const { code, out, errors } = await (await stage()).run(['export', ...args])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
  })
})

describe('a command that is stopped', () => {
  it('ends quietly where nobody reads its output any more', async () => {
    const on = await stage()
    const closed = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })) })
    closed.on('error', () => {})
    expect(await on.run(['export', '--format', 'jsonl'], { stdout: closed })).toMatchObject({ code: 0, errors: '' })
  })

  it('leaves no file behind when it is interrupted', async () => {
    const on = await stage()
    const stopping = new AbortController()
    stopping.abort(new Interrupted())
    expect(await on.run(['export', '--out', 'x.csv'], { signal: stopping.signal })).toMatchObject({ code: 130, out: '' })
    expect(existsSync(on.path('x.csv'))).toBe(false)
  })

  it('fails with one line where its output cannot be written', async () => {
    const on = await stage()
    const full = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('write ENOSPC: no space left'), { code: 'ENOSPC' })) })
    full.on('error', () => {})
    expect(await on.run(['export', '--format', 'jsonl'], { stdout: full })).toMatchObject({ code: 1, errors: 'bursar: write ENOSPC: no space left\n' })
  })
})
