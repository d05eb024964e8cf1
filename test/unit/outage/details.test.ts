// What is known of a cost beside its amount waits with it for the store: in memory, in a file, and when it is recorded instead.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { memoryStore, StoreUnavailableError, type CostDetails, type LedgerEntry, type Store } from '../../../src/index.js'
import { OutageGuard } from '../../../src/outage/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { MINUTE, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { allOf, START } from '../setting.js'
import { FickleStore, fakeTimers } from './fickle-store.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-details-'))
let files = 0
const newPath = () => join(folder, `endings-${(files += 1)}.jsonl`)

beforeEach(fakeTimers)
afterEach(() => void vi.useRealTimers())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const ann = [userOf('ann', windowOf(1_000))]
const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large', provider: 'openai' }
const placed = { scopes: ann, facts, idGiven: true }
const reserveOf = (id: string) => ({ id, fingerprint: id, idGiven: true, ttlMs: 10 * MINUTE, onExpiry: 'charge' as const, scopes: ann, rungs: [{ microcents: 10, tokens: 0 }], facts })
const DETAILS: CostDetails = { priceVersion: '2026-01-15', estimated: true, usage: { inputTokens: 3 }, labels: { 'a"\n\0b': 2 } }
const FOUND = { provider: 'azure', details: DETAILS }
const AWAY = new StoreUnavailableError('away', { asked: false })

function guarded(settleQueue?: { readonly path: string }, inner: Store = memoryStore({ clock: () => START })) {
  const clock = manualClock(START)
  const fickle = new FickleStore(inner)
  const failed: unknown[] = []
  const guard = new OutageGuard(fickle.store, { timeoutMs: 1_000, clock, settleQueue, onError: (operation, error) => failed.push([operation, error]), onRecovered: () => {}, onEffects: () => {}, warn: () => {} })
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await vi.advanceTimersByTimeAsync(ms)
  }
  return { guard, fickle, inner, failed, pass }
}

/** Waits until the guard has told the store everything. The file is written in its own time. */
async function told({ inner, pass }: ReturnType<typeof guarded>, count: number): Promise<unknown[][]> {
  return vi.waitFor(async () => {
    await pass(5_000)
    const entries = await allOf<LedgerEntry>(inner.ledger.entries())
    expect(entries).toHaveLength(count)
    return entries.map(({ kind, decisionId, microcents, provider, details }) => [`${kind} ${decisionId}`, microcents, provider, details])
  })
}

describe('what is known of a cost that waits', () => {
  it.each([['in memory', undefined], ['in a file', newPath()]])('reaches the store with it (%s)', async (_, path) => {
    const setting = guarded(path === undefined ? undefined : { path })
    const { guard, fickle } = setting
    for (const id of ['a', 'b']) await guard.reserve(reserveOf(id))
    fickle.mood = 'refuses'
    await guard.keep({ id: 'a', kind: 'settle', microcents: 4, ...FOUND, placed }, AWAY)
    await guard.keep({ id: 'b', kind: 'settle', microcents: 5, placed }, AWAY)
    expect(await guard.keep({ id: 'a', kind: 'settle', microcents: 4, placed }, AWAY), 'a repeat with other details').toBe('repeated')
    await guard.keep({ id: 'unheld', kind: 'record', microcents: 6, ...FOUND, placed }, AWAY)
    fickle.mood = 'well'
    expect((await told(setting, 3)).sort()).toEqual([['recorded unheld', 6, 'azure', DETAILS], ['settled a', 4, 'azure', DETAILS], ['settled b', 5, 'openai', undefined]])
    await guard.close()
    expect(setting.failed).toEqual([])
  })

  it('is recorded with it where the store has lost the hold', async () => {
    const setting = guarded()
    const { guard, fickle } = setting
    fickle.mood = 'refuses'
    await guard.keep({ id: 'lost', kind: 'settle', microcents: 4, ...FOUND, placed }, AWAY)
    fickle.mood = 'well'
    expect(await told(setting, 1)).toEqual([['recorded lost', 4, 'azure', DETAILS]])
    await guard.close()
  })

  it('outlives the process in the file', async () => {
    const path = newPath()
    const inner = memoryStore({ clock: () => START })
    const first = guarded({ path }, inner)
    await first.guard.reserve(reserveOf('a'))
    first.fickle.mood = 'refuses'
    await first.guard.keep({ id: 'a', kind: 'settle', microcents: 4, ...FOUND, placed }, AWAY)
    await first.guard.close()
    expect(readFileSync(path, 'utf8')).toContain('"priceVersion":"2026-01-15"')
    const second = guarded({ path }, inner)
    expect(await told(second, 1)).toEqual([['settled a', 4, 'azure', DETAILS]])
    await second.guard.close()
  })

  it('is missing in a file of an earlier version, which is replayed all the same', async () => {
    const path = newPath()
    writeFileSync(path, '{"end":{"id":"a","at":1,"kind":"settle","microcents":4,"model":"small"}}\n{"end":{"id":"b","at":2,"kind":"release","microcents":0}}\n')
    const inner = memoryStore({ clock: () => START })
    for (const id of ['a', 'b']) await inner.reserve(reserveOf(id))
    const setting = guarded({ path }, inner)
    expect((await told(setting, 2)).sort()).toEqual([['released b', 0, 'openai', undefined], ['settled a', 4, 'openai', undefined]])
    await setting.guard.close()
    expect(setting.failed).toEqual([])
  })
})
