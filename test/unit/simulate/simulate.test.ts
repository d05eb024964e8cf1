import { describe, expect, it } from 'vitest'
import { definePolicy, EnforcementAction, type BursarConfig } from '../../../src/index.js'
import { findLimit, readLog, renderJson, renderPage, renderTable, sampleLog, simulate, type ReadLogOptions } from '../../../src/simulate/index.js'
import { prices } from './kit.js'

const map = { time: 'at', userId: 'user', tier: 'tier', model: 'model', inputTokens: 'in', outputTokens: 'out' }
const noon = Date.UTC(2026, 0, 5, 12)
const hour = 3_600_000
// A million tokens of the large model cost 10 USD: 10,000 tokens are 10 ct.
const ask = (hours: number, user: string, model = 'large', more: object = {}): object => ({ at: noon + hours * hour, user, tier: 'free', model, in: 5_000, out: 5_000, ...more })
const logOf = (rows: object[], options: ReadLogOptions = {}): ReturnType<typeof readLog> => readLog(rows, { map, headroom: 1, ...options })
const config = (daily: number, more: object = {}): BursarConfig => ({ tiers: { free: { daily } }, prices, ...more }) as BursarConfig

describe('simulate', () => {
  it('says who would have been blocked, when, and what that would have saved', async () => {
    const rows = [ask(0, 'ada'), ask(1, 'ada'), ask(2, 'ada'), ask(3, 'ben'), ask(24, 'ada')]
    const { log, candidates, source } = await simulate({ log: logOf(rows), candidates: { low: config(0.2), high: config(10) } })
    const [low, high] = candidates
    expect(source).toMatchObject({ requests: 5, users: 2 })
    expect(log).toMatchObject({ allowed: 5, spent: 0.5 })
    expect(low).toMatchObject({ requests: 5, blocked: 1, lost: 1, usersBlocked: 1, usersBlockedPct: 50, spent: 0.4, savedOnLog: 0.1, exact: { spentMicrocents: 40_000_000n } })
    expect(low?.affected[0]).toMatchObject({ userId: 'ada', requests: 4, blocked: 1, firstBlockedAt: new Date(noon + 2 * hour) })
    expect(low?.byDay.map(({ day, requests, blocked, newlyBlocked, spent }) => [day, requests, blocked, newlyBlocked, spent])).toEqual([['2026-01-05', 4, 1, 1, 0.3], ['2026-01-06', 1, 0, 0, 0.1]])
    expect(low?.byTier).toMatchObject([{ tier: 'free', users: 2, usersBlocked: 1, requests: 5, spent: 0.4 }])
    expect(high).toMatchObject({ blocked: 0, spent: 0.5, savedOnFirst: -0.1, differences: { requests: 0 } })
    expect(low?.differences.first).toMatchObject([{ row: 3, userId: 'ada', what: 'action', candidate: 'BLOCK' }])
  })

  it('prices what was used at the price of the model that a candidate would have given', async () => {
    const rows = [ask(0, 'ada'), ask(1, 'ada')]
    const { candidates } = await simulate({ log: logOf(rows), candidates: { graceful: config(0.2, { policies: ['graceful'], ladder: { large: 'small' } }) } })
    expect(candidates[0]).toMatchObject({ degraded: 1, blocked: 0, spent: 0.11 })
    expect(candidates[0]?.byModel.map(({ model, calls, spent }) => [model, calls, spent])).toEqual([['large', 1, 0.1], ['small', 1, 0.01]])
  })

  it('holds money while a call lasts: what runs at the same time cannot spend it twice', async () => {
    const rows = [ask(0, 'ada', 'large', { ms: 2 * hour }), ask(1, 'ada', 'large', { ms: 0 }), ask(3, 'ada', 'large', { ms: 0 })]
    const log = readLog(rows, { map: { ...map, durationMs: 'ms' }, headroom: 3 })
    const { candidates } = await simulate({ log, candidates: { one: config(0.35) } })
    expect(candidates[0]).toMatchObject({ allowed: 1, warned: 1, blocked: 1, spent: 0.2 })
  })

  it('counts what a check rejects with by its code, and goes on', async () => {
    const rows = [ask(0, 'ada'), ask(1, 'ben', 'unheard-of'), ask(2, 'cleo', 'large', { tier: 'gold' }), ask(3, 'dan', 'unheard-of')]
    const { candidates } = await simulate({ log: logOf(rows), candidates: { one: config(1) } })
    expect(candidates[0]).toMatchObject({ requests: 4, failed: 3, lost: 3 })
    expect(candidates[0]?.errors.map(({ code, count, row }) => [code, count, row])).toEqual([['UNPRICED_MODEL', 2, 2], ['UNKNOWN_TIER', 1, 3]])
  })

  it('puts days where the zone has them', async () => {
    const { candidates } = await simulate({ log: logOf([ask(0, 'ada'), ask(11, 'ada')]), candidates: { one: config(1) }, timeZone: 'Asia/Tokyo' })
    expect(candidates[0]?.byDay.map(({ day, requests }) => [day, requests])).toEqual([['2026-01-05', 1], ['2026-01-06', 1]])
    await expect(simulate({ log: logOf([]), candidates: { one: config(1) }, timeZone: 'Mars/Olympus' })).rejects.toThrow(/Mars/)
  })

  it('names the candidate that cannot work, before anything is read', async () => {
    let isRead = false
    const log = readLog(() => ((isRead = true), []), { map })
    await expect(simulate({ log, candidates: { fine: config(1), wrong: config(-1) } })).rejects.toThrow(/candidates\.wrong: .*daily/)
    await expect(simulate({ log, candidates: {} })).rejects.toThrow(/names none/)
    expect(isRead).toBe(false)
  })

  it('asks policies that look at anything of a request', async () => {
    const nobodyAtNoon = definePolicy({ name: 'not-at-noon', on: 'request', evaluate: ({ now }) => (now.getUTCHours() === 12 ? EnforcementAction.BLOCK : EnforcementAction.ALLOW) })
    const { candidates } = await simulate({ log: logOf([ask(0, 'ada'), ask(1, 'ada')]), candidates: { one: config(1, { policies: ['strict', nobodyAtNoon] }) } })
    expect(candidates[0]).toMatchObject({ blocked: 1, allowed: 1 })
  })

  it('gives an empty log an empty report', async () => {
    const { source, candidates } = await simulate({ log: logOf([]), candidates: { one: config(1) } })
    expect(source).toMatchObject({ requests: 0, users: 0, from: undefined })
    expect(candidates[0]).toMatchObject({ requests: 0, spent: 0, byDay: [], byTier: [] })
  })

  it('lets others run in between', async () => {
    const stop = new AbortController()
    setImmediate(() => stop.abort(new Error('heard')))
    await expect(simulate({ log: sampleLog({ requests: 20_000 }), candidates: { one: { ...config(1), onUnpricedModel: { input: 1, output: 1 }, onUnknownTier: 'free' } }, signal: stop.signal })).rejects.toThrow('heard')
  })

  it('stops where its signal says so', async () => {
    const stop = new AbortController()
    await expect(simulate({ log: sampleLog({ requests: 2_000 }), candidates: { one: { ...config(1), onUnpricedModel: { input: 1, output: 1 }, onUnknownTier: 'free' } }, signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) })).rejects.toThrow('enough')
  })
})

