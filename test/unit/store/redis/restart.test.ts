// Windows that are begun anew: what the fast paths find afterwards, what is written, and what a scope that is elsewhere is told.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { scopeKey } from '../../../../src/budget/index.js'
import type { ScopeTerms, Store } from '../../../../src/index.js'
import { Bench, DAY, HOUR, MINUTE, teamOf, userOf, windowOf, type Standing } from '../../../../src/testing/contract/kit.js'
import { Ground, keyOf } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

async function open(options: Parameters<Ground['store']>[1] = {}): Promise<{ bench: Bench; prefix: string }> {
  const prefix = ground.prefix()
  return { bench: await Bench.at((clock) => ground.store(prefix, { storeClock: clock, ...options })), prefix }
}

const restart = (store: Store, terms: ScopeTerms, since = Number.MAX_SAFE_INTEGER) => store.restart({ ...terms, since })
const ann = userOf('ann', windowOf(1_000, { alerts: [50] }), windowOf(1_000, { period: 'monthly', unit: 'tokens' }))
/** Every kind: calendars of each unit, what never ends, and what rolls. */
const every = userOf(
  'ann',
  windowOf(1_000),
  windowOf(1_000, { period: 'weekly', unit: 'tokens' }),
  windowOf(1_000, { period: 'monthly', unit: 'requests' }),
  windowOf(1_000, { period: 'total' }),
  windowOf(1_000, { rollingMs: HOUR }),
  windowOf(1_000, { rollingMs: HOUR, unit: 'requests' }),
)

