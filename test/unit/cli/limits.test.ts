import { describe, expect, it } from 'vitest'
import { NOW, Stage } from './stage.js'

async function stage(): Promise<Stage> {
  const made = new Stage()
  await made.traffic()
  return made
}

describe('bursar limits', () => {
  it('makes a limit that is enforced, shows how full it is, changes and removes it', async () => {
    const on = await stage()
    const made = await on.json('limits', 'create', 'team:search', '--id', 'search', '--set', 'daily=0.30', '--set', 'monthly/tokens=5000', '--thresholds', 'warn=50,block=100', '--description', 'the search team')
    expect(made).toMatchObject({ id: 'search', scope: { kind: 'team', id: 'search' }, mode: 'block', state: 'active', thresholds: { warn: 50, block: 100 }, description: 'the search team' })
    await on.engine(async (bursar) => {
      await bursar.tracker.addCost({ userId: 'eve', cost: '0.20', tokens: 10, scopes: { team: 'search' } })
      expect((await bursar.check({ userId: 'zoe', userTier: 'pro', estimatedCost: 0.2, inputTokens: 1, maxOutputTokens: 1, scopes: { team: 'search' } })).allowed).toBe(false)
    })
    const shown = await on.json('limits', 'show', 'search')
    expect(shown.windows).toMatchObject([{ period: 'daily', spent: '0.20', limit: '0.30', remaining: '0.10' }, { period: 'monthly', unit: 'tokens', spent: 10, limit: 5_000 }])
    expect(await on.ok('limits', 'show', 'search')).toMatch(/^search +team search +daily +\$0\.20 +\$0\.00 +\$0\.30 +66\.6 % +2026-11-23/m)
    expect(await on.ok('limits', 'triggered')).toMatch(/^search +team search +daily .* 50 %/m)
    expect(await on.json('limits', 'change', 'search', '--set', 'daily=1', '--clear', 'monthly', '--until', '2026-12')).toMatchObject({ budget: { daily: { usd: '1.00' } }, until: '2026-12-01T00:00:00.000Z', description: 'the search team' })
    expect(await on.ok('limits')).toMatch(/^search +team search +\$1 daily +block +active +– +2026-12-01 00:00:00 +the search team$/m)
    expect(await on.run(['limits', 'triggered', '--json'])).toEqual({ code: 0, out: '', errors: 'Nothing is at or over a threshold.\n' })
    await on.ok('limits', 'remove', 'search')
    await on.engine(async (bursar) => expect((await bursar.check({ userId: 'zoe', userTier: 'pro', estimatedCost: 0.9, scopes: { team: 'search' } })).allowed).toBe(true))
  })

  it('gives budgets in one shape, however they were written, with money as exact decimals', async () => {
    const on = await stage()
    await on.engine(async ({ limits }) => {
      for (const [id, daily] of [['number', 0.1], ['text', '0.1'], ['units', { usd: 0.1, tokens: 5 }]] as const) await limits.create({ id, scope: { kind: 'global' }, budget: { daily, rolling: { '5h': daily } } })
    })
    const listed = (await on.ok('limits', 'list', '--json')).trimEnd().split('\n').map((line) => JSON.parse(line) as { id: string; budget: unknown })
    const budgets = Object.fromEntries(listed.map(({ id, budget }) => [id, budget]))
    for (const id of ['number', 'text']) expect(budgets[id]).toMatchObject({ daily: { usd: '0.10' }, rolling: { '5h': { usd: '0.10' } } })
    expect(budgets['units']).toMatchObject({ daily: { usd: '0.10', tokens: 5 } })
    expect((await on.json('limits', 'show', 'number')).budget).toEqual(budgets['number'])
    expect(await on.json('limits', 'remove', 'text')).toEqual({ id: 'text', removed: true })
  })

  it('names scopes the same wherever it shows them', async () => {
    const on = await stage()
    await on.ok('limits', 'create', 'user:*', '--tenant', 'acme', '--id', 'each', '--set', 'daily=0.10')
    await on.engine(async (bursar) => {
      await bursar.tracker.addCost({ userId: 'eve', tenant: 'acme', cost: '0.1' })
    })
    expect(await on.ok('limits', 'list')).toMatch(/^each +each user \(acme\)/m)
    for (const args of [['show', 'each'], ['triggered']]) expect(await on.ok('limits', ...args)).toMatch(/^each +user eve \(acme\) +daily/m)
  })

  it('lists by state, and says where nothing is', async () => {
    const on = await stage()
    expect((await on.run(['limits'])).errors).toContain('No limits match')
    await on.ok('limits', 'create', 'global', '--id', 'xmas', '--set', 'total=10', '--from', '2026-12-24', '--until', '2026-12-27', '--mode', 'alert')
    expect(await on.json('limits', 'list', '--state', 'upcoming')).toMatchObject({ id: 'xmas', state: 'upcoming' })
    expect(await on.ok('limits', 'list', '--state', 'active', '--json')).toBe('')
    expect(await on.ok('limits', 'remove', 'xmas')).toBe('')
    expect(await on.run(['limits', 'show', 'xmas'])).toMatchObject({ code: 1, errors: expect.stringContaining('bursar: limit: "xmas" is not there') })
    expect(await on.run(['limits', 'remove', 'xmas'])).toMatchObject({ code: 1 })
  })

  it('sets the tier and the models of a tenant', async () => {
    const on = await stage()
    await on.ok('limits', 'tenants', 'set', 'acme', '--tier', 'pro', '--model', 'gpt-4o*', '--model', 'o3')
    expect(await on.json('limits', 'tenants', 'list')).toEqual({ tenant: 'acme', tier: 'pro', models: ['gpt-4o*', 'o3'] })
    expect(await on.ok('limits', 'tenants')).toMatch(/^acme +pro +gpt-4o\*, o3$/m)
    await on.ok('limits', 'tenants', 'remove', 'acme')
    expect((await on.run(['limits', 'tenants'])).errors).toContain('Nothing is set')
  })

  it.each([
    ['create', 'global'],
    ['create', 'team', '--set', 'daily=1'],
    ['create', 'nogroup:x', '--set', 'daily=1'],
    ['create', 'tier:gold', '--set', 'daily=1'],
    ['create', 'global', '--set', 'daily=1', '--thresholds', 'warn=180'],
    ['create', 'global', '--set', 'daily=1', '--thresholds', 'wran=80'],
    ['create', 'global', '--set', 'daily=1', '--mode', 'maybe'],
    ['create', 'global', '--set', 'daily=1', '--from', '2026-12-02', '--until', '2026-12-01'],
    ['change', 'x'],
    ['list', '--state', 'gone'],
    ['tenants', 'set', 'acme'],
    ['tenants', 'set', 'acme', '--tier', 'gold'],
    ['frobnicate'],
  ])('refuses %s %s %s %s, and changes nothing', async (...args) => {
    const on = await stage()
    const { code, out, errors } = await on.run(['limits', ...args.filter((arg) => arg !== undefined)])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(errors).toMatch(/^bursar: [^\n]+\n$/)
    expect(await on.ok('limits', '--json')).toBe('')
  })
})

