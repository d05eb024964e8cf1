import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONFIG, Stage } from './stage.js'

describe('the configuration', () => {
  it('is looked for in this folder alone, and said to be missing', async () => {
    const stage = new Stage()
    const { code, errors } = await stage.run(['usage'])
    expect(code).toBe(2)
    expect(errors).toBe(`bursar: store: there is no configuration in ${stage.folder}. Give --store sqlite:./bursar.db (or redis://…), or name it in the configuration; "npx bursar init" writes one.\n`)
  })

  it('is an error where there are two', async () => {
    const stage = new Stage()
    stage.write('bursar.config.json', {})
    stage.write('bursar.config.mjs', 'export default {}')
    const { code, errors } = await stage.run(['usage'])
    expect(code).toBe(2)
    expect(errors).toContain('bursar.config.mjs and bursar.config.json: are both in')
  })

  it.each<[string, string | object, RegExp]>([
    ['JSON that is none', '{ "store": "redis://u:secret1@h", ', /is no JSON/],
    ['an unknown field', { store: 'sqlite:./bursar.db', teirs: {} }, /config\.teirs: is no known field/],
    ['a wrong amount', { tiers: { free: { daily: -1 } } }, /config\.tiers\.free\.daily: -1 is negative/],
    ['a list', [], /says a list, and no configuration/],
    ['a store of another scheme', { store: 'mysql://u:secret1@h' }, /config\.store: "mysql:" is no scheme that is known\. Give 'sqlite/],
    ['a store that is a client', { store: {} }, /config\.store: must be a store/],
    ['a Postgres store', { store: 'postgres://u:secret1@h' }, /config\.store: postgres keeps no store/],
    ['a policy that there is not', { store: 'sqlite:./bursar.db', policies: ['strickt'] }, /config\.policies\.0/],
    ['a missing variable', { store: '${NO_SUCH}' }, /store: the environment variable "NO_SUCH" is not set/],
    ['a missing file', { store: 'sqlite:./bursar.db' }, /config\.store: there is no file .*bursar\.db/],
    ['a ledger beside the one of a file', { store: 'sqlite:./there.db', ledger: 'sqlite:./ledger.db' }, /config\.ledger: a SQLite store keeps its own ledger/],
  ])('refuses %s, opens nothing, and shows no secret', async (_, content, message) => {
    const stage = new Stage()
    stage.write('bursar.config.json', content)
    if (_.startsWith('a policy')) await stage.engine(async () => {})
    stage.write('there.db', '')
    const { code, out, errors } = await stage.run(['audit'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(message)
    expect(errors).toMatch(/^bursar: .*\n$/)
    expect(errors).not.toContain('secret1')
    if (!_.startsWith('a policy')) expect(existsSync(stage.path('bursar.db'))).toBe(false)
  })

  it('takes variables from the environment', async () => {
    const stage = new Stage()
    await stage.traffic()
    stage.write('bursar.config.json', { ...CONFIG, store: 'sqlite:./${WHERE}' })
    expect((await stage.run(['usage', '--limit', '1'], { env: { WHERE: 'bursar.db' } })).code).toBe(0)
    const { code, errors } = await stage.run(['usage'], { env: { WHERE: '' } })
    expect(code).toBe(2)
    expect(errors).toContain('the environment variable "WHERE" is empty')
  })

  it('finds relative files from the folder of the file, and of a flag from this one', async () => {
    const stage = new Stage()
    await stage.traffic()
    const elsewhere = new Stage()
    expect((await elsewhere.run(['usage', '--config', stage.path('bursar.config.json')])).code).toBe(0)
    const { code, errors } = await elsewhere.run(['usage', '--config', stage.path('bursar.config.json'), '--store', 'sqlite:./bursar.db'])
    expect(code).toBe(2)
    expect(errors).toContain(`--store: there is no file ${elsewhere.path('bursar.db')}`)
    expect((await stage.run(['usage', '--store', `sqlite:${stage.path('bursar.db')}`])).code).toBe(0)
  })

  it.each(['export default CONFIG', 'export default () => (CONFIG)', 'export default async () => (CONFIG)'])('is a module: %s', async (source) => {
    const stage = new Stage()
    await stage.traffic()
    const module = stage.write('my.config.mjs', source.replace('CONFIG', JSON.stringify({ ...CONFIG, store: 'sqlite:./bursar.db' })))
    expect(await stage.ok('usage', '--config', module, '--user', 'ada', '--limit', '2')).toContain('ada')
  })

  it.each([
    ['throw new Error("sk_live_abcdefgh is wrong")', /cannot be loaded: ••• is wrong/],
    ['export const config = {}', /has no default export/],
    ['export default {', /cannot be loaded/],
  ])('names the file of a module that fails: %s', async (source, message) => {
    const stage = new Stage()
    const { code, errors } = await stage.run(['usage', '--config', stage.write('broken.mjs', source)])
    expect(code).toBe(2)
    expect(errors).toMatch(message)
    expect(errors).toContain('broken.mjs')
  })

  it('closes a store that a module has made, also where the command fails', async () => {
    const stage = new Stage()
    const module = stage.write('made.config.mjs', `
      import { memoryStore } from '${new URL('../../../src/index.ts', import.meta.url).href}'
      const store = memoryStore()
      globalThis.closedStores ??= []
      const close = store.close.bind(store)
      store.close = () => { globalThis.closedStores.push(1); return close() }
      export default { tiers: { free: { daily: 1 } }, defaultTier: 'free', store }
    `)
    const closed = (): number => ((globalThis as { closedStores?: unknown[] }).closedStores ?? []).length
    const before = closed()
    expect((await stage.run(['budget', 'ada', '--config', module])).code).toBe(0)
    expect(closed()).toBe(before + 1)
    expect((await stage.run(['budget', 'ada', '--tier', 'gold', '--config', module])).code).toBe(2)
    expect(closed()).toBe(before + 2)
  })
})

const SOURCES = new URL('../../../src/', import.meta.url).href

/** A module whose store is where `path`, an expression, says; it counts how often it is opened. */
const opening = (path: string, rest = "tiers: { free: { daily: 1 } }, defaultTier: 'free'"): string => `
  import { sqliteStore } from '${SOURCES}store/sqlite/index.ts'
  export default ({ opensStore = true } = {}) => ({ ${rest}, store: opensStore ? sqliteStore({ path: ${path} }) : undefined })
`

describe('the store of a module', () => {
  it('is not read where the module has made it just now: it would answer every question with nothing', async () => {
    const stage = new Stage()
    const module = stage.write('my.config.mjs', opening(JSON.stringify(stage.path('bursar.db'))))
    for (const [first, ...args] of [['audit'], ['usage'], ['report'], ['budget', 'ada'], ['limits'], ['export', '--format', 'csv']]) {
      const { code, out, errors } = await stage.run([first as string, ...args, '--config', module])
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(errors).toContain(`${stage.path('bursar.db')} was not there, and the configuration has made it just now`)
      rmSync(stage.path('bursar.db'))
    }
    expect((await stage.run(['limits', 'create', 'global', '--set', 'daily=5', '--config', module])).code).toBe(0)
    expect((await stage.run(['usage', '--config', module])).code).toBe(0)
    rmSync(stage.path('bursar.db'))
    await stage.run(['limits', 'create', 'global', '--set', 'daily=5', '--store', 'sqlite:./other.db', '--config', module])
    for (const args of [['--store', 'sqlite:./other.db'], ['--ledger', 'sqlite:./ledger.db']]) {
      if (args[0] === '--ledger') await stage.ok('export', '--store', 'sqlite:./other.db', '--to', 'sqlite:./ledger.db')
      expect((await stage.run(['usage', ...args, '--config', module])).code).toBe(0)
      expect(existsSync(stage.path('bursar.db'))).toBe(false)
    }
  })

  it('is not made where the rest of the configuration is wrong', async () => {
    const stage = new Stage()
    const module = stage.write('my.config.mjs', opening(JSON.stringify(stage.path('bursar.db')), 'teirs: {}'))
    expect(await stage.run(['limits', 'create', 'global', '--set', 'daily=5', '--config', module])).toMatchObject({ code: 2, errors: expect.stringContaining('config.teirs') })
    expect(existsSync(stage.path('bursar.db'))).toBe(false)
  })

  it('is not opened by a simulation that needs none', async () => {
    const stage = new Stage()
    stage.write('bursar.config.mjs', opening(JSON.stringify(stage.path('bursar.db')), "tiers: { free: { daily: 1 } }, defaultTier: 'free', prices: 'catalog'"))
    stage.write('log.csv', 'time,userId,model,inputTokens,outputTokens\n2026-03-02T10:00:00Z,ada,gpt-4o,10,10\n')
    const map = ['--map', 'time=time,userId=userId,model=model,inputTokens=inputTokens,outputTokens=outputTokens']
    for (const args of [['--sample', '20'], ['log.csv', ...map], ['--sample', '20', '--candidate', 'same=bursar.config.mjs']]) {
      expect(await stage.run(['simulate', ...args])).toMatchObject({ code: 0, errors: '' })
      expect(existsSync(stage.path('bursar.db'))).toBe(false)
    }
  })

  it('is asked for where it is empty, wherever it comes from', async () => {
    const stage = new Stage()
    await stage.engine(async () => {})
    for (const args of [['usage'], ['audit'], ['report'], ['budget', 'ada'], ['limits']]) {
      expect((await stage.run([...args, '--store', 'sqlite:./bursar.db', '--quiet'])).errors).toContain('The sqlite store is empty: nothing was ever counted in it.')
    }
    await stage.traffic()
    expect((await stage.run(['usage'])).errors).not.toContain('is empty')
  })
})

describe('a store that a module opens whatever it is asked', () => {
  it('is closed where it is not used', async () => {
    const stage = new Stage()
    await stage.traffic()
    await stage.ok('export', '--to', 'sqlite:./ledger.db')
    const module = stage.write('my.config.mjs', `
      import { memoryStore } from '${SOURCES}index.ts'
      export default () => {
        const store = memoryStore()
        const close = store.close.bind(store)
        globalThis.openStores = (globalThis.openStores ?? 0) + 1
        store.close = () => { globalThis.openStores -= 1; return close() }
        return { ...${JSON.stringify(CONFIG)}, prices: 'catalog', store }
      }
    `)
    for (const args of [['simulate', '--sample', '5'], ['simulate', '--sample', '5', '--candidate', `same=${module}`], ['usage', '--ledger', 'sqlite:./ledger.db'], ['usage', '--store', 'sqlite:./bursar.db'], ['audit', '--store', 'sqlite:./bursar.db']]) {
      expect((await stage.run([...args, '--config', module])).code).toBe(0)
      expect((globalThis as { openStores?: number }).openStores).toBe(0)
    }
  })
})

describe('another copy of the package', () => {
  it('is named where the configuration imports it', async () => {
    const stage = new Stage()
    await stage.traffic()
    mkdirSync(stage.path('node_modules/bursar'), { recursive: true })
    stage.write('node_modules/bursar/package.json', { name: 'bursar' })
    const module = stage.write('my.config.mjs', `export default ${JSON.stringify({ ...CONFIG, store: 'sqlite:./bursar.db' })}`)
    const { code, errors } = await stage.run(['usage', '--limit', '1', '--quiet', '--config', module])
    expect(code).toBe(0)
    expect(errors).toContain(`imports the bursar in ${stage.path('node_modules/bursar')}, and this command is another copy`)
  })

  it('is said of a price book that it has made', async () => {
    const stage = new Stage()
    const module = stage.write('my.config.mjs', `class PriceBook {}; export default { ...${JSON.stringify(CONFIG)}, prices: new PriceBook() }`)
    expect(await stage.run(['simulate', '--sample', '5', '--config', module])).toMatchObject({ code: 2, errors: expect.stringContaining('config.prices: was made by another copy of bursar') })
  })
})

describe('the time zone', () => {
  it('is that of the configuration, and --zone stands above it', async () => {
    const stage = new Stage()
    await stage.traffic()
    stage.write('bursar.config.json', { ...CONFIG, timeZone: 'Pacific/Auckland', store: 'sqlite:./bursar.db' })
    // Noon in UTC is one o'clock in the night there.
    expect(await stage.ok('usage', '--limit', '1')).toMatch(/^time \(Pacific\/Auckland\)[^\n]+\n2026-11-23 01:00:00/)
    expect(await stage.ok('usage', '--limit', '1', '--zone', 'UTC')).toMatch(/^time \(UTC\)[^\n]+\n2026-11-22 12:00:00/)
    expect(await stage.run(['report', 'billing', '--format', 'csv'])).toMatchObject({ out: expect.stringContaining('2026-11-23,acme'), errors: 'Days begin and end in Pacific/Auckland.\n' })
    expect(await stage.ok('report', 'billing')).toMatch(/^date \(Pacific\/Auckland\)/)
    // A day is read in it, too.
    expect(await stage.ok('usage', '--json', '--from', '2026-11-23')).not.toBe('')
    expect(await stage.ok('usage', '--json', '--from', '2026-11-23', '--zone', 'UTC')).toBe('')
    expect(await stage.ok('export', '--format', 'jsonl', '--until', '2026-11-23')).toBe('')
    expect((await stage.json('budget', 'ada', '--set', 'daily=7', '--until', '2026-11-24')).overrides).toMatchObject([{ until: '2026-11-23T11:00:00.000Z' }])
  })
})

describe('init', () => {
  it('writes a configuration that runs, and never over one that is there', async () => {
    const stage = new Stage()
    expect((await stage.run(['init', '--json'])).code).toBe(0)
    await stage.engine(async () => {})
    expect(await stage.json('budget', 'ada')).toMatchObject({ userId: 'ada', tier: 'free', totalCost: '0.00' })
    for (const args of [['init'], ['init', '--json']]) {
      const { code, errors } = await stage.run(args)
      expect(code).toBe(2)
      expect(errors).toContain('is there already, and nothing is written over it')
    }
  })
})
