import { describe, expect, it } from 'vitest'
import { NOW, Stage } from './stage.js'

async function stage(): Promise<Stage> {
  const made = new Stage()
  await made.traffic()
  return made
}

describe('bursar budget', () => {
  it('shows every window of a user and of what the user shares', async () => {
    const out = await (await stage()).ok('budget', 'bob', '--tenant', 'acme')
    expect(out).toMatch(/^tier +pro \(in the directory\)$/m)
    expect(out).toMatch(/^spent in all +\$0\.55 in 4 entries$/m)
    expect(out).toMatch(/^user +daily +USD +\$0\.55 +\$0\.00 +\$1\.00 +\$0\.45 +55 % +2026-11-23 00:00:00, in 12h$/m)
    expect(out).toMatch(/^tenant acme +monthly +USD +\$0\.55 .*\$500\.00/m)
  })

  it('shows times in the zone that is asked for, and says so', async () => {
    const out = await (await stage()).ok('budget', 'ada', '--zone', 'Asia/Tokyo')
    expect(out).toContain('resets (Asia/Tokyo)')
    expect(out).toContain('2026-11-23 09:00:00, in 12h')
  })

  it('gives programs exact decimal strings', async () => {
    const found = await (await stage()).json('budget', 'ada')
    expect(found).toMatchObject({ userId: 'ada', tenant: null, tier: 'free', standing: null, totalCost: '0.05', totalEntries: 5, overrides: [] })
    expect(found.windows[0]).toEqual({
      scope: { kind: 'user', id: 'ada' }, period: 'daily', unit: 'usd', spent: '0.05', held: '0.00', limit: '0.10', remaining: '0.05', usedPct: 50, exceeded: false,
      startsAt: '2026-11-22T00:00:00.000Z', resetsAt: '2026-11-23T00:00:00.000Z',
    }) // prettier-ignore
  })

  it('says of a user of whom nothing is known that nothing is', async () => {
    const { code, errors } = await (await stage()).run(['budget', 'adda'])
    expect(code).toBe(0)
    expect(errors).toContain('Nothing was ever counted for user "adda"')
    expect(errors).not.toContain('There is a user')
  })

  it('says where a user of that id is counted, who is asked for without the tenant', async () => {
    const { errors } = await (await stage()).run(['budget', 'bob'])
    expect(errors).toContain('There is a user of that id of tenant "acme": see --tenant.')
  })

  it('says who says of which tier a user is', async () => {
    const on = await stage()
    await on.engine((bursar) => bursar.limits.tenants.set('acme', { tier: 'pro' }))
    const from = async (...args: string[]): Promise<string> => (await on.json('budget', ...args)).tierFrom
    expect(await from('ada')).toBe('defaultTier')
    expect(await from('bob', '--tenant', 'acme')).toBe('directory')
    expect(await from('eve', '--tenant', 'acme')).toBe('tenant')
    expect(await from('ada', '--tier', 'pro')).toBe('option')
  })

  it('sets limits, lets them end, and clears them', async () => {
    const on = await stage()
    await on.ok('budget', 'ada', '--set', 'daily=5', '--set', '5h=0.50', '--set', 'monthly/tokens=100000')
    await on.ok('budget', 'ada', '--set', 'daily=7', '--until', '2026-11-23')
    const changed = await on.json('budget', 'ada')
    expect(changed.windows.filter((window: { limit: unknown }) => window.limit !== null)).toMatchObject([{ period: 'daily', limit: '7.00' }, { period: 'monthly', unit: 'tokens', limit: 100_000 }, { period: 'rolling:5h', limit: '0.50' }])
    expect(changed.overrides).toContainEqual({ period: 'daily', unit: 'usd', limit: '7.00', until: '2026-11-23T00:00:00.000Z' })
    on.now = NOW + 13 * 3_600_000
    expect((await on.json('budget', 'ada')).windows[0]).toMatchObject({ period: 'daily', limit: '5.00' })
    await on.ok('budget', 'ada', '--clear', 'daily', '--clear', '5h', '--clear', 'monthly')
    expect(await on.json('budget', 'ada')).toMatchObject({ overrides: [], windows: [{ period: 'daily', limit: '0.10' }, {}, {}] })
  })

  it('lifts a limit with "none"', async () => {
    const on = await stage()
    await on.ok('budget', 'ada', '--set', 'daily=none')
    expect((await on.json('budget', 'ada')).windows[0]).toMatchObject({ period: 'daily', limit: null })
  })

  it('sets a tier and takes it away', async () => {
    const on = await stage()
    expect((await on.json('budget', 'ada', '--set-tier', 'pro')).tier).toBe('pro')
    expect((await on.json('budget', 'ada')).tier).toBe('pro')
    expect((await on.json('budget', 'ada', '--clear-tier')).tier).toBe('free')
  })

  it('begins windows anew only where that is meant', async () => {
    const on = await stage()
    expect(await on.run(['budget', 'ada', '--restart'])).toMatchObject({ code: 2, errors: expect.stringContaining('Add --yes') })
    expect((await on.json('budget', 'ada')).windows[0].spent).toBe('0.05')
    on.now += 1
    expect((await on.json('budget', 'ada', '--restart', '--yes')).windows[0].spent).toBe('0.00')
  })

  it.each([
    ['--set', 'daily'],
    ['--set', 'dayly=5'],
    ['--set', 'daily=x'],
    ['--set', 'daily=-1'],
    ['--set', 'daily=0.000000001'],
    ['--set', 'daily/tokens=1.5'],
    ['--set', 'daily/euro=1'],
    ['--set', '5y=1'],
    ['--set', 'daily=1', '--set', 'daily=2'],
    ['--set', 'daily=1', '--clear', 'daily'],
    ['--clear', 'daily/usd'],
    ['--until', '2026-12-01'],
    ['--set', 'daily=1', '--until', '2026-11-01'],
    ['--set', 'daily=1', '--set-tier', 'gold'],
    ['--set-tier', 'pro', '--clear-tier'],
    ['--tier', 'gold'],
    ['--tenant', ''],
    ['--zone', 'Mars/Olympus', '--set', 'daily=1'],
    ['--frob'],
  ])('refuses %s %s %s %s, and changes nothing', async (...args) => {
    const on = await stage()
    const before = await on.json('budget', 'ada')
    const { code, out, errors } = await on.run(['budget', 'ada', ...args.filter((arg) => arg !== undefined)])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
    expect(await on.json('budget', 'ada')).toEqual(before)
  })

  it('takes users whose ids look like options, or are of another script', async () => {
    const on = await stage()
    await on.engine((bursar) => bursar.tracker.addCost({ userId: '--set', cost: '0.01' }))
    await on.engine((bursar) => bursar.tracker.addCost({ userId: "日本 'o\"", cost: '0.02' }))
    expect((await on.run(['budget', '--json', '--', '--set'])).out).toContain('"totalCost": "0.01"')
    expect((await on.json('budget', "日本 'o\"")).totalCost).toBe('0.02')
  })
})
