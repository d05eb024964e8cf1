// What a request named and could have run on, in SQLite files: in every entry that its hold leaves, for other connections and later
// processes, and in files from before it was written. And spend that is moved from nobody to a client.

import { afterEach, describe, expect, it } from 'vitest'
import { audit } from '../../../../src/audit/index.js'
import { StoreUnavailableError } from '../../../../src/errors/index.js'
import { ALL_ENTRIES, ASSIGNED, parseFilter, type LedgerEntry } from '../../../../src/ledger/index.js'
import type { Store } from '../../../../src/store/index.js'
import { Connection } from '../../../../src/store/sqlite/connection.js'
import { openDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteLedger, sqliteStore } from '../../../../src/store/sqlite/index.js'
import { LEDGER_FILE, migrate, STORE_FILE, type FileKind } from '../../../../src/store/sqlite/migrations.js'
import { DAY, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock } from '../../../../src/testing/index.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { allOf } from '../../setting.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const ann = [userOf('ann', windowOf(1_000))]
const user = { userId: 'ann' }
const scopes = { team: 'search', 'api"key': 'k.1' }
const facts = { user, tier: 'free', model: 'large', cheaperModels: ['small'], provider: 'openai', scopes }
const RUNGS = [{ model: 'large', microcents: 2_000, tokens: 30 }, { model: 'small', microcents: 10, tokens: 20 }]
const reserveOf = (id: string, ttlMs = MINUTE) => ({
  id, fingerprint: id, idGiven: true, ttlMs, onExpiry: 'charge' as const, scopes: ann, rungs: RUNGS.map(({ microcents, tokens }) => ({ microcents, tokens })), degrade: true, facts,
}) // prettier-ignore
const refundOf = (id: string, of: string) => ({ id, fingerprint: id, user, microcents: 1, of })

async function listed(store: Pick<Store, 'ledger'>): Promise<unknown[]> {
  return (await allOf<LedgerEntry>(store.ledger.entries())).map(({ kind, estimatedMicrocents, estimatedTokens, rungs, ...entry }) => [kind, entry.scopes, estimatedMicrocents, estimatedTokens, rungs])
}

describe('what a request named and could have run on', () => {
  it('stands in every entry of its hold, also of those that another process ends or refunds, and long after', async () => {
    const path = files.path()
    const clock = manualClock()
    const here = sqliteStore({ path, clock })
    const there = files.closedLater(sqliteStore({ path, clock }))
    await here.reserve(reserveOf('late', SECOND))
    clock.advance(SECOND)
    await here.reserve(reserveOf('a'))
    await here.reserve(reserveOf('b'))
    await there.settle({ id: 'a', microcents: 4 })
    await here.release({ id: 'b' })
    await there.settle({ id: 'late', microcents: 4 })
    await here.refund(refundOf('r1', 'a'))
    await here.close()
    clock.advance(3 * DAY)
    await there.refund(refundOf('r2', 'a'))
    await there.refund(refundOf('r3', 'late'))
    const expected = ['expired', 'settled', 'released', 'corrected', 'corrected', 'corrected', 'corrected'].map((kind) => [kind, scopes, 10, 20, RUNGS])
    expect(await listed(there)).toEqual(expected)
    expect(await listed(files.closedLater(sqliteStore({ path, clock })))).toEqual(expected)
  })

  it('are no rungs where one model alone was open, and no scopes where none were named', async () => {
    const store = files.closedLater(sqliteStore({ path: files.path() }))
    await store.reserve({ ...reserveOf('a'), rungs: [{ microcents: 3, tokens: 2 }], facts: { user, tier: 'free' } })
    await store.settle({ id: 'a', microcents: 4 })
    await store.record({ id: 'r', fingerprint: 'r', idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 5 }, facts })
    expect(await listed(store)).toEqual([['settled', undefined, 3, 2, undefined], ['recorded', scopes, 0, 0, undefined]])
  })
})