describe('bursar explain', () => {
  it('explains a refusal that another process made', async () => {
    const on = await stage()
    const id = await on.engine(async (bursar) => (await bursar.check({ userId: 'ada', model: 'gpt-4o', estimatedCost: 1 })).id)
    expect(await on.json('explain', id)).toMatchObject({ decisionId: id, action: 'BLOCK', who: { userId: 'ada', tier: 'free' } })
    const { rungs, windows } = await on.json('explain', id)
    expect(rungs).toMatchObject([{ estimatedCost: '1.00', tokens: 0 }])
    expect(windows[0]).toMatchObject({ unit: 'usd', limit: '0.10', spent: '0.05', held: '0.00', remaining: '0.05', estimate: '1.00', ceilings: { block: { max: '0.10', exact: { max: 10_000_000 } }, degrade: null } })
    expect(windows[1]).toMatchObject({ limit: null, remaining: null })
    expect(await on.ok('explain', id)).toMatch(/0\.05 spent \+ 0\.00 held \+ 1\.00 estimate = 1\.05 > 0\.10/)
  })

  it('fails for a decision of which nothing is kept', async () => {
    expect(await (await stage()).run(['explain', 'nonsense'])).toMatchObject({ code: 1, out: '', errors: expect.stringMatching(/^bursar: decision "nonsense": /) })
    expect(await (await stage()).run(['explain', ''])).toMatchObject({ code: 2 })
    expect(await (await stage()).run(['explain'])).toMatchObject({ code: 2, errors: "bursar: missing required argument 'decision'. See bursar help.\n" })
  })
})

describe('bursar budget, by and by', () => {
  it('forecasts once there is enough to go by', async () => {
    const on = await stage()
    expect((await on.run(['budget', 'ada'])).errors).toMatch(/^No forecast\. /m)
    for (let hour = 1; hour <= 6; hour += 1) {
      on.now = NOW + hour * 3_600_000
      await on.engine((bursar) => bursar.tracker.addCost({ userId: 'bob', tenant: 'acme', cost: '0.05' }))
    }
    const { forecasts } = await on.json('budget', 'bob', '--tenant', 'acme')
    expect(forecasts[0]).toMatchObject({ period: 'daily', enough: true, projection: { at: '2026-11-23T00:00:00.000Z' } })
    expect(await on.ok('budget', 'bob', '--tenant', 'acme')).toMatch(/^Forecast\nwindow +burns a day/m)
  })
})
