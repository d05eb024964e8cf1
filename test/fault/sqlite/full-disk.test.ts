// A SQLite store that has no room left: says so, keeps what it acknowledged, and goes on when there is room again.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../../src/errors/index.js'
import type { Reading } from '../../../src/store/index.js'
import { openDatabase } from '../../../src/store/sqlite/driver.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { expectWholeBooks } from '../../support/sqlite/books.js'
import { temporaryFiles } from '../../support/sqlite/temporary-files.js'
import { scopesOf } from '../../support/sqlite/writer.js'
import { acknowledged, Writers, type Said } from '../../support/sqlite/writers.js'

const LIMIT = 1e12

describe('a full disk', () => {
  const files = temporaryFiles()
  let writers: Writers
  beforeAll(async () => {
    writers = await Writers.bundled()
  })
  afterEach(() => files.removeAll())
  afterAll(() => writers.stop())

  it('fails the operation as a whole, with a word on what to do, and leaves the store ready for when there is room', async () => {
    const path = files.path()
    const database = files.closedLater(openDatabase(path))
    const store = sqliteStore({ database })
    const scopes = scopesOf('ann', LIMIT)
    const request = (id: string) => ({ id, fingerprint: id, idGiven: true, ttlMs: 60_000, onExpiry: 'charge' as const, scopes, rungs: [{ microcents: 20, tokens: 0 }], facts: { user: { userId: 'ann' }, tier: 'free' } })
    await store.reserve(request('first'))
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number }
    database.exec(`PRAGMA max_page_count = ${pages + 20}`)
    const witnessed: [string, string, number][] = []
    let failure: unknown
    let counted = 0
    for (let count = 0; failure === undefined; count += 1) {
      counted = (store.read(scopes) as Reading).readings[2] as number
      try {
        const id = `id ${count}`
        await store.record({ ...request(id), amounts: { microcents: 7, tokens: 0 } })
        witnessed.push([id, 'ann', 7])
      } catch (error) {
        failure = error
      }
    }
    expect(failure).toBeInstanceOf(StoreUnavailableError)
    expect(failure).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, cause: expect.objectContaining({ errcode: 13 }) as unknown })
    expect((failure as Error).message).toMatch(/the given database: database or disk is full.*make room/)
    expect((store.read(scopes) as Reading).readings.slice(2, 4)).toEqual([counted, 20])
    database.exec(`PRAGMA max_page_count = ${pages + 10_000}`)
    await store.record({ ...request('after'), amounts: { microcents: 9, tokens: 0 } })
    expect((store.read(scopes) as Reading).readings.slice(2, 4)).toEqual([counted + 9, 20])
    expect(await store.settle({ id: 'first', microcents: 11 })).toMatchObject({ outcome: 'settled' })
    const entries = []
    for await (const { decisionId } of store.ledger.entries()) entries.push(decisionId)
    expect(entries).toEqual([...witnessed.map(([id]) => id), 'after', 'first'])
    await expectAgreement(store)
  })

  it('loses nothing that was acknowledged where files may not grow', async () => {
    const path = files.path()
    const witness = `${path}.witness`
    const writer = writers.start({ path, witness, name: 'w', userIds: ['ann', 'bob'], limit: LIMIT, mode: 'fill' }, 1_024)
    const said: Said[] = []
    for (let line = await writer.next(); line !== undefined; line = await writer.next()) said.push(line)
    const failed = said.find((line) => line.failed !== undefined)
    expect(failed, JSON.stringify(said)).toMatchObject({ failed: 'STORE_UNAVAILABLE' })
    expect(failed?.message).toMatch(/bursar\.db: .*(refused to read or write|is full)/)
    const before = acknowledged(witness)
    expect(before.length).toBeGreaterThan(10)
    await expectWholeBooks(path, ['ann', 'bob'], LIMIT, before)
    const next = writers.start({ path, witness, name: 'x', userIds: ['ann', 'bob'], limit: LIMIT, mode: 'spend' })
    expect(await next.next()).toEqual({ ready: true })
    await next.kill()
    expect(acknowledged(witness).length).toBeGreaterThan(before.length)
    await expectWholeBooks(path, ['ann', 'bob'], LIMIT, acknowledged(witness))
  })
})