describe('entries that are appended', () => {
  const pair = (at: number): readonly [LedgerEntry, LedgerEntry] => {
    const moved = { kind: 'corrected' as const, at, decisionId: 'a', userId: 'ann', provider: 'openai', charged: [], reason: ASSIGNED }
    return [
      { ...moved, id: 'a:settled:assigned:from', microcents: -4, tokens: -20, calls: -1 },
      { ...moved, id: 'a:settled:assigned:to', tenant: 'acme', microcents: 4, tokens: 20, calls: 1 },
    ]
  }

  it('are all there or none', async () => {
    const store = files.closedLater(sqliteStore({ path: files.path() }))
    const [from, to] = pair(1)
    expect(() => store.ledger.append(from, { ...to, userId: null as unknown as string })).toThrow(StoreUnavailableError)
    expect(await listed(store)).toEqual([])
    store.ledger.append()
    store.ledger.append(from, to)
    expect((await allOf<LedgerEntry>(store.ledger.entries())).map(({ calls }) => calls)).toEqual([-1, 1])
  })

  it.each([0, 5_000])('move spend to a client in sums, and in no total, window or audit (after %i other entries)', async (others) => {
    const clock = manualClock()
    const store = files.closedLater(sqliteStore({ path: files.path(), clock }))
    await store.reserve(reserveOf('a'))
    await store.settle({ id: 'a', microcents: 4 })
    const before = [await store.ledger.totals(), await store.totals(user), (await store.read(ann)).readings]
    store.ledger.append(...pair(clock()))
    expect([await store.ledger.totals(), await store.totals(user), (await store.read(ann)).readings]).toEqual(before)
    for (let other = 0; other < others; other += 1) store.ledger.append({ id: `d${other}`, kind: 'denied', at: clock(), decisionId: 'd', userId: 'bob', microcents: 0, tokens: 0, charged: [] })
    await store.reserve(reserveOf('b'))
    await store.settle({ id: 'b', microcents: 6 })
    expect(await store.ledger.totals()).toMatchObject({ microcents: 10, tokens: 40, entries: 2 })
    expect((await audit(store, {}, () => crypto.randomUUID())).differences).toEqual([])
    const sums = await store.ledger.sums?.(parseFilter({ where: { userId: 'ann' } }), ['tenant'], [])
    expect(sums?.map(({ texts, entries, calls, microcents, tokens }) => [...texts, entries, calls, microcents, tokens])).toEqual([[undefined, 3, 1, 6n, 20n], ['acme', 1, 1, 4n, 20n]])
  })
})

/** A file as an earlier version made it, with what that wrote: of a later one, the columns that it knew. */
function earlier(of: string, kind: FileKind, versions: number): string {
  const path = files.path('earlier.db')
  new Connection('The test', { path, busyTimeout: 100, durability: 'process' }, (connection) => migrate(connection, { ...kind, migrations: kind.migrations.slice(0, versions) })).close()
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

describe('a file from before that was written', () => {
  it('of a store keeps its entries without it, and has it of what its open holds become', async () => {
    const clock = manualClock()
    const path = files.path()
    const before = sqliteStore({ path, clock })
    for (const id of ['a', 'open']) await before.reserve(reserveOf(id, DAY))
    await before.settle({ id: 'a', microcents: 4 })
    await before.close()

    const store = files.closedLater(sqliteStore({ path: earlier(path, STORE_FILE, 3), clock }))
    await store.settle({ id: 'open', microcents: 6 })
    expect(await listed(store)).toEqual([['settled', undefined, 10, undefined, undefined], ['settled', scopes, 10, 20, RUNGS]])
    expect((await store.ledger.sums?.(ALL_ENTRIES, ['scopes.team'], []))?.map(({ texts, calls }) => [...texts, calls])).toEqual(expect.arrayContaining([[undefined, 1], ['search', 1]]))
    clock.advance(3 * DAY)
    await store.refund(refundOf('r', 'a'))
    expect((await listed(store)).at(-1)).toEqual(['corrected', undefined, 10, 0, undefined])
    expect((await audit(store, {}, () => crypto.randomUUID())).differences).toEqual([])
  })

  it.each([1, 2])('of a ledger (version %i) reads back, takes more, and still keeps each entry once', async (version) => {
    const path = files.path()
    const first: LedgerEntry = { id: 'a:settled', kind: 'settled', at: 1, decisionId: 'a', userId: 'ann', microcents: 5, tokens: 0, charged: [] }
    const second: LedgerEntry = { ...first, id: 'b:settled', at: 2, scopes, estimatedTokens: 3, rungs: RUNGS }
    const before = sqliteLedger({ path })
    before.write([first])
    before.close()
    const ledger = files.closedLater(sqliteLedger({ path: earlier(path, LEDGER_FILE, version) }))
    ledger.write([first, second])
    expect((await allOf<LedgerEntry>(ledger.entries())).map((entry) => JSON.parse(JSON.stringify(entry)) as unknown)).toEqual([first, second])
    expect(ledger.page(parseFilter({ where: { 'scopes.api"key': 'k.1' } }), 5).entries).toMatchObject([{ id: 'b:settled' }])
  })
})
