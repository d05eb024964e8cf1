// Restarts, shared facts and billing in a SQLite file: what another connection sees, what a failure leaves, what takes no room for
// ever, and files from before there were any.

import { afterEach, describe, expect, it } from 'vitest'
import type { Billing } from '../../../../src/budget/index.js'
import type { LedgerEntry } from '../../../../src/ledger/index.js'
import type { Reading, Registry, Store } from '../../../../src/store/index.js'
import { Connection } from '../../../../src/store/sqlite/connection.js'
import { openDatabase, type SqliteDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteStore } from '../../../../src/store/sqlite/index.js'
import { migrate, STORE_FILE } from '../../../../src/store/sqlite/migrations.js'
import { manualClock } from '../../../../src/testing/index.js'
import { DAY, HOUR, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { allOf } from '../../setting.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const ann = userOf('ann', windowOf(100), windowOf(100, { rollingMs: HOUR }))
const facts = { user: { userId: 'ann' }, tier: 'free' }
const reserveOf = (id: string, microcents: number) => ({ id, fingerprint: id, idGiven: true, ttlMs: DAY, onExpiry: 'charge' as const, scopes: [ann], rungs: [{ microcents, tokens: 0 }], facts })
const billingOf = (fence: number): Billing => ({ standing: 'active', customers: ['cus_1'], changedAt: 1, reason: `look ${fence}`, fence })
const counted = (store: Store) => (store.read([ann]) as Reading).readings.slice(2, 4)
const put = (registry: Registry, key: string, value: string | null, expected = 0, ttlMs?: number) => registry.put('event', key, value, { expected, ttlMs })

async function spend(store: Store, id: string, microcents: number): Promise<void> {
  await store.reserve(reserveOf(id, microcents))
  await store.settle({ id, microcents })
}

describe('a file of the first version', () => {
  const FIRST = { ...STORE_FILE, migrations: STORE_FILE.migrations.slice(0, 1) }

  /** A file with the tables of the first version, and with the rows of another that these have room for. */
  function earlier(of: string): string {
    const path = files.path('earlier.db')
    new Connection('The test', { path, busyTimeout: 100, durability: 'process' }, (connection) => migrate(connection, FIRST)).close()
    const database = openDatabase(path)
    database.exec(`ATTACH '${of}' AS later`)
    const names = (sql: string): string[] => (database.prepare(sql).all() as { name: string }[]).map(({ name }) => name)
    for (const table of names("SELECT name FROM main.sqlite_schema WHERE type = 'table'")) {
      const columns = names(`SELECT name FROM pragma_table_info('${table}', 'main')`).join(', ')
      database.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM later.${table}`)
    }
    database.close()
    return path
  }

  it('is brought up to date, keeps all that it had, and takes what is new', async () => {
    const clock = manualClock()
    const path = files.path()
    const before = sqliteStore({ path, clock })
    await spend(before, 'spent', 30)
    await before.reserve(reserveOf('open', 20))
    await before.directory.change({ userId: 'bob' }, { tier: 'pro', overrides: { 'daily/usd': { limit: 5, until: null } } })
    // What was held of tokens was not written then.
    const entries = (await allOf<LedgerEntry>(before.ledger.entries())).map((entry) => ({ ...entry, estimatedTokens: undefined }))
    const expected = [counted(before), await before.directory.get({ userId: 'bob' }), entries, await allOf(before.users())]
    await before.close()

    const old = earlier(path)
    const store = files.closedLater(sqliteStore({ path: old, clock }))
    expect(openedVersion(old)).toBe(STORE_FILE.migrations.length)
    expect([counted(store), await store.directory.get({ userId: 'bob' }), await allOf(store.ledger.entries()), await allOf(store.users())]).toEqual(expected)
    const version = await put(store.registry, 'evt_1', 'seen')
    expect(version).toBeGreaterThanOrEqual(clock())
    expect(await store.registry.get('event', 'evt_1')).toEqual({ value: 'seen', version })
    await store.directory.change({ userId: 'bob' }, { billing: billingOf(1) })
    expect(await store.directory.get({ userId: 'bob' })).toMatchObject({ tier: 'pro', billing: billingOf(1) })
    clock.advance(MINUTE)
    await store.restart({ ...ann, since: clock() })
    await store.settle({ id: 'open', microcents: 20 })
    expect(counted(store)).toEqual([0, 0])
  })
})

describe('two connections to one file', () => {
  function both(clock = manualClock()) {
    const path = files.path()
    return { clock, path, here: files.closedLater(sqliteStore({ path, clock })), there: files.closedLater(sqliteStore({ path, clock })) }
  }

  it('see each other’s restarts at once', async () => {
    const { clock, here, there } = both()
    await spend(here, 'a', 60)
    await there.reserve(reserveOf('b', 40))
    clock.advance(MINUTE)
    const since = clock()
    expect(await here.restart({ ...ann, since })).toMatchObject({ effects: [{ kind: 'window-reset', startsAt: since }] })
    expect(counted(there)).toEqual([0, 0])
    await there.settle({ id: 'b', microcents: 40 })
    clock.advance(MINUTE)
    expect(await there.restart({ ...ann, since })).toMatchObject({ effects: [] })
    expect([counted(here), counted(there)]).toEqual([[0, 0], [0, 0]])
  })

  it('share facts, and one of them gets what both want', async () => {
    const { here, there } = both()
    const version = await put(here.registry, 'evt_1', 'here')
    expect(await put(there.registry, 'evt_1', 'there')).toBeUndefined()
    expect(await there.registry.get('event', 'evt_1')).toEqual({ value: 'here', version })
    const next = await put(there.registry, 'evt_1', 'there', version)
    expect(await put(here.registry, 'evt_1', 'here', version)).toBeUndefined()
    expect(next).toBeGreaterThan(version as number)
    expect(await put(here.registry, 'evt_2', 'here')).toBeGreaterThan(next as number)
  })

  it('have one time at which a fact is no longer there, and never one version twice', async () => {
    const path = files.path()
    const [early, late] = [manualClock('2026-01-15T12:00:00Z'), manualClock('2026-01-15T13:00:00Z')]
    const here = sqliteStore({ path, clock: late })
    const there = files.closedLater(sqliteStore({ path, clock: early }))
    const first = (await put(there.registry, 'a', 'x', 0, MINUTE)) as number
    expect(await here.registry.get('event', 'a')).toBeUndefined()
    expect(await there.registry.get('event', 'a')).toBeUndefined()
    const second = (await put(here.registry, 'a', 'y')) as number
    expect([first, second]).toEqual([early(), late()])
    await here.close()
    const again = files.closedLater(sqliteStore({ path, clock: early }))
    const third = (await put(again.registry, 'a', null, second)) as number
    expect(third).toBeGreaterThan(second)
    expect(await put(again.registry, 'a', 'z')).toBeGreaterThan(third)
  })

  it('never write a look at a provider over a later one, and know an entry that has not changed by its identity', async () => {
    const { here, there } = both()
    const user = { userId: 'ann' }
    await here.directory.change(user, { tier: 'pro', billing: billingOf(2) })
    const entry = await there.directory.get(user)
    await there.directory.change(user, { tier: 'free', billing: billingOf(1) })
    expect(await there.directory.get(user)).toBe(entry)
    expect(entry).toEqual({ tier: 'pro', billing: billingOf(2) })
    await here.directory.change(user, { billing: billingOf(3) })
    expect(await there.directory.get(user)).toEqual({ tier: 'pro', billing: billingOf(3) })
  })
})

describe('an operation that fails half-way', () => {
  it('restarts nothing and tells of nothing', async () => {
    const database = files.closedLater(openDatabase(':memory:'))
    const clock = manualClock()
    const store = sqliteStore({ database, clock })
    await spend(store, 'a', 60)
    clock.advance(MINUTE)
    database.exec("CREATE TRIGGER stop BEFORE UPDATE ON scope BEGIN SELECT RAISE(ABORT, 'stopped'); END")
    expect(() => store.restart({ ...ann, since: clock() })).toThrow(/stopped/)
    database.exec('DROP TRIGGER stop')
    expect(store.read([ann])).toMatchObject({ effects: [] })
    expect(counted(store)).toEqual([60, 0])
    expect(await store.restart({ ...ann, since: clock() })).toMatchObject({ effects: [{ kind: 'window-reset' }] })
    expect(counted(store)).toEqual([0, 0])
  })

  it('writes no fact, and gives no version away', async () => {
    const database = files.closedLater(openDatabase(':memory:'))
    const store = sqliteStore({ database, clock: manualClock() })
    const first = (await put(store.registry, 'a', 'x')) as number
    database.exec("CREATE TRIGGER stop BEFORE INSERT ON registry BEGIN SELECT RAISE(ABORT, 'stopped'); END")
    expect(() => put(store.registry, 'a', 'y', first)).toThrow(/stopped/)
    database.exec('DROP TRIGGER stop')
    expect(await store.registry.get('event', 'a')).toEqual({ value: 'x', version: first })
    expect(await put(store.registry, 'a', 'y', first)).toBe(first + 1)
  })
})

describe('a restart', () => {
  it('writes no scope that a restart leaves as it is', async () => {
    const database = files.closedLater(openDatabase(':memory:'))
    const store = sqliteStore({ database, clock: manualClock() })
    await spend(store, 'a', 60)
    database.exec("CREATE TRIGGER stop BEFORE UPDATE ON scope BEGIN SELECT RAISE(ABORT, 'stopped'); END")
    expect(await store.restart({ ...ann, since: 0 })).toMatchObject({ effects: [] })
  })
})

describe('facts whose time is over', () => {
  it('leave the file, a few rows with each that is written, and no others do', async () => {
    const clock = manualClock()
    const path = files.path()
    const store = files.closedLater(sqliteStore({ path, clock }))
    const database = files.closedLater(openDatabase(path))
    for (let each = 0; each < 100; each += 1) await put(store.registry, `short ${each}`, 'x', 0, SECOND)
    for (let each = 0; each < 5; each += 1) await put(store.registry, `long ${each}`, 'x', 0, HOUR)
    await put(store.registry, 'for good', 'x')
    clock.advance(MINUTE)
    await put(store.registry, 'new', 'x')
    expect(rows(database)).toBeGreaterThan(50)
    for (let each = 0; each < 20; each += 1) await put(store.registry, 'new', 'x', (await store.registry.get('event', 'new'))?.version)
    expect(rows(database)).toBe(7)
    clock.advance(400 * DAY)
    await put(store.registry, 'another', 'x')
    expect(rows(database)).toBe(3)
  })
})

function rows(database: SqliteDatabase): number {
  return (database.prepare('SELECT count(*) AS rows FROM registry').get() as { rows: number }).rows
}

function openedVersion(path: string): number {
  const database = openDatabase(path)
  try {
    return (database.prepare('PRAGMA user_version').get() as { user_version: number }).user_version
  } finally {
    database.close()
  }
}
