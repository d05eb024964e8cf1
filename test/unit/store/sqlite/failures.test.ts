// What a store says when its file fails it: a typed error with a remedy, and nothing half-changed.

import { closeSync, openSync, statSync, writeSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { ClosedError, StoreUnavailableError } from '../../../../src/errors/index.js'
import type { Reading, Store } from '../../../../src/store/index.js'
import { openDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteLedger, sqliteStore } from '../../../../src/store/sqlite/index.js'
import { userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const scopes = [userOf('ann', windowOf(1_000))]
const request = (id: string, microcents = 10) => ({ id, fingerprint: id, idGiven: true, ttlMs: 60_000, onExpiry: 'charge' as const, scopes, rungs: [{ microcents, tokens: 0 }], facts: { user: { userId: 'ann' }, tier: 'free' } })
const counted = (store: Store) => (store.read(scopes) as Reading).readings.slice(2)

function thrownBy(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

describe('a store whose file', () => {
  it('is kept locked by another says so after its timeout, and goes on when it is free', async () => {
    const path = files.path()
    const store = files.closedLater(sqliteStore({ path, busyTimeout: 20 }))
    await store.reserve(request('a'))
    const other = files.closedLater(openDatabase(path))
    other.exec('BEGIN IMMEDIATE')
    const failure = thrownBy(() => store.reserve(request('b')))
    expect(failure).toBeInstanceOf(StoreUnavailableError)
    expect(failure).toMatchObject({ retryable: true, asked: false, cause: expect.objectContaining({ errcode: 5 }) as unknown })
    expect((failure as Error).message).toMatch(/bursar\.db: database is locked\. .*busyTimeout.* Nothing was changed\./)
    other.exec('ROLLBACK')
    expect(counted(store)).toEqual([0, 10])
    expect(await store.reserve(request('b'))).toMatchObject({ outcome: 'admitted' })
  })

  it('may not be written to says so, and keeps nothing of what it could not write', async () => {
    const database = files.closedLater(openDatabase(':memory:'))
    const store = sqliteStore({ database })
    await store.reserve(request('a'))
    database.exec('PRAGMA query_only = 1')
    for (const work of [() => store.settle({ id: 'a', microcents: 5 }), () => store.reserve(request('b')), () => store.directory.change({ userId: 'ann' }, { tier: 'pro' })]) {
      const failure = thrownBy(work)
      expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false })
      expect((failure as Error).message).toMatch(/the given database: attempt to write a readonly database\. Make the file and its folder writable/)
    }
    database.exec('PRAGMA query_only = 0')
    expect(counted(store)).toEqual([0, 10])
    expect(await store.settle({ id: 'a', microcents: 5 })).toMatchObject({ outcome: 'settled', replayed: false })
    expect(counted(store)).toEqual([5, 0])
    expect(await store.ledger.totals()).toMatchObject({ microcents: 5, entries: 1 })
    await store.close()
  })

  it('cannot be opened says what to do', () => {
    const failure = thrownBy(() => sqliteStore({ path: '/nowhere/at all/bursar.db' }))
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false })
    expect((failure as Error).message).toMatch(/\/nowhere\/at all\/bursar\.db: .*unable to open database file\. Create its folder/)
  })

  it('is damaged says so', async () => {
    const path = files.path()
    const store = sqliteStore({ path })
    for (let time = 0; time < 200; time += 1) await store.record({ ...request(`r${time}`), amounts: { microcents: 1, tokens: 0 } })
    await store.close()
    const { size } = statSync(path)
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.alloc(size - 4_096, 0xff), 0, size - 4_096, 4_096)
    closeSync(file)
    const failure = thrownBy(() => counted(files.closedLater(sqliteStore({ path }))))
    expect(failure).toBeInstanceOf(StoreUnavailableError)
    expect((failure as Error).message).toMatch(/damaged: restore it from a backup/)
  })

  it('was closed takes no more calls', async () => {
    const path = files.path()
    const store = sqliteStore({ path })
    await store.close()
    await store.close()
    expect(() => store.reserve(request('a'))).toThrow(ClosedError)
    expect(() => store.directory.get({ userId: 'ann' })).toThrow(ClosedError)
    expect(() => store.ledger.totals()).toThrow(ClosedError)
    const ledger = sqliteLedger({ path: files.path() })
    ledger.close()
    ledger.close()
    expect(() => ledger.write([{ id: 'x', kind: 'denied', at: 0, decisionId: 'x', userId: 'u', microcents: 0, tokens: 0, charged: [] }])).toThrow(ClosedError)
  })

  it('was given and closed by its owner says so', () => {
    const database = openDatabase(':memory:')
    const store = sqliteStore({ database })
    database.close()
    expect(thrownBy(() => store.reserve(request('a')))).toBeInstanceOf(StoreUnavailableError)
  })
})

describe('an operation that fails', () => {
  it('half-way leaves nothing behind, on disk or in memory, and tells later what was brought about', async () => {
    const path = files.path()
    let time = Date.UTC(2026, 0, 15)
    const clock = () => time
    const store = files.closedLater(sqliteStore({ path, clock }))
    await store.reserve({ ...request('due', 30), ttlMs: 1_000 })
    await store.reserve(request('open', 20))
    const other = files.closedLater(openDatabase(path))
    other.exec("CREATE TRIGGER stop BEFORE INSERT ON entry WHEN NEW.kind = 'settled' BEGIN SELECT RAISE(ABORT, 'stopped'); END")
    time += 2_000
    expect(thrownBy(() => store.settle({ id: 'open', microcents: 15 }))).toBeInstanceOf(StoreUnavailableError)
    other.exec('DROP TRIGGER stop')
    const reply = store.read(scopes) as Reading
    expect(reply.readings.slice(2)).toEqual([30, 20])
    expect(reply.effects).toMatchObject([{ kind: 'hold-expired', id: 'due' }])
    expect((store.read(scopes) as Reading).effects).toEqual([])
    expect(await store.settle({ id: 'open', microcents: 15 })).toMatchObject({ outcome: 'settled', replayed: false })
    expect(counted(store)).toEqual([45, 0])
  })

  it('for the clock passes the error on', () => {
    let now = Date.UTC(2026, 0, 15)
    const store = files.closedLater(sqliteStore({ path: files.path(), clock: () => now }))
    now = Number.NaN
    expect(() => store.reserve(request('a'))).toThrow('clock: NaN is not an instant')
    now = Date.UTC(2026, 0, 15)
    expect(counted(store)).toEqual([0, 0])
  })
})
