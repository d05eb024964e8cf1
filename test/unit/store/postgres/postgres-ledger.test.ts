// What a Postgres ledger makes of its schema, what it promises to whoever writes, and what it says where the server refuses.

import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ALL_ENTRIES, type LedgerEntry } from '../../../../src/ledger/index.js'
import { postgresLedger, type PostgresConnection, type PostgresPool } from '../../../../src/store/postgres/index.js'
import { sharedPostgres, type SharedPostgres } from '../../../support/postgres/index.js'
import { until } from '../../../support/redis/until.js'

let postgres: SharedPostgres
beforeAll(async () => void (postgres = await sharedPostgres()))
afterAll(() => postgres?.close())

describe('the schema of a Postgres ledger', () => {
  it('is made once, by however many open it at the same time', async () => {
    const schema = postgres.schema()
    const ledgers = Array.from({ length: 8 }, () => postgresLedger({ url: postgres.url, schema }))
    await Promise.all(ledgers.map((ledger, index) => ledger.write([entryOf(`e${index}`)])))
    expect((await idsOf(schema)).sort()).toEqual(ledgers.map((_, index) => `e${index}`))
    await Promise.all(ledgers.map((ledger) => ledger.close()))
  })

  it('is refused where it is of a later version, of something else, or half gone', async () => {
    const changes: readonly (readonly [sql: (schema: string) => string, message: RegExp])[] = [
      [(schema) => `UPDATE "${schema}".ledger_version SET version = 99`, /later version of bursar \(schema 99; .*Update bursar/],
      [(schema) => `DROP TABLE "${schema}".ledger_version`, /has a table "ledger_entry" of something else/],
      [(schema) => `DROP TABLE "${schema}".ledger_entry`, /ledger_entry was removed/],
      [(schema) => `DELETE FROM "${schema}".ledger_version`, /is not bursar's/],
      [(schema) => `DROP TABLE "${schema}".ledger_version; CREATE TABLE "${schema}".ledger_version (name text)`, /is not bursar's/],
    ]
    for (const [sql, message] of changes) {
      const schema = postgres.schema()
      await postgresLedger({ client: postgres.pool, schema }).write([entryOf('before')])
      await postgres.pool.query(sql(schema))
      const before = await tablesOf(schema)
      const ledger = postgresLedger({ client: postgres.pool, schema })
      const refusal = { code: 'INVALID_CONFIG', message: expect.stringMatching(message) as string }
      await expect(ledger.write([entryOf('after')])).rejects.toMatchObject(refusal)
      await expect(ledger.page(ALL_ENTRIES, 1)).rejects.toMatchObject(refusal)
      expect(await tablesOf(schema)).toEqual(before)
    }
  })

  it('needs a database that keeps every text', async () => {
    const url = await postgres.database("ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    const ledger = postgresLedger({ url })
    await expect(ledger.write([entryOf('e')])).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringMatching(/SQL_ASCII.*UTF8/) as string })
    await ledger.close()
  })

  it('once made, is enough for a user who may only read and insert', async () => {
    const schema = postgres.schema()
    await postgresLedger({ client: postgres.pool, schema }).write([])
    const role = `${schema}_role`
    await postgres.pool.query(`CREATE ROLE "${role}"; GRANT USAGE ON SCHEMA "${schema}" TO "${role}"; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA "${schema}" TO "${role}"`)
    const pool = new pg.Pool({ connectionString: postgres.url, options: `-c role=${role}` })
    const ledger = postgresLedger({ client: pool, schema })
    await ledger.write([entryOf('e')])
    expect(await idsOf(schema)).toEqual(['e'])
    await expect(postgresLedger({ client: pool, schema: postgres.schema() }).write([entryOf('e')])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', asked: false, message: expect.stringContaining('needs CREATE on the database') as string })
    await pool.end()
    await postgres.pool.query(`DROP OWNED BY "${role}"; DROP ROLE "${role}"`)
  })
})

describe('a Postgres ledger', () => {
  it('writes all of a call or none, and says that nothing was changed', async () => {
    const schema = postgres.schema()
    const ledger = postgresLedger({ client: postgres.pool, schema })
    const entries = Array.from({ length: 1_500 }, (_, index) => entryOf(`e${index}`))
    const wrong = [...entries, { ...entryOf('wrong'), microcents: 2 ** 70 }]
    await expect(ledger.write(wrong)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, asked: false, message: expect.stringContaining('Nothing was changed.') as string })
    expect(await idsOf(schema)).toEqual([])
    await ledger.write(entries)
    expect(await idsOf(schema)).toHaveLength(1_500)
  })

  it('keeps an entry once: by id, time and opening', async () => {
    const schema = postgres.schema()
    const ledger = postgresLedger({ client: postgres.pool, schema })
    const first = entryOf('e')
    const others = [{ ...first, at: 2 }, { ...first, openedAt: 0 }, { ...first, openedAt: 1 }]
    await ledger.write([first, first, ...others])
    await ledger.write([...others, { ...first, microcents: 99 }])
    const { entries } = await ledger.page(ALL_ENTRIES, 10)
    expect(entries).toEqual([first, ...others])
  })

  it('keeps each entry once under a pool whose transactions are serializable', async () => {
    const schema = postgres.schema()
    const pool = new pg.Pool({ connectionString: postgres.url, options: '-c default_transaction_isolation=serializable -c synchronous_commit=off -c search_path=nowhere' })
    const ledgers = Array.from({ length: 4 }, () => postgresLedger({ client: pool, schema }))
    const entries = Array.from({ length: 40 }, (_, index) => entryOf(`e${index}`))
    for (let round = 0; round < 10; round += 1) await Promise.all(ledgers.map((ledger) => ledger.write(entries.slice(round * 4, round * 4 + 4))))
    expect(await idsOf(schema)).toEqual(entries.map(({ id }) => id))
    await pool.end()
  })

  it('reads numbers exactly, however the application has its driver read them', async () => {
    const schema = postgres.schema()
    const given = { ...entryOf('e'), microcents: Number.MAX_SAFE_INTEGER, tokens: -Number.MAX_SAFE_INTEGER, metadata: { deep: { number: 1e21 } } }
    for (const parse of [BigInt, Number, String]) {
      const pool = new pg.Pool({ connectionString: postgres.url, types: { getTypeParser: (oid: number) => (text: string) => ([20, 21, 23, 1700].includes(oid) ? parse(text) : oid === 16 ? text === 't' : text) } as never })
      const ledger = postgresLedger({ client: pool, schema })
      await ledger.write([given])
      const { entries } = await ledger.page(ALL_ENTRIES, 10)
      expect(entries).toEqual([given])
      expect(await ledger.sums(ALL_ENTRIES, [], [])).toMatchObject([{ entries: 1, calls: 1, microcents: BigInt(Number.MAX_SAFE_INTEGER) }])
      await pool.end()
    }
  })

  it('numbers entries in the order in which they were committed, so that no page misses one', async () => {
    const schema = postgres.schema()
    const slow = pausedBeforeCommit(postgres.pool)
    const reader = postgresLedger({ client: postgres.pool, schema })
    await reader.write([entryOf('first')])
    const { entries: [last], next } = await reader.page(ALL_ENTRIES, 1)
    expect([last?.id, next]).toEqual(['first', undefined])
    const writing = postgresLedger({ client: slow.pool, schema }).write([entryOf('slow')])
    await slow.paused
    const quick = postgresLedger({ client: postgres.pool, schema }).write([entryOf('quick')])
    try {
      await until('the quick one waits for the slow one', async () => {
        const { rows } = await postgres.pool.query<{ waiting: number }>(`SELECT count(*)::int AS waiting FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid::int8 = hashtext($1)::int8 & 4294967295`, [schema])
        return rows[0]?.waiting === 1
      })
      expect((await reader.page(ALL_ENTRIES, 10, '1')).entries).toEqual([])
    } finally {
      slow.go()
    }
    await Promise.all([writing, quick])
    expect((await reader.page(ALL_ENTRIES, 10, '1')).entries.map(({ id }) => id)).toEqual(['slow', 'quick'])
  })

  it('tells what is wrong with the server and what to do, and never its password', async () => {
    const secret = 'hunter2%2F%40'
    const at = (change: (url: URL) => void): string => {
      const url = new URL(postgres.url)
      change(url)
      return url.href
    }
    const cases: readonly (readonly [url: string, message: RegExp])[] = [
      [at((url) => (url.password = 'hunter2/@')), /Correct the user and the password/],
      [at((url) => (url.pathname = '/nowhere_at_all')), /Create the database, or correct its name/],
      [`postgres://ann:${secret}@127.0.0.1:1/db`, /127\.0\.0\.1:1\/db.*Start the server, or correct host and port/],
    ]
    for (const [url, message] of cases) {
      const ledger = postgresLedger({ url })
      const refusal = await ledger.write([entryOf('e')]).catch((error: unknown) => error)
      expect(refusal).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, asked: false, message: expect.stringMatching(message) as string })
      for (const each of [decodeURIComponent(new URL(url).password), new URL(url).password]) expect(JSON.stringify([String(refusal), (refusal as Error).stack, String((refusal as Error).cause)])).not.toContain(each)
      await ledger.close()
    }
  })

  it('takes no more calls when it is closed, and leaves a given pool open', async () => {
    const schema = postgres.schema()
    for (const ledger of [postgresLedger({ client: postgres.pool, schema }), postgresLedger({ url: postgres.url, schema })]) {
      await ledger.write([entryOf('e')])
      await ledger.close()
      await ledger.close()
      await expect(ledger.write([entryOf('f')])).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(ledger.sums(ALL_ENTRIES, [], [])).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(ledger.entries()[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'CLOSED' })
    }
    expect(await idsOf(schema)).toEqual(['e'])
  })
})

