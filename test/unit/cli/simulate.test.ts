import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CONFIG, Stage } from './stage.js'

const LOG = ['at,who,asked,answered', ...Array.from({ length: 40 }, (_, call) => `2026-03-02T10:${String(call).padStart(2, '0')}:00Z,u${call % 4},1000,500`)].join('\n')
const MAP = ['--map', 'time=at,userId=who', '--map', 'inputTokens=asked,outputTokens=answered', '--models', 'gpt-4o:1', '--tiers', 'free:1', '--users', '4']

function stage(): Stage {
  const on = new Stage()
  on.write('log.csv', LOG)
  on.write('small.json', { tiers: { free: { daily: '0.01' } }, defaultTier: 'free', prices: 'catalog' })
  on.write('large.json', { tiers: { free: { daily: 5 } }, defaultTier: 'free', prices: 'catalog' })
  return on
}

describe('bursar simulate', () => {
  it('compares configurations on a log', async () => {
    const on = stage()
    const candidates = ['--candidate', 'small=small.json', '--candidate', 'large=large.json']
    const found = await on.json('simulate', 'log.csv', ...MAP, ...candidates)
    expect(found.candidates).toMatchObject([{ name: 'small', requests: 40, failed: 0 }, { name: 'large', requests: 40, blocked: 0, failed: 0 }])
    expect(found.candidates[0].blocked).toBeGreaterThan(30)
    const { out, code, errors } = await on.run(['simulate', 'log.csv', ...MAP, ...candidates, '--fail-on', 'blocked-users=1%'])
    expect(code).toBe(3)
    expect(errors).toBe('small: 4 of 4 users are blocked, more than 1 %.\n')
    expect(out).toContain('small')
    expect(out).toContain('large')
  })

  it('replays the ledger of the store with the configuration of today, exactly', async () => {
    const on = new Stage()
    await on.traffic()
    const { code, out } = await on.run(['simulate', '--against-log'])
    expect(code).toBe(0)
    expect(out).toContain('today')
    on.write('strict.json', { ...CONFIG, tiers: { free: { daily: '0.001' }, pro: { daily: 1 } } })
    expect(await on.run(['simulate', '--candidate', 'loose=loose.json'])).toMatchObject({ code: 2 })
    expect((await on.run(['simulate', '--candidate', 'strict=strict.json'])).code).toBe(0)
  })

  it('finds the smallest limit that is enough', async () => {
    const on = stage()
    const found = await on.json('simulate', 'log.csv', ...MAP, '--candidate', 'small=small.json', '--find', 'tiers.free.daily', '--blocked-users', '0%', '--high', '1')
    expect(found).toMatchObject({ isMonotone: true, limit: expect.stringMatching(/^0\.\d\d$/) })
    const below = found.probes.findLast(({ limit }: { limit: string }) => Number(limit) < Number(found.limit))
    expect(below).toMatchObject({ isEnough: false })
    expect(await on.run(['simulate', 'log.csv', ...MAP, '--candidate', 'small=small.json', '--find', 'tiers.free.daily', '--blocked-users', '0%', '--high', '0.01'])).toMatchObject({ code: 3 })
  })

  it('makes a log of its own, and a page', async () => {
    const on = stage()
    expect((await on.run(['simulate', '--sample', '300', '--users', '20', '--seed', '7', '--candidate', 'large=large.json', '--html', 'page.html'])).code).toBe(0)
    expect(readFileSync(on.path('page.html'), 'utf8').length).toBeGreaterThan(0)
    expect(await on.run(['simulate', '--sample', '300', '--candidate', 'large=large.json', '--html', 'page.html'])).toMatchObject({ code: 2, errors: expect.stringContaining('Add --force') })
  })

  it('names a row that cannot be read, or leaves it out', async () => {
    const on = stage()
    on.write('log.csv', `${LOG}\nnever,u1,1,1\n`)
    const args = ['simulate', 'log.csv', ...MAP, '--candidate', 'large=large.json']
    expect(await on.run(args)).toMatchObject({ code: 1, out: '', errors: expect.stringMatching(/^bursar: row 42: /) })
    const { code, out } = await on.run([...args, '--skip-bad-rows'])
    expect(code).toBe(0)
    expect(out).toContain('1 row was left out')
  })

  it('fails where a candidate could decide nothing', async () => {
    const on = stage()
    on.write('priceless.json', { tiers: { free: { daily: 1 } }, defaultTier: 'free' })
    expect(await on.run(['simulate', 'log.csv', ...MAP, '--candidate', 'priceless=priceless.json'])).toMatchObject({ code: 1, errors: expect.stringContaining('candidate priceless: every request was rejected') })
  })

  it('counts what failed with an error as blocked, and as another outcome than in the log', async () => {
    const on = stage()
    // One of forty requests has a model that has no price.
    on.write('log.csv', LOG.split('\n').map((line, row) => `${line},${row === 0 ? 'model' : row === 7 ? 'nobody-knows' : 'gpt-4o'}`).join('\n'))
    const args = ['simulate', 'log.csv', '--map', 'time=at,userId=who,model=model,inputTokens=asked,outputTokens=answered', '--tiers', 'free:1', '--candidate', 'large=large.json']
    expect(await on.run([...args, '--fail-on', 'blocked-requests=0%'])).toMatchObject({ code: 3, errors: 'large: 1 of 40 requests are blocked, more than 0 %. 1 request failed with an error, which counts as blocked.\n' })
    expect(await on.run([...args, '--fail-on', 'blocked-users=24.999999%'])).toMatchObject({ code: 3 })
    expect(await on.run([...args, '--fail-on', 'blocked-users=25%', '--fail-on', 'blocked-requests=2.5%'])).toMatchObject({ code: 0, errors: '' })
    expect(await on.run([...args, '--against-log'])).toMatchObject({ code: 3, errors: expect.stringMatching(/^large: 1 thing came out otherwise than in the log, 1 of them failed with an error\.\n/) })
  })

  it('says that a store is no log', async () => {
    const on = new Stage()
    await on.traffic()
    for (const [args, remedy] of [[['simulate', 'sqlite:./bursar.db'], 'Leave the log out, and use --store'], [['usage', '--ledger', 'sqlite:./bursar.db'], 'Use --store']] as const) {
      expect(await on.run(args)).toMatchObject({ code: 2, errors: expect.stringContaining(`${on.path('bursar.db')} is a bursar store, which has a ledger. ${remedy} sqlite:`) })
    }
  })

  it.each([
    ['nowhere.csv'],
    ['log.csv', '--map', 'time'],
    ['log.csv', '--map', 'time=at', '--map', 'time=who'],
    ['log.csv', '--map', 'moment=at'],
    ['log.csv', '--models', 'gpt-4o'],
    ['log.csv', '--models', 'gpt-4o:-1'],
    ['log.csv', '--repeat', '3'],
    ['log.csv', '--over', '3d'],
    ['log.csv', '--repeat', '3', '--over', 'long'],
    ['log.csv', '--sample', '10'],
    ['--sample', '10', '--models', 'a:1'],
    ['log.csv', '--find', 'tiers.free.daily'],
    ['log.csv', '--blocked-users', '1%'],
    ['log.csv', '--find', 'tiers.gold.daily', '--blocked-users', '1%'],
    ['log.csv', '--candidate', 'small.json'],
    ['log.csv', '--candidate', 'log=small.json'],
    ['log.csv', '--fail-on', 'nonsense=1%'],
    ['log.csv', '--html', 'no/such/page.html'],
    ['log.csv', '--zone', 'Nowhere/At_All'],
  ])('refuses %s %s %s %s', async (...args) => {
    const on = stage()
    const { code, out, errors } = await on.run(['simulate', ...args.filter((arg) => arg !== undefined), ...(args.includes('--candidate') ? [] : ['--candidate', 'small=small.json'])])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
    expect(existsSync(on.path('page.html'))).toBe(false)
  })
})
