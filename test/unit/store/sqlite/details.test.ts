// How costs were found, in SQLite files: what another connection and a later process read, what is left of it when ids are forgotten,
// and files from before there was any.

import { afterEach, describe, expect, it } from 'vitest'
import type { CostDetails, LedgerEntry } from '../../../../src/ledger/index.js'
import type { Store } from '../../../../src/store/index.js'
import { Connection } from '../../../../src/store/sqlite/connection.js'
import { openDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteLedger, sqliteStore } from '../../../../src/store/sqlite/index.js'
import { LEDGER_FILE, migrate, STORE_FILE, type FileKind } from '../../../../src/store/sqlite/migrations.js'
import { manualClock } from '../../../../src/testing/index.js'
import { DAY, MINUTE, SECOND, userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { allOf } from '../../setting.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const ann = [userOf('ann', windowOf(1_000))]
const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large', provider: 'openai' }
const reserveOf = (id: string, ttlMs = MINUTE) => ({ id, fingerprint: id, idGiven: true, ttlMs, onExpiry: 'charge' as const, scopes: ann, rungs: [{ microcents: 10, tokens: 0 }], facts })
const DETAILS: CostDetails = { priceVersion: '2026-01-15', estimated: true, usage: { inputTokens: 3 }, labels: { 'a"b': 2 } }

async function listed(store: Pick<Store, 'ledger'>): Promise<unknown[]> {
  return (await allOf<LedgerEntry>(store.ledger.entries())).map(({ kind, microcents, provider, details }) => [kind, microcents, provider, details])
}

describe('how a cost was found', () => {
  it('is read by another connection at once, and by the process after this one', async () => {
    const path = files.path()
    const clock = manualClock()
    const here = sqliteStore({ path, clock })
    const there = files.closedLater(sqliteStore({ path, clock }))
    await here.reserve(reserveOf('late', SECOND))
    clock.advance(SECOND)
    await there.reserve(reserveOf('a'))
    await here.settle({ id: 'a', microcents: 4, provider: 'azure', details: DETAILS })
    await here.settle({ id: 'late', microcents: 12, provider: 'azure', details: DETAILS })
    await here.record({ id: 'r', fingerprint: 'r', idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 0 }, facts, details: DETAILS })
    const expected = [['expired', 10, 'openai', undefined], ['settled', 4, 'azure', DETAILS], ['corrected', 2, 'azure', DETAILS], ['recorded', 1, 'openai', DETAILS]]
    expect(await listed(there)).toEqual(expected)
    await here.close()
    expect(await listed(files.closedLater(sqliteStore({ path, clock })))).toEqual(expected)
  })

  it('of what is refunded stays with the entry, the provider with the charge: also when its id is forgotten', async () => {
    const path = files.path()
    const clock = manualClock()
    const store = files.closedLater(sqliteStore({ path, clock }))
    const other = files.closedLater(sqliteStore({ path, clock }))
    await store.reserve(reserveOf('a'))
    await store.reserve(reserveOf('late', SECOND))
    await store.settle({ id: 'a', microcents: 4, provider: 'azure', details: DETAILS })
    clock.advance(SECOND)
    await store.settle({ id: 'late', microcents: 12, provider: 'azure', details: DETAILS })
    const refund = (id: string, of: string) => other.refund({ id, fingerprint: id, user: facts.user, microcents: 1, of })
    await refund('r1', 'a')
    await refund('r2', 'late')
    clock.advance(3 * DAY)
    await refund('r3', 'a')
    await refund('r4', 'late')
    expect((await listed(store)).slice(3)).toEqual(Array.from({ length: 4 }, () => ['corrected', -1, 'azure', undefined]))
    expect((await other.ledger.totals()).byProvider.get('azure')?.microcents).toBe(2)
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
  // An ending named no provider then.
  if (kind === STORE_FILE) database.exec("UPDATE hold SET ending = json_remove(ending, '$[7]') WHERE state IN ('settled', 'expired')")
  database.close()
  return path
}

describe('a file from before there were details', () => {
  it.each([1, 2])('of a store (version %i) keeps its entries under their providers, and takes details from then on', async (version) => {
    const clock = manualClock()
    const path = files.path()
    const before = sqliteStore({ path, clock })
    for (const id of ['a', 'b', 'open']) await before.reserve(reserveOf(id, DAY))
    await before.settle({ id: 'a', microcents: 4 })
    await before.settle({ id: 'b', microcents: 5, model: 'small' })
    await before.refund({ id: 'r', fingerprint: 'r', user: facts.user, microcents: 1, of: 'a' })
    await before.close()

    const store = files.closedLater(sqliteStore({ path: earlier(path, STORE_FILE, version), clock }))
    await store.settle({ id: 'open', microcents: 6, provider: 'azure', details: DETAILS })
    await store.refund({ id: 'r2', fingerprint: 'r2', user: facts.user, microcents: 1, of: 'a' })
    await store.refund({ id: 'r3', fingerprint: 'r3', user: facts.user, microcents: 1, of: 'b' })
    expect(await listed(store)).toEqual([
      ['settled', 4, 'openai', undefined], ['settled', 5, 'openai', undefined], ['corrected', -1, 'openai', undefined],
      ['settled', 6, 'azure', DETAILS], ['corrected', -1, 'openai', undefined], ['corrected', -1, 'openai', undefined],
    ]) // prettier-ignore
    expect(await store.settle({ id: 'a', microcents: 4 })).toMatchObject({ replayed: true })
  })

  it('of a ledger does the same, and still keeps each entry once', async () => {
    const path = files.path()
    const first: LedgerEntry = { id: 'a:settled', kind: 'settled', at: 1, decisionId: 'a', userId: 'ann', microcents: 5, tokens: 0, charged: [] }
    const second: LedgerEntry = { ...first, id: 'b:settled', decisionId: 'b', details: DETAILS }
    const before = sqliteLedger({ path })
    before.write([first])
    before.close()
    const ledger = files.closedLater(sqliteLedger({ path: earlier(path, LEDGER_FILE, 1) }))
    ledger.write([first, second, { ...second, details: { estimated: true } }])
    expect((await allOf<LedgerEntry>(ledger.entries())).map((entry) => JSON.parse(JSON.stringify(entry)) as unknown)).toEqual([first, second])
  })
})
