// What sqliteStore and sqliteLedger take, and what they say of everything else.

import { afterEach, describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../../src/errors/index.js'
import { Connection } from '../../../../src/store/sqlite/connection.js'
import { connectionOptions } from '../../../../src/store/sqlite/options.js'
import { sqliteLedger, sqliteStore, type SqliteStoreOptions } from '../../../../src/store/sqlite/index.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

describe('options', () => {
  it.each([
    [undefined, 'sqliteStore: undefined are no options'],
    [{}, 'sqliteStore.path: is missing'],
    [{ path: '' }, 'sqliteStore.path: "" is no path'],
    [{ path: 7 }, 'sqliteStore.path: 7 is no path'],
    [{ path: ':memory:', database: {} }, 'sqliteStore.path: and database are both given'],
    [{ database: {} }, 'sqliteStore.database: is no open database'],
    [{ database: null }, 'sqliteStore.database: is no open database'],
    [{ path: ':memory:', busyTimeout: -1 }, 'sqliteStore.busyTimeout: -1 is no number of milliseconds'],
    [{ path: ':memory:', busyTimeout: Number.NaN }, 'sqliteStore.busyTimeout: NaN is no number of milliseconds'],
    [{ path: ':memory:', durability: 'full' }, 'sqliteStore.durability: "full" is neither'],
    [{ path: ':memory:', clock: 5 }, 'sqliteStore.clock: 5 is no function'],
    [{ path: ':memory:', pathname: 'x' }, 'sqliteStore.pathname: is no known option. Use path, database, busyTimeout, durability, clock.'],
  ])('%j are refused by name', (options, message) => {
    expect(() => sqliteStore(options as SqliteStoreOptions)).toThrow(InvalidConfigError)
    expect(() => sqliteStore(options as SqliteStoreOptions)).toThrow(message)
  })

  it('of a ledger have no clock', () => {
    expect(() => sqliteLedger({ path: ':memory:', clock: () => 0 } as { path: string })).toThrow('sqliteLedger.clock: is no known option. Use path, database, busyTimeout, durability.')
  })

  it('wait a second for another process, where nothing else is said: all of the process waits with it', () => {
    expect(connectionOptions('sqliteStore', { path: ':memory:' })).toMatchObject({ busyTimeout: 1_000, durability: 'process' })
  })

  it('choose what a commit survives', () => {
    const synchronous = (durability: 'process' | 'power'): unknown => {
      const connection = files.closedLater(new Connection('The test', { path: files.path(), busyTimeout: 100, durability }, () => {}))
      return [connection.prepare('PRAGMA journal_mode').get(), connection.prepare('PRAGMA synchronous').get()]
    }
    expect(synchronous('process')).toEqual([{ journal_mode: 'wal' }, { synchronous: 1 }])
    expect(synchronous('power')).toEqual([{ journal_mode: 'wal' }, { synchronous: 2 }])
  })
})
