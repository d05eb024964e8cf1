// What a SQLite file says after something has gone wrong: ledger, counters and the file itself, compared with each other and with
// what was acknowledged.

import { expect } from 'vitest'
import type { LedgerEntry } from '../../../src/ledger/index.js'
import type { Reading } from '../../../src/store/index.js'
import { openDatabase } from '../../../src/store/sqlite/driver.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { expectAgreement } from '../fault/agreement.js'
import { scopesOf } from './writer.js'

const HOUR_MS = 3_600_000

/** Fails unless the file is whole, no hold is open, every counter is the sum of its entries and within its limit, and nothing acknowledged is missing. Gives the spent sums. */
export async function expectWholeBooks(path: string, userIds: readonly string[], limit: number, witnessed: readonly (readonly [id: string, userId: string, microcents: number])[]): Promise<number[]> {
  const database = openDatabase(path)
  database.exec('PRAGMA busy_timeout = 5000')
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
  database.close()
  // An hour later every hold of whoever was killed has expired.
  const store = sqliteStore({ path, clock: () => Date.now() + HOUR_MS })
  try {
    const totals = userIds.map((userId) => store.read(scopesOf(userId, limit)) as Reading).map(({ readings }) => ({ spent: readings[2] as number, held: readings[3] as number }))
    const entries: LedgerEntry[] = []
    for await (const entry of store.ledger.entries()) entries.push(entry)
    // A settle that came late on a busy machine is an expiry and its correction.
    const charged = new Map<string, number>()
    for (const { decisionId, userId, microcents } of entries) charged.set(`${userId} ${decisionId}`, (charged.get(`${userId} ${decisionId}`) ?? 0) + microcents)
    expect(witnessed.filter(([id, userId, microcents]) => charged.get(`${userId} ${id}`) !== microcents)).toEqual([])
    const endings = entries.filter(({ kind }) => kind !== 'corrected')
    expect(endings, 'one ending for each hold').toHaveLength(charged.size)
    userIds.forEach((userId, index) => {
      const sum = entries.filter((entry) => entry.userId === userId).reduce((all, { microcents }) => all + microcents, 0)
      expect(totals[index], userId).toEqual({ spent: sum, held: 0 })
      expect(sum, userId).toBeLessThanOrEqual(limit)
    })
    await expectAgreement(store)
    return totals.map(({ spent }) => spent)
  } finally {
    await store.close()
  }
}