describe('findLimit', () => {
  const rows = ['ada', 'ben', 'cleo', 'dan'].flatMap((user, index) => Array.from({ length: 3 * (index + 1) }, (_, turn) => ask(turn / 10, user))).sort((a, b) => (a as { at: number }).at - (b as { at: number }).at)

  it('finds the smallest limit, and tries the one below it', async () => {
    // dan asks 12 times 10 ct, cleo 9 times.
    const options = { log: logOf(rows), config: config(1), vary: 'tiers.free.daily', low: '0.05', high: 5, step: '0.05' }
    const all = await findLimit({ ...options, target: { blockedUsersPct: 0 } })
    expect(all).toMatchObject({ limit: 1.2, exact: { limitMicrocents: 120_000_000 }, isMonotone: true })
    expect(all.probes.find(({ limit }) => limit === 1.15)).toMatchObject({ isEnough: false, blockedUsersPct: 25 })
    expect((await findLimit({ ...options, target: { blockedUsersPct: 25 } })).limit).toBe(0.9)
    expect((await findLimit({ ...options, target: { blockedUsersPct: 25, tier: 'free' }, vary: (limit) => config(Number(limit)) })).limit).toBe(0.9)
  })

  it('says that no limit is enough, and refuses a path that leads nowhere', async () => {
    const options = { log: logOf(rows), config: config(1), low: '0.05', high: 1, step: '0.05', target: { blockedUsersPct: 0 } }
    const none = await findLimit({ ...options, vary: 'tiers.free.daily' })
    expect(none.limit).toBeUndefined()
    expect(none.message).toMatch(/Even \$1\.00 is not enough/)
    await expect(findLimit({ ...options, vary: 'tiers.gold.daily' })).rejects.toThrow(/leads nowhere/)
    await expect(findLimit({ ...options, vary: 'tiers.free.daily', target: {} })).rejects.toThrow(/says nothing/)
  })

  it('finds none where every request is rejected, and says why', async () => {
    const without = sampleLog({ requests: 50 })
    const options = { log: without, config: { tiers: { free: { daily: 1 } }, onUnknownTier: 'free' }, vary: 'tiers.free.daily', low: 1, high: 2, step: 1, target: { blockedUsersPct: 5 } }
    await expect(findLimit(options)).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/every request of the log is rejected.*[Pp]rice/) })
  })
})

describe('what a simulation is written as', () => {
  const hostile = '</script><script>alert(1)</script>'
  const run = (): ReturnType<typeof simulate> => simulate({ log: logOf([ask(0, hostile), ask(1, hostile), ask(2, 'ada', '<b>large</b>')], { name: '<i>log</i>' }), candidates: { '"low" & <sons>': config(0.1) } })

  it('is a table in which every column stands under its name', async () => {
    const text = renderTable(await run())
    expect(text).toMatch(/Blocked +0 \(0 %\) +1 \(33\.3 %\)/)
    expect(text).toMatch(/UNPRICED_MODEL/)
  })

  it('is JSON with exact amounts as text', async () => {
    const parsed = JSON.parse(renderJson(await run())) as { candidates: { exact: { spentMicrocents: string } }[] }
    expect(parsed.candidates[0]?.exact.spentMicrocents).toBe('10000000')
  })

  it('is one page that asks nobody for anything, and takes nothing of a log for markup', async () => {
    const page = await renderPage(await run(), { title: hostile })
    expect(page).toMatch(/default-src 'none'/)
    expect(page).not.toMatch(/(src|href)=/)
    expect(page.match(/<script/g)).toHaveLength(2)
    expect(page).not.toContain('<b>large')
    expect(page).not.toContain('<i>log')
    expect(page).toContain('&lt;/script&gt;&lt;script&gt;alert(1)')
    await expect(renderPage(await run(), { colour: 'red' } as never)).rejects.toThrow(/colour/)
  })
})