function entryOf(id: string): LedgerEntry {
  return { id, kind: 'settled', at: 1, decisionId: id, userId: 'ann', microcents: 5, tokens: 7, charged: [] }
}

async function idsOf(schema: string): Promise<string[]> {
  return (await postgres.pool.query<{ id: string }>(`SELECT id FROM "${schema}".ledger_entry ORDER BY seq`)).rows.map(({ id }) => id)
}

async function tablesOf(schema: string): Promise<unknown> {
  const { rows } = await postgres.pool.query('SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = $1 ORDER BY 1, 2', [schema])
  return rows
}

/** A pool whose commits of entries wait for `go`. */
function pausedBeforeCommit(pool: pg.Pool): { readonly pool: PostgresPool; readonly paused: Promise<void>; go(): void } {
  let pause = (): void => {}
  let go = (): void => {}
  const paused = new Promise<void>((resolve) => (pause = resolve))
  const gone = new Promise<void>((resolve) => (go = resolve))
  const connect = async (): Promise<PostgresConnection> => {
    const connection = await pool.connect()
    return {
      release: (error) => connection.release(error),
      query: async (query) => {
        if (query.text === 'COMMIT') {
          pause()
          await gone
        }
        return connection.query(query)
      },
    }
  }
  return { pool: { connect, query: (query) => pool.query(query) }, paused, go }
}
