// The store contract on the SQLite store, each case on a file of its own.

import { afterEach, describe, it } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { storeContract } from '../../src/testing/index.js'
import { temporaryFiles } from '../support/sqlite/temporary-files.js'

describe('the SQLite store', () => {
  const files = temporaryFiles()
  afterEach(() => files.removeAll())
  for (const { name, run } of storeContract) it(name, () => run((clock) => files.closedLater(sqliteStore({ path: files.path(), clock }))))
})
