// What SQLite answers of a ledger is what stands in its entries: pages and sums, by any filter, fields and stretches of time.

import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/store/sqlite/driver.js'
import { sqliteLedger, sqliteStore } from '../../src/store/sqlite/index.js'
import type { EntrySource, LedgerEntry } from '../../src/ledger/index.js'
import { answersOf, entriesArbitrary, expectedOf, questionArbitrary } from '../support/ledger-questions.js'
import { assertProperty } from '../support/property.js'

interface Kept {
  readonly source: EntrySource
  readonly write: (entries: readonly LedgerEntry[]) => void
}

const ledgerFile = openDatabase(':memory:')
const storeFile = openDatabase(':memory:')
const ledger = sqliteLedger({ database: ledgerFile })
const store = sqliteStore({ database: storeFile })

const PLACES: readonly (readonly [what: string, clear: () => void, kept: Kept])[] = [
  ['a SQLite ledger', () => ledgerFile.exec('DELETE FROM entry'), { source: ledger, write: (entries) => ledger.write(entries) }],
  ['a SQLite store', () => storeFile.exec('DELETE FROM entry'), { source: store.ledger, write: (entries) => void store.ledger.append(...entries) }],
]

afterAll(async () => {
  await store.close()
  ledger.close()
  for (const file of [storeFile, ledgerFile]) file.close()
})

describe.each(PLACES)('%s', (what, clear, { source, write }) => {
  it('answers as if every entry had been looked at', async () => {
    await assertProperty(
      `${what} answers`,
      fc.asyncProperty(entriesArbitrary, fc.array(questionArbitrary, { minLength: 1, maxLength: 4 }), async (entries, questions) => {
        clear()
        write(entries)
        for (const question of questions) expect(await answersOf(source, question)).toEqual(await expectedOf(entries, question))
      }),
    )
  })
})