describe('a restart', () => {
  it('tells of each window that it began, and leaves alone what never ends and what rolls', async () => {
    const { bench } = await open()
    await bench.spend([every], 'a', 30, 20)
    await bench.hold([every], { id: 'b', microcents: 5, tokens: 4 })
    const before = await bench.standings(every)
    bench.clock.advance(MINUTE)
    const { now, effects } = await restart(bench.store, every)
    expect(now).toBe(bench.clock())
    const names = ['daily/usd', 'weekly/tokens', 'monthly/requests']
    expect(effects).toEqual(names.map((window, index) => ({ kind: 'window-reset', scope: every.scope, window, startsAt: now, endsAt: before[index]?.endsAt })))
    const after = await bench.standings(every)
    expect(after.slice(0, 3)).toEqual(before.slice(0, 3).map(({ endsAt }) => ({ startsAt: now, endsAt, spent: 0, held: 0 })))
    expect(after.slice(3).map(({ spent, held }) => [spent, held])).toEqual([[30, 5], [30, 5], [2, 0]])
  })

  it('leaves holds and their costs to the windows that ended, by the fast path and by the other', async () => {
    const { bench } = await open()
    for (const id of ['a', 'b', 'c']) await bench.hold([ann], { id, microcents: 10, tokens: 10, ttlMs: 2 * HOUR })
    bench.clock.advance(MINUTE)
    await restart(bench.store, ann)
    await bench.hold([ann], { id: 'new', microcents: 7, tokens: 7 })
    expect(await bench.counted(ann)).toEqual([[0, 7], [0, 7]])
    await bench.settle({ id: 'a', microcents: 9, tokens: 9 })
    await bench.release({ id: 'b' })
    await bench.settle({ id: 'new', microcents: 6, tokens: 6 })
    expect(await bench.counted(ann)).toEqual([[6, 0], [6, 0]])
    bench.clock.advance(3 * HOUR)
    expect(await bench.counted(ann), 'one that expired').toEqual([[6, 0], [6, 0]])
    expect(await bench.store.totals({ userId: 'ann' })).toEqual({ microcents: 25, entries: 3 })
    await bench.refund({ id: 'r', microcents: 4, of: 'a' })
    expect(await bench.counted(ann), 'a refund of what was spent before').toEqual([[6, 0], [6, 0]])
  })

  it('lets each threshold be announced again, once', async () => {
    const { bench } = await open()
    // Nothing but what announces, so that the fast path is taken wherever it can be.
    const announcing = userOf('ann', windowOf(1_000, { alerts: [50] }))
    await bench.spend([announcing], 'a', 600)
    bench.clock.advance(MINUTE)
    await restart(bench.store, announcing)
    for (const id of ['b', 'c', 'd']) await bench.spend([announcing], id, 300)
    const told = bench.effects.flatMap((effect) => (effect.kind === 'threshold' ? effect.alertId : []))
    expect(told).toHaveLength(2)
    expect(new Set(told).size, 'each under a name of its own').toBe(2)
  })

  it('ends first what is due: the cost is of the window before', async () => {
    const { bench } = await open()
    await bench.hold([ann], { id: 'a', microcents: 600, tokens: 1, ttlMs: MINUTE })
    bench.clock.advance(HOUR)
    const { effects } = await restart(bench.store, ann)
    expect(effects.map(({ kind }) => kind)).toEqual(['hold-expired', 'threshold', 'window-reset', 'window-reset'])
    expect(await bench.counted(ann)).toEqual([[0, 0], [0, 0]])
    expect(await bench.ledger()).toEqual(['expired a 600 1'])
  })

  it.each([
    ['began then', (startsAt: number) => startsAt],
    ['began later', (startsAt: number) => startsAt - 1],
    ['began later than before the epoch', () => -1],
  ])('changes nothing of a window that %s', async (_when, since) => {
    const { bench, prefix } = await open()
    await bench.spend([ann], 'a', 30, 20)
    const [{ startsAt }] = (await bench.standings(userOf('ann', windowOf(1_000, { period: 'monthly', unit: 'tokens' })))) as [Standing]
    const stored = () => ground.client.hgetBuffer(keyOf(prefix, 'state'), 'suser//ann')
    const before = await stored()
    expect((await restart(bench.store, ann, since(startsAt))).effects).toEqual([])
    expect(await stored()).toEqual(before)
  })

  it('takes a part of a millisecond for what it is', async () => {
    const { bench } = await open()
    await bench.spend([ann], 'a', 30, 20)
    bench.clock.advance(MINUTE)
    const { now } = await restart(bench.store, ann)
    bench.clock.advance(MINUTE)
    expect((await restart(bench.store, ann, now)).effects).toEqual([])
    expect((await restart(bench.store, ann, now + 0.5)).effects).toHaveLength(2)
  })

  it('that is repeated, or comes at the moment that a window began, changes nothing', async () => {
    const { bench, prefix } = await open()
    await bench.spend([ann], 'a', 30, 20)
    bench.clock.advance(MINUTE)
    const since = bench.clock()
    await restart(bench.store, ann, since)
    await bench.spend([ann], 'b', 5, 5)
    const stored = () => ground.client.hgetBuffer(keyOf(prefix, 'state'), 'suser//ann')
    const before = await stored()
    for (const again of [since, Number.MAX_SAFE_INTEGER, Infinity]) expect((await restart(bench.store, ann, again)).effects).toEqual([])
    expect(await stored()).toEqual(before)
    bench.clock.advance(HOUR)
    expect((await restart(bench.store, ann, since)).effects).toEqual([])
    expect(await bench.counted(ann)).toEqual([[5, 0], [5, 0]])
  })

  it('of a window that was used is told, and one of a scope that nobody knew is not', async () => {
    const { bench, prefix } = await open()
    await bench.spend([ann], 'a', 30, 20)
    bench.clock.advance(40 * DAY)
    expect((await restart(bench.store, ann)).effects).toHaveLength(2)
    expect(await restart(bench.store, userOf('nobody'))).toMatchObject({ begun: 0, effects: [] })
    expect(await ground.fields(prefix, 's')).toEqual(['suser//ann'])
    expect(await restart(bench.store, userOf('nobody', windowOf(1)))).toMatchObject({ begun: 1, effects: [] })
    expect(await ground.fields(prefix, 's')).toEqual(['suser//ann', 'suser//nobody'])
  })

  it('keeps what the counters know of the directory', async () => {
    const { bench } = await open()
    await bench.store.directory.change({ userId: 'ann' }, { tier: 'pro' })
    const entry = await bench.store.directory.remembered?.({ userId: 'ann' })
    await bench.hold([ann], { id: 'a', microcents: 1, entry })
    bench.clock.advance(MINUTE)
    await restart(bench.store, ann)
    expect(await bench.hold([ann], { id: 'b', microcents: 1, entry })).toMatchObject({ outcome: 'admitted' })
    expect(await bench.reserve([ann], { id: 'c', microcents: 1 })).toEqual({ outcome: 'outdated' })
  })

  it('finds a scope where its tenant is, and none that several share', async () => {
    const { bench } = await open({ partition: 'tenant' })
    const scope = { kind: 'user', id: 'ann', tenant: 'acme' }
    const own = { scope, key: scopeKey(scope), windows: [windowOf(1_000)] }
    await bench.spend([own], 'a', 30)
    bench.clock.advance(MINUTE)
    expect((await restart(bench.store, own)).effects).toHaveLength(1)
    expect(await bench.counted(own)).toEqual([[0, 0]])
    await expect(restart(bench.store, teamOf('search'))).rejects.toMatchObject({ code: 'INVALID_CONFIG' })
  })
})
