// Ledgers in files of their own: kept for a store elsewhere, and exported for other tools.

import { lstatSync, statSync, symlinkSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { InvalidConfigError, StoreUnavailableError } from '../../../../src/errors/index.js'
import type { LedgerEntry } from '../../../../src/ledger/index.js'
import { openDatabase } from '../../../../src/store/sqlite/driver.js'
import { exportToSqlite, sqliteLedger, sqliteStore } from '../../../../src/store/sqlite/index.js'
import { temporaryFiles } from '../../../support/sqlite/temporary-files.js'
import { allOf } from '../../setting.js'

const files = temporaryFiles()
afterEach(() => files.removeAll())

const AT = Date.UTC(2026, 0, 15, 12)
const plain = (id: string, at = AT): LedgerEntry => ({ id, kind: 'settled', at, decisionId: id, userId: 'ann', microcents: 5, tokens: 0, charged: [] })
const full: LedgerEntry = {
  id: 'd:corrected:1',
  kind: 'corrected',
  at: AT,
  decisionId: 'd',
  tenant: 'acme',
  userId: 'ann',
  tier: 'pro',
  sessionId: 's',
  provider: 'openai',
  requestedModel: 'large',
  model: 'small',
  microcents: -123_456_789,
  tokens: 7,
  estimatedMicrocents: Number.MAX_SAFE_INTEGER,
  estimatedTokens: 12,
  scopes: { team: 'search', apiKey: '=1+1' },
  rungs: [{ model: 'large', microcents: Number.MAX_SAFE_INTEGER, tokens: 12 }, { microcents: 3, tokens: 0 }],
  calls: -1,
  openedAt: AT - 1_000,
  charged: [{ scope: { kind: 'user', id: 'ann', tenant: 'acme' }, window: 'daily/usd', startsAt: AT }],
  reason: 'a "quoted" reason; DROP TABLE entry',
  details: { priceVersion: '2026-01-15', estimated: true, usage: { inputTokens: 3 }, labels: { '=1+1': 2, "O'Hara\0": 1 }, action: 'DEGRADE' },
  metadata: { nested: [1, { two: null }], text: '🙂 \n' },
}

async function* each(...entries: readonly (LedgerEntry | Error)[]): AsyncIterable<LedgerEntry> {
  for (const entry of entries) {
    if (entry instanceof Error) throw entry
    yield entry
  }
}

describe('sqliteLedger', () => {
  it('keeps entries as they are, in the order of writing, each once', async () => {
    const path = files.path()
    const ledger = sqliteLedger({ path })
    ledger.write([plain('b'), full])
    ledger.write([])
    ledger.write([full, plain('a'), plain('b'), plain('b', AT + 1)])
    ledger.close()
    const again = files.closedLater(sqliteLedger({ path, durability: 'power' }))
    expect((await allOf<LedgerEntry>(again.entries())).map((entry) => JSON.parse(JSON.stringify(entry)) as unknown)).toEqual([plain('b'), full, plain('a'), plain('b', AT + 1)])
  })

  it('keeps all entries of one call or none', async () => {
    const ledger = files.closedLater(sqliteLedger({ path: files.path() }))
    const broken = { ...plain('x'), userId: null as unknown as string }
    expect(() => ledger.write([plain('a'), broken])).toThrow(StoreUnavailableError)
    expect(await allOf(ledger.entries())).toEqual([])
  })
})

describe('exportToSqlite', () => {
  it('writes exact USD and ISO times beside the integers', async () => {
    const path = files.path('export.db')
    writeFileSync(path, 'what was there before')
    await exportToSqlite(path, each(full, plain('p')))
    const database = files.closedLater(openDatabase(path))
    expect(database.prepare('SELECT * FROM entry').all()).toEqual([
      {
        id: 'd:corrected:1', kind: 'corrected', time: '2026-01-15T12:00:00.000Z', decision_id: 'd', tenant: 'acme', user_id: 'ann', tier: 'pro', session_id: 's', provider: 'openai',
        requested_model: 'large', model: 'small', cost_usd: '-1.23456789', microcents: -123_456_789, tokens: 7, estimated_usd: '90071992.54740991', estimated_microcents: Number.MAX_SAFE_INTEGER,
        opened: '2026-01-15T11:59:59.000Z', charged: JSON.stringify(full.charged), reason: full.reason, metadata: JSON.stringify(full.metadata),
        price_version: '2026-01-15', estimated: 1, usage: '{"inputTokens":3}', labels: JSON.stringify(full.details?.labels),
        scopes: '{"team":"search","apiKey":"=1+1"}', estimated_tokens: 12, rungs: JSON.stringify(full.rungs), calls: -1, action: 'DEGRADE',
      },
      {
        id: 'p', kind: 'settled', time: '2026-01-15T12:00:00.000Z', decision_id: 'p', tenant: null, user_id: 'ann', tier: null, session_id: null, provider: null,
        requested_model: null, model: null, cost_usd: '0.00000005', microcents: 5, tokens: 0, estimated_usd: null, estimated_microcents: null,
        opened: null, charged: '[]', reason: null, metadata: null, price_version: null, estimated: null, usage: null, labels: null,
        scopes: null, estimated_tokens: null, rungs: null, calls: null, action: null,
      },
    ]) // prettier-ignore
    expect(readdirSync(dirname(path))).toEqual(['export.db'])
  })

  it('writes many, and an empty table of none', async () => {
    const path = files.path('export.db')
    await exportToSqlite(path, each(...Array.from({ length: 2_500 }, (_, index) => plain(`e${index}`))))
    const many = files.closedLater(openDatabase(path))
    expect(many.prepare('SELECT count(*) AS count, count(DISTINCT id) AS ids FROM entry').get()).toEqual({ count: 2_500, ids: 2_500 })
    const none = files.path('none.db')
    await exportToSqlite(none, each())
    expect(files.closedLater(openDatabase(none)).prepare('SELECT count(*) AS count FROM entry').get()).toEqual({ count: 0 })
  })

  it('leaves what was there, and nothing else, where it fails', async () => {
    const path = files.path('export.db')
    await exportToSqlite(path, each(plain('kept')))
    await expect(exportToSqlite(path, each(...Array.from({ length: 1_500 }, (_, index) => plain(`e${index}`)), new Error('the ledger is gone')))).rejects.toThrow('the ledger is gone')
    expect(readdirSync(dirname(path))).toEqual(['export.db'])
    expect(files.closedLater(openDatabase(path)).prepare('SELECT id FROM entry').all()).toEqual([{ id: 'kept' }])
    await expect(exportToSqlite('', each())).rejects.toThrow(InvalidConfigError)
    await expect(exportToSqlite('/nowhere/at all/export.db', each())).rejects.toThrow(StoreUnavailableError)
    expect(existsSync('/nowhere')).toBe(false)
  })

  it('replaces no store and no ledger, also one that nobody has open', async () => {
    for (const make of [(path: string) => sqliteStore({ path }), (path: string) => sqliteLedger({ path })]) {
      const path = files.path()
      await make(path).close()
      await expect(exportToSqlite(path, each())).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/is a bursar (store|ledger), and an export would take its place/) as unknown })
      await make(path).close()
    }
  })

  it('keeps the permissions of what it replaces, and a link to it', async () => {
    const path = files.path('export.db')
    writeFileSync(path, 'SQLite format 3\0', { mode: 0o600 })
    const link = `${path}.link`
    symlinkSync(path, link)
    await exportToSqlite(link, each(plain('p')))
    expect([lstatSync(link).isSymbolicLink(), statSync(path).mode & 0o777]).toEqual([true, 0o600])
    expect(files.closedLater(openDatabase(path)).prepare('SELECT id FROM entry').all()).toEqual([{ id: 'p' }])
  })

  it('does not replace a database in use', async () => {
    const path = files.path()
    const store = files.closedLater(sqliteStore({ path }))
    await store.directory.change({ userId: 'ann' }, { tier: 'pro' })
    await expect(exportToSqlite(path, each())).rejects.toThrow(/is a database in use/)
    expect(await store.directory.get({ userId: 'ann' })).toEqual({ tier: 'pro' })
  })
})
