// Which files a store takes, what it makes of older ones, and which it refuses without a trace.

import { readFileSync, writeFileSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../../src/errors/index.js'
import { Connection } from '../../../../src/store/sqlite/connection.js'
import { openDatabase, type SqliteDatabase } from '../../../../src/store/sqlite/driver.js'
import { sqliteLedger, sqliteStore } from '../../../../src/store/sqlite/index.js'
import { migrate, STORE_FILE, type FileKind } from '../../../../src/store/sqlite/migrations.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const FIRST: FileKind = { what: 'a test file', applicationId: 0x74657374, migrations: ['CREATE TABLE note (text TEXT NOT NULL)'] }
const SECOND: FileKind = { ...FIRST, migrations: [...FIRST.migrations, "ALTER TABLE note ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'"] }
const BROKEN: FileKind = { ...FIRST, migrations: [...FIRST.migrations, 'ALTER TABLE note ADD COLUMN size INTEGER', 'ALTER TABLE letter ADD COLUMN size INTEGER'] }

function opened(path: string, kind: FileKind): Connection {
  return files.closedLater(new Connection('The test', { path, busyTimeout: 100, durability: 'process' }, (connection) => migrate(connection, kind)))
}

function made(path: string, ...sql: string[]): void {
  const database = openDatabase(path)
  for (const each of sql) database.exec(each)
  database.close()
}

function asked(path: string, sql: string): unknown {
  const database = openDatabase(path)
  try {
    return database.prepare(sql).get()
  } finally {
    database.close()
  }
}

describe('a file', () => {
  it('of an earlier version is brought up to date and keeps what it had', () => {
    const path = files.path()
    opened(path, FIRST).exec("INSERT INTO note VALUES ('kept')")
    const connection = opened(path, SECOND)
    expect(connection.prepare('SELECT * FROM note').get()).toEqual({ text: 'kept', colour: 'red' })
    expect(asked(path, 'PRAGMA user_version')).toEqual({ user_version: 2 })
  })

  it('of a later version is refused', () => {
    const path = files.path()
    opened(path, SECOND)
    expect(() => opened(path, FIRST)).toThrow(/was written by a later version of bursar \(schema 2; this one knows 1\)\. Update bursar\./)
    const store = files.path('store.db')
    sqliteStore({ path: store }).close()
    made(store, `PRAGMA user_version = ${STORE_FILE.migrations.length + 1}`)
    expect(() => sqliteStore({ path: store })).toThrow(InvalidConfigError)
  })

  it('that another process makes a store of in the middle of a look is the same store, and not a database of something else', () => {
    const path = files.path()
    made(path, 'PRAGMA journal_mode = WAL', 'VACUUM')
    const database = files.closedLater(openDatabase(path))
    let others = 0
    const interrupted: SqliteDatabase = {
      exec: (sql) => database.exec(sql),
      close: () => database.close(),
      prepare(sql) {
        if (sql.includes('sqlite_schema') && others === 0) {
          others += 1
          sqliteStore({ path }).close()
        }
        return database.prepare(sql)
      },
    }
    expect(() => sqliteStore({ database: interrupted })).not.toThrow()
    expect(others).toBe(1)
  })

  it('keeps its version where a migration fails half-way', () => {
    const path = files.path()
    opened(path, FIRST)
    expect(() => opened(path, BROKEN)).toThrow(/no such table/)
    expect(asked(path, 'PRAGMA user_version')).toEqual({ user_version: 1 })
    expect(asked(path, "SELECT count(*) AS columns FROM pragma_table_info('note')")).toEqual({ columns: 1 })
    opened(path, SECOND)
  })

  it.each([
    ['another program', ['CREATE TABLE customer (name TEXT)']],
    ['another program that says so', ['PRAGMA application_id = 7', 'CREATE TABLE customer (name TEXT)']],
    ['another program with nothing in it yet', ['PRAGMA application_id = 7']],
    ['another program with a version', ['PRAGMA user_version = 1']],
  ])('of %s is refused and not touched', (_whose, sql) => {
    const path = files.path()
    made(path, ...sql)
    const before = readFileSync(path)
    expect(() => sqliteStore({ path })).toThrow(/is a database of something else .*Give a file of its own/)
    expect(() => sqliteLedger({ path })).toThrow(/is a database of something else/)
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('of a store is no ledger, and the other way round', () => {
    const store = files.path()
    sqliteStore({ path: store }).close()
    expect(() => sqliteLedger({ path: store })).toThrow(/not a bursar ledger/)
    const ledger = files.path()
    sqliteLedger({ path: ledger }).close()
    expect(() => sqliteStore({ path: ledger })).toThrow(/not a bursar store/)
  })

  it('that is no database is refused and not touched', () => {
    const path = files.path()
    const text = 'these are notes, not a database. '.repeat(50)
    writeFileSync(path, text)
    expect(() => sqliteStore({ path })).toThrow(/is no SQLite database .*Give the path of one/)
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  it('that is given open is not closed, keeps its pragmas, and serves one store at a time', async () => {
    const database = files.closedLater(openDatabase(':memory:'))
    database.exec('PRAGMA busy_timeout = 77')
    const store = sqliteStore({ database })
    expect(() => sqliteStore({ database })).toThrow(/serves another store already/)
    await store.directory.change({ userId: 'ann' }, { tier: 'pro' })
    await store.close()
    await store.close()
    expect(database.prepare('PRAGMA busy_timeout').get()).toEqual({ timeout: 77 })
    const again = sqliteStore({ database })
    expect(await again.directory.get({ userId: 'ann' })).toEqual({ tier: 'pro' })
    await again.close()
  })
})
