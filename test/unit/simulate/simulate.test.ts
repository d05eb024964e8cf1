import { describe, expect, it } from 'vitest'
import { definePolicy, EnforcementAction, type BursarConfig } from '../../../src/index.js'
import { findLimit, readLog, renderJson, renderPage, renderTable, sampleLog, simulate, type ReadLogOptions } from '../../../src/simulate/index.js'
import { money, share } from '../../../src/simulate/text.js'
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

  it('counts a check that fails as refused, and as a difference from the log, exactly', async () => {
    const rows = [ask(0, 'ada'), ask(1, 'ben', 'unheard-of'), ask(2, 'ada'), ask(3, 'ada'), ask(4, 'ben', 'unheard-of')]
    const [one] = (await simulate({ log: logOf(rows), candidates: { one: config(0.2) } })).candidates
    expect(one).toMatchObject({ blocked: 1, failed: 2, refused: 3, refusedPct: 60, blockedPct: 20, users: 2, usersBlocked: 1, usersRefused: 2, usersBlockedPct: 50, usersRefusedPct: 100 })
    expect(one?.differences).toMatchObject({ total: 3, requests: 3, failures: 2, costs: 0, others: 0 })
    expect(one?.differences.first.map(({ row, what, log, candidate }) => [row, what, log, candidate])).toEqual([[2, 'failure', 'allowed', 'UNPRICED_MODEL'], [4, 'action', 'allowed', 'BLOCK'], [5, 'failure', 'allowed', 'UNPRICED_MODEL']])
    expect(one?.byTier).toMatchObject([{ tier: 'free', users: 2, usersBlocked: 1, usersRefused: 2 }])
  })

  it('rounds no share: one of very many is more than none', async () => {
    const rows = Array.from({ length: 3_000 }, (_, index) => ask(index / 1_000, `u${index % 2_999}`))
    const [one] = (await simulate({ log: logOf(rows), candidates: { one: config(0.1) } })).candidates
    expect(one).toMatchObject({ usersBlocked: 1, usersBlockedPct: 100 / 2_999, blockedPct: 100 / 3_000 })
    expect([share(1, 20_001), share(20_000, 20_001), share(0, 5), share(5, 5)]).toEqual(['< 0.01 %', '> 99.9 %', '0 %', '100.0 %'])
  })

  it('counts users in the tier of the request that was blocked, whatever they are later', async () => {
    const tiers = { free: { daily: 0.1 }, pro: { daily: 10 } }
    const rows = [ask(0, 'ada'), ask(1, 'ada'), ask(2, 'ada', 'large', { tier: 'pro' }), ask(3, 'ben', 'large', { tier: 'pro' }), ask(4, 'ada')]
    const { candidates, rules, source } = await simulate({ log: logOf(rows), candidates: { one: config(0, { tiers }) } })
    expect(source.users).toBe(2)
    expect(candidates[0]?.byTier.map(({ tier, users, usersBlocked, blocked }) => [tier, users, usersBlocked, blocked])).toEqual([['free', 1, 1, 2], ['pro', 2, 0, 0]])
    expect(rules.some((rule) => rule.includes('asked as several tiers'))).toBe(true)
    const found = await findLimit({ log: logOf(rows.slice(0, 4)), config: config(0, { tiers }), vary: 'tiers.free.daily', target: { blockedUsersPct: 0, tier: 'free' }, low: 0.1, high: 1, step: 0.1 })
    expect(found.limit).toBe(0.2)
  })

  it('says what a ledger without its beginning charges to windows that had begun before', async () => {
    const entry = (id: string, at: number, startsAt: number): object => ({ id: `${id}:settled`, kind: 'settled', at, openedAt: at, decisionId: id, userId: 'ada', tier: 'free', microcents: 5, tokens: 0, estimatedMicrocents: 5, charged: [{ scope: 'user:ada', window: 'daily', startsAt }] })
    const run = (entries: object[]): ReturnType<typeof simulate> => simulate({ log: readLog(entries), candidates: { one: config(1) } })
    const cut = await run([entry('a', noon, noon - hour), entry('b', noon + hour, noon - 2 * hour), entry('c', noon + 2 * hour, noon)])
    expect(cut.warnings).toEqual([expect.stringMatching(/^2 entries of the log charge windows that began before its first row \(the earliest at 2026-01-05T10:00/)])
    expect(cut.rules.some((rule) => rule.includes('before the first row is not known'))).toBe(true)
    expect(renderTable(cut)).toMatch(/Careful: 2 entries/)
    expect(await renderPage(cut)).toMatch(/2 entries of the log charge/)
    expect((await run([entry('a', noon, noon)])).warnings).toEqual([])
  })

  it('counts money that came out otherwise: other charges for expired holds, and corrections of nothing', async () => {
    const entries = [
      { id: 'a:expired', kind: 'expired', at: noon + hour, openedAt: noon, decisionId: 'a', userId: 'ada', tier: 'free', microcents: 5, tokens: 0, estimatedMicrocents: 5, details: { action: 'ALLOW' }, charged: [] },
      { id: 'x:corrected:1', kind: 'corrected', at: noon + 2 * hour, decisionId: 'x', userId: 'ada', tier: 'free', microcents: -5, tokens: 0, charged: [] },
      { id: 'y:corrected:1', kind: 'corrected', at: noon + 2 * hour, decisionId: 'y', userId: 'ada', tier: 'free', microcents: 7, tokens: 1, charged: [] },
      { id: 'z', kind: 'configured', at: noon + 3 * hour, decisionId: 'z', userId: 'ada', microcents: 0, tokens: 0, charged: [], reason: 'tier', metadata: { to: 'gold' } },
    ]
    const { candidates } = await simulate({ log: readLog(entries, { lookAhead: '2h' }), candidates: { same: config(1), releases: config(1, { onHoldExpiry: 'release' }) } })
    expect(candidates.map(({ differences: { first: _first, ...counts }, missedCorrections, failedNotes, failedEndings }) => ({ ...counts, missedCorrections, failedNotes, failedEndings }))).toEqual([
      { total: 3, requests: 0, failures: 0, costs: 0, others: 3, missedCorrections: 2, failedNotes: 1, failedEndings: 0 },
      { total: 4, requests: 0, failures: 0, costs: 1, others: 3, missedCorrections: 2, failedNotes: 1, failedEndings: 0 },
    ])
    expect(candidates[1]?.differences.first[0]).toMatchObject({ what: 'cost', log: '$0.00000005', candidate: '$0.00' })
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
    expect(none.message).toMatch(/Even \$1\.00 is not enough: with it, 1 of 4 \(25\.0 %\) users are blocked, and at most 0 % may be/)
    await expect(findLimit({ ...options, vary: 'tiers.gold.daily' })).rejects.toThrow(/leads nowhere/)
    await expect(findLimit({ ...options, vary: 'tiers.free.daily', target: {} })).rejects.toThrow(/says nothing/)
  })

  it('finds none where every request is rejected, and says why', async () => {
    const without = sampleLog({ requests: 50 })
    const options = { log: without, config: { tiers: { free: { daily: 1 } }, onUnknownTier: 'free' }, vary: 'tiers.free.daily', low: 1, high: 2, step: 1, target: { blockedUsersPct: 5 } }
    await expect(findLimit(options)).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/every request of the log is rejected.*[Pp]rice/) })
  })

  it('finds none where some requests are rejected, and names the first', async () => {
    const log = logOf([...rows, ask(1, 'eve', 'unheard-of'), ask(2, 'eve', 'large', { tier: 'gold' })].sort((a, b) => (a as { at: number }).at - (b as { at: number }).at))
    await expect(findLimit({ log, config: config(1), vary: 'tiers.free.daily', low: 1, high: 2, step: 1, target: { blockedUsersPct: 50 } })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/2 of 32 requests of the log are rejected with an error at \$2\.00.*UNPRICED_MODEL in row/) })
  })

  it('finds none of nobody: neither of an empty log nor of a tier that nobody has', async () => {
    const options = { config: config(1), vary: 'tiers.free.daily', low: 1, high: 2, step: 1 }
    await expect(findLimit({ ...options, log: logOf([]), target: { blockedUsersPct: 1 } })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/has no requests/) })
    await expect(findLimit({ ...options, log: logOf(rows), target: { blockedUsersPct: 1, tier: 'pro' } })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/target\.tier: nobody in the log asks as "pro", and the configuration has no such tier.*in the log are free; in the configuration free/) })
    await expect(findLimit({ ...options, log: logOf(rows), config: config(1, { tiers: { free: {}, pro: {} } }), target: { blockedRequestsPct: 1, tier: 'pro' } })).rejects.toThrow(/nobody in the log asks as "pro", so every limit/)
  })

  it('looks among millions of limits, tries the highest itself, and refuses more', async () => {
    const options = { log: logOf([ask(0, 'ada')]), config: config(1), vary: 'tiers.free.daily', target: { blockedUsersPct: 0 } }
    expect((await findLimit({ ...options, low: 0, high: 4_000_000, step: 0.5 })).exact.limitMicrocents).toBe(50_000_000)
    expect((await findLimit({ ...options, low: 0, high: '0.10', step: '0.07' })).exact.limitMicrocents).toBe(10_000_000)
    const even = await findLimit({ ...options, low: 0, high: '0.09', step: '0.07' })
    expect([even.limit, even.probes.map(({ limit }) => limit)]).toEqual([undefined, [0.09]])
    await expect(findLimit({ ...options, low: 0, high: 100, step: '0.000001' })).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/more than 10,000,000 steps\. Give a step of at least 0\.00001/) })
  })

  it('stops where its signal says so', async () => {
    const stop = new AbortController()
    const options = { log: logOf(rows), config: config(1), vary: 'tiers.free.daily', target: { blockedUsersPct: 0 }, low: 0, high: 100, step: '0.01' }
    let probes = 0
    await expect(findLimit({ ...options, signal: stop.signal, onProbe: () => ((probes += 1), setImmediate(() => stop.abort(new Error('heard')))) })).rejects.toThrow('heard')
    expect(probes).toBeLessThan(3)
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
    expect(parsed.candidates[0]).toMatchObject({ spent: '0.10', savedOnLog: '0.10', savedOnFirst: '0.00', exact: { spentMicrocents: '10000000', savedOnLogMicrocents: '10000000' }, byTier: [{ spent: '0.10' }], byDay: [{ spent: '0.10' }], byModel: [{ spent: '0.10' }] })
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

  it('lets no id turn round what stands beside it, on the page and in the table', async () => {
    const simulation = await simulate({ log: logOf([ask(0, '\u202Eada'), ask(1, '\u202Eada'), ask(2, 'אדה'), ask(3, 'אדה')]), candidates: { one: config(0.1), '\u2066two': config(0.1) } })
    const page = await renderPage(simulation)
    expect(page).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
    expect(page).toContain('<bdi>\\u202eada</bdi>')
    expect(page).toContain('<bdi>אדה</bdi>')
    expect(renderTable(simulation)).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/)
  })

  it('counts one row as one, writes all money alike, and says whose days it has', async () => {
    const log = readLog(['at,user,cost\n2026-01-05,ada,0.5\nnever,ada,1\n'], { map: { time: 'at', userId: 'user', cost: 'cost' }, onBadRow: 'skip' })
    const simulation = await simulate({ log, candidates: { one: { tiers: { free: { daily: 5 } }, defaultTier: 'free' } } })
    for (const text of [renderTable(simulation), await renderPage(simulation)]) {
      expect(text).toMatch(/1 row was left out/)
      expect(text).toMatch(/1 request of 1 user\b/)
      expect(text).toMatch(/The days of this report begin and end in UTC/)
      expect(text).not.toMatch(/\b1 (rows|requests|users|decisions)\b/)
    }
    expect([0, 12.3, 1_234.56789, 0.03, 0.0000004, -0.5, -0.00001].map(money)).toEqual(['$0.0000', '$12.3000', '$1,234.5679', '$0.0300', '< $0.0001', '−$0.5000', '> −$0.0001'])
  })
})
