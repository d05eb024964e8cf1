import { existsSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONFIG, Stage } from './stage.js'

describe('the configuration', () => {
  it('is looked for in this folder alone, and said to be missing', async () => {
    const stage = new Stage()
    const { code, errors } = await stage.run(['usage'])
    expect(code).toBe(2)
    expect(errors).toBe(`bursar: store: there is no configuration in ${stage.folder}. Give --store sqlite:./bursar.db (or redis://…), or name it in the configuration; "bursar init" writes one.\n`)
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
