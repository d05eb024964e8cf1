// What is the SQLite store's own: several connections, exact integers, what is forgotten, and ledgers and users of any number.

import { afterEach, describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../../../src/ledger/index.js'
import { MAX_AMOUNT } from '../../../../src/money/index.js'
import type { Reading, ScopeTerms, Store } from '../../../../src/store/index.js'
import { memoryStore } from '../../../../src/store/memory/index.js'
import { openDatabase, type SqliteDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteStore } from '../../../../src/store/sqlite/index.js'
import { manualClock } from '../../../../src/testing/index.js'
import { DAY, HOUR, MINUTE, SECOND, teamOf, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { allOf } from '../../setting.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large' }
const reserveOf = (scopes: readonly ScopeTerms[], id: string, microcents: number, more: object = {}) => ({ id, fingerprint: id, idGiven: true, ttlMs: 10 * MINUTE, onExpiry: 'charge' as const, scopes, rungs: [{ microcents, tokens: 0 }], facts, ...more })
const recordOf = (scopes: readonly ScopeTerms[], id: string, microcents: number, more: object = {}) => ({ id, fingerprint: id, idGiven: true, scopes, amounts: { microcents, tokens: 0 }, facts, ...more })
const counted = (store: Store, scopes: readonly ScopeTerms[]) => (store.read(scopes) as Reading).readings.slice(2, 4)
const rows = (database: SqliteDatabase, table: string) => (database.prepare(`SELECT count(*) AS rows FROM ${table}`).get() as { rows: number }).rows

describe('two connections to one file', () => {
  const ann = [userOf('ann', windowOf(100), windowOf(100, { rollingMs: HOUR }))]

  it('see at once what the other has done', async () => {
    const path = files.path()
    const clock = manualClock()
    const [here, there] = [files.closedLater(sqliteStore({ path, clock })), files.closedLater(sqliteStore({ path, clock }))]
    await here.reserve(reserveOf(ann, 'a', 60))
    expect(await there.reserve(reserveOf(ann, 'b', 60))).toMatchObject({ outcome: 'refused' })
    expect(await there.settle({ id: 'a', microcents: 30 })).toMatchObject({ outcome: 'settled', replayed: false })
    expect(await here.settle({ id: 'a', microcents: 30 })).toMatchObject({ outcome: 'settled', replayed: true })
    expect(await here.settle({ id: 'a', microcents: 31 })).toMatchObject({ outcome: 'already-ended' })
    expect(counted(here, ann)).toEqual([30, 0])
    await here.reserve(reserveOf(ann, 'c', 10))
    await there.extend({ id: 'c', ttlMs: HOUR })
    clock.advance(30 * MINUTE)
    expect(await here.extend({ id: 'c', ttlMs: SECOND })).toMatchObject({ outcome: 'extended', dueAt: clock() + 30 * MINUTE })
    const before = await there.directory.get({ userId: 'ann' })
    await here.directory.change({ userId: 'ann' }, { tier: 'pro', overrides: { 'daily/usd': { limit: 5, until: null } } })
    expect([before, await there.directory.get({ userId: 'ann' })]).toEqual([undefined, { tier: 'pro', overrides: { 'daily/usd': { limit: 5, until: null } } }])
    expect(await there.directory.get({ userId: 'ann' }), 'the same entry is the same object').toBe(await there.directory.get({ userId: 'ann' }))
  })

  it('have one store time that does not go back', async () => {
    const path = files.path()
    const [early, late] = [manualClock('2026-01-15T12:00:00Z'), manualClock('2026-01-15T13:00:00Z')]
    const here = files.closedLater(sqliteStore({ path, clock: late }))
    const there = files.closedLater(sqliteStore({ path, clock: early }))
    await here.reserve(reserveOf(ann, 'a', 10))
    expect(await there.reserve(reserveOf(ann, 'b', 10))).toMatchObject({ now: late(), dueAt: late() + 10 * MINUTE })
    early.set(late() + 10 * MINUTE)
    expect(there.read(ann)).toMatchObject({ effects: [{ kind: 'hold-expired', id: 'a' }, { kind: 'hold-expired', id: 'b' }] })
    expect(here.read(ann)).toMatchObject({ effects: [], now: early() })
  })

  it('stream a ledger as it was when reading began', async () => {
    const path = files.path()
    const [here, there] = [files.closedLater(sqliteStore({ path })), files.closedLater(sqliteStore({ path }))]
    for (let count = 0; count < 1_100; count += 1) await here.record(recordOf(ann, `r${count}`, 1))
    const seen: string[] = []
    for await (const { decisionId } of here.ledger.entries()) {
      if (seen.length % 100 === 0) await there.record(recordOf(ann, `later ${seen.length}`, 1))
      seen.push(decisionId)
    }
    expect(seen).toEqual(Array.from({ length: 1_100 }, (_, index) => `r${index}`))
    expect(await allOf(here.ledger.entries())).toHaveLength(1_111)
  })
})

describe('integers', () => {
  it('are exact up to 2^53 − 1, everywhere', async () => {
    const path = files.path()
    const total = [userOf('ann', windowOf(MAX_AMOUNT, { period: 'total', alerts: [100] }))]
    const clock = manualClock()
    const store = sqliteStore({ path, clock })
    await store.reserve(reserveOf(total, 'a', MAX_AMOUNT - 1))
    expect(counted(store, total)).toEqual([0, MAX_AMOUNT - 1])
    await store.close()
    const again = files.closedLater(sqliteStore({ path, clock }))
    expect(counted(again, total)).toEqual([0, MAX_AMOUNT - 1])
    expect(await again.reserve(reserveOf(total, 'b', 2))).toMatchObject({ outcome: 'refused' })
    await again.settle({ id: 'a', microcents: MAX_AMOUNT, tokens: MAX_AMOUNT })
    expect(counted(again, total)).toEqual([MAX_AMOUNT, 0])
    await again.record(recordOf(total, 'c', MAX_AMOUNT))
    expect(counted(again, total), 'a counter stays at the largest').toEqual([MAX_AMOUNT, 0])
    const entries = await allOf<LedgerEntry>(again.ledger.entries())
    expect(entries.map(({ microcents, tokens, estimatedMicrocents }) => [microcents, tokens, estimatedMicrocents])).toEqual([
      [MAX_AMOUNT, MAX_AMOUNT, MAX_AMOUNT - 1],
      [MAX_AMOUNT, 0, 0],
    ])
    expect(await again.refund({ id: 'r', fingerprint: 'r', user: { userId: 'ann' }, microcents: MAX_AMOUNT, of: 'a' })).toMatchObject({ appliedMicrocents: MAX_AMOUNT, unappliedMicrocents: 0 })
    expect((await again.ledger.totals()).microcents).toBe(MAX_AMOUNT)
  })
})

describe('what is forgotten', () => {
  const ann = [userOf('ann', windowOf(null, { period: 'total' }))]

  it('leaves the file, a few rows with each operation, and nothing that is still remembered does', async () => {
    const path = files.path()
    const clock = manualClock()
    const store = files.closedLater(sqliteStore({ path, clock }))
    const database = files.closedLater(openDatabase(path))
    for (let count = 0; count < 300; count += 1) {
      await store.reserve(reserveOf(ann, `generated ${count}`, 1, { idGiven: false }))
      await store.settle({ id: `generated ${count}`, microcents: 1 })
    }
    await store.record(recordOf(ann, 'given', 1))
    await store.reserve(reserveOf(ann, 'open', 1, { idGiven: false, ttlMs: 10 * DAY }))
    await store.release({ id: 'never was', tombstone: true })
    await store.refund({ id: 'refund', fingerprint: 'refund', user: { userId: 'ann' }, microcents: 1 })
    expect(rows(database, 'hold')).toBe(304)
    clock.advance(MINUTE + SECOND)
    store.read(ann)
    expect(rows(database, 'hold')).toBeGreaterThan(200)
    for (let count = 0; count < 10; count += 1) store.read(ann)
    expect(rows(database, 'hold')).toBe(4)
    clock.advance(DAY)
    for (let count = 0; count < 10; count += 1) {
      store.read(ann)
      clock.advance(SECOND)
    }
    expect((database.prepare('SELECT id FROM hold').all() as { id: string }[]).map(({ id }) => id)).toEqual(['open'])
    expect(rows(database, 'entry')).toBe(302)
  })

  it('can still be refunded, by name and newest first, as long as there is a ledger', async () => {
    const clock = manualClock()
    const path = files.path()
    const store = files.closedLater(sqliteStore({ path, clock }))
    const both = [...ann, teamOf('search', windowOf(null, { period: 'total' }))]
    for (let count = 0; count < 200; count += 1) await store.record(recordOf(both, `r${count}`, 10))
    const bob = { ...facts, user: { userId: 'bob' } }
    await store.record(recordOf([userOf('bob', windowOf(null))], 'of bob', 10, { facts: bob }))
    // Enough that some of ann's endings are in the index by now, and the newest are not.
    for (let count = 0; count < 4_000; count += 1) await store.record(recordOf([userOf('bob', windowOf(null))], `of bob ${count}`, 1, { facts: bob }))
    for (let count = 200; count < 210; count += 1) await store.record(recordOf(both, `r${count}`, 10))
    expect((files.closedLater(openDatabase(path)).prepare("SELECT count(*) AS indexed FROM ending WHERE user_id = 'ann'").get() as { indexed: number }).indexed).toBe(200)
    clock.advance(30 * DAY)
    const refund = (id: string, microcents: number, more: object = {}) => store.refund({ id, fingerprint: id, user: { userId: 'ann' }, microcents, reason: 'sorry', ...more })
    expect(await refund('by name', 25, { of: 'r7' })).toMatchObject({ appliedMicrocents: 10, unappliedMicrocents: 15 })
    expect(await refund('by name of another', 1, { of: 'of bob' })).toEqual({ outcome: 'unknown-hold' })
    expect(await refund('newest first', 15)).toMatchObject({ appliedMicrocents: 15 })
    clock.advance(30 * DAY)
    expect(await refund('all the rest', 5_000)).toMatchObject({ appliedMicrocents: 2_075, unappliedMicrocents: 2_925 })
    expect(counted(store, ann)).toEqual([0, 0])
    expect(counted(store, both.slice(1))).toEqual([0, 0])
    const corrections = (await allOf<LedgerEntry>(store.ledger.entries())).filter(({ kind }) => kind === 'corrected')
    expect(corrections.slice(0, 3).map(({ id, microcents, reason }) => [id, microcents, reason])).toEqual([
      ['r7:corrected:1', -10, 'sorry'],
      ['r209:corrected:1', -10, 'sorry'],
      ['r208:corrected:1', -5, 'sorry'],
    ])
    expect(corrections.filter(({ decisionId }) => decisionId === 'r208').map(({ id }) => id)).toEqual(['r208:corrected:1', 'r208:corrected:2'])
  })
})

describe('great numbers', () => {
  it('of users are listed once each, with the tier last seen', async () => {
    const store = files.closedLater(sqliteStore({ path: files.path() }))
    for (let number = 0; number < 1_203; number += 1) {
      const user = number % 3 === 0 ? { userId: `u${number}`, tenant: 'a/b' } : { userId: `u${number}` }
      const scope = { kind: 'user', id: user.userId, ...(user.tenant !== undefined && { tenant: user.tenant }) }
      const key = user.tenant === undefined ? `user//${user.userId}` : `user/a%2Fb/${user.userId}`
      await store.record(recordOf([{ scope, key, windows: [windowOf(5)] }, teamOf(`team ${number % 7}`, windowOf(5))], `r${number}`, 1, { facts: { ...facts, user, tier: number % 2 === 0 ? 'free' : 'pro' } }))
    }
    await store.directory.change({ userId: 'u1' }, { tier: 'enterprise' })
    await store.directory.change({ userId: 'u2' }, { overrides: { 'daily/usd': { limit: 5, until: null } } })
    await store.directory.change({ userId: 'new' }, { tier: 'free' })
    const users = await allOf(store.users())
    expect(users).toHaveLength(1_204)
    expect(new Set(users.map(({ user }) => `${user.tenant} ${user.userId}`)).size).toBe(1_204)
    const tierOf = (userId: string, tenant?: string) => users.find(({ user }) => user.userId === userId && user.tenant === tenant)?.tier
    expect([tierOf('u1'), tierOf('u2'), tierOf('new'), tierOf('u3', 'a/b'), tierOf('u6', 'a/b')]).toEqual(['enterprise', 'free', 'free', 'pro', 'free'])
  })

  it('of entries and of models are summed as in memory', async () => {
    const clock = manualClock()
    const path = files.path()
    const stores = [sqliteStore({ path, clock }), memoryStore({ clock, ledgerCapacity: 10_000 })]
    const ann = [userOf('ann', windowOf(null))]
    for (let number = 0; number < 4_600; number += 1) {
      const more = { facts: { user: { userId: 'ann' }, tier: number % 5 === 0 ? undefined : `tier ${number % 3}`, model: `model ${number % 1_250}`, provider: number % 2 === 0 ? 'one' : undefined } }
      for (const store of stores) {
        await store.record(recordOf(ann, `r${number}`, number, more))
        if (number % 100 === 0) await store.refund({ id: `refund ${number}`, fingerprint: 'f', user: { userId: 'ann' }, microcents: 3 })
        if (number % 250 === 0) await store.ledger.append({ id: `d${number}`, kind: 'denied', at: clock(), decisionId: `d${number}`, userId: 'ann', microcents: 0, tokens: 0, charged: [] })
      }
    }
    const [inFile, inMemory] = await Promise.all(stores.map((store) => store.ledger.totals()))
    expect(inFile).toEqual(inMemory)
    expect(inFile?.byModel.has('(others)')).toBe(true)
    await stores[0]?.close()
    const again = files.closedLater(sqliteStore({ path, clock }))
    expect(await again.ledger.totals()).toEqual(inMemory)
  })
})
