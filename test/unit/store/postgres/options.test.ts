// What postgresLedger takes, and what it says of everything else.

import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { postgresLedger, type PostgresLedgerOptions } from '../../../../src/store/postgres/index.js'

const url = 'postgres://ann@127.0.0.1:1/db'
const pool = new pg.Pool()

describe('postgresLedger', () => {
  it('takes a pool of pg as it is, or a url, and opens nothing yet', async () => {
    for (const options of [{ client: pool }, { url }, { url: 'postgresql:///db?host=/tmp', schema: 'Billing_2' }]) await postgresLedger(options).close()
    expect(pool.totalCount).toBe(0)
  })

  it.each<[unknown, RegExp]>([
    [undefined, /give \{ client \} or \{ url \}/],
    [{}, /postgresLedger\.client: give either/],
    [{ url, client: pool }, /postgresLedger\.client: give either/],
    [{ url, table: 'x' }, /postgresLedger\.table: is no known option\. Use client, url, schema/],
    [{ client: {} }, /postgresLedger\.client: is no pool/],
    [{ client: new pg.Client() }, /postgresLedger\.client: is no pool.*a single Client cannot be shared/],
    [{ url, schema: 'a"b' }, /postgresLedger\.schema: "a\\"b" is no name/],
    [{ url, schema: 'pg_catalog' }, /postgresLedger\.schema: "pg_catalog"/],
    [{ url, schema: '' }, /postgresLedger\.schema: ""/],
    [{ url, schema: 'x'.repeat(64) }, /postgresLedger\.schema/],
    [{ url, schema: null }, /postgresLedger\.schema: null/],
  ])('refuses %j', (options, message) => {
    expect(() => postgresLedger(options as PostgresLedgerOptions)).toThrow(expect.objectContaining({ code: 'INVALID_CONFIG', message: expect.stringMatching(message) as string }))
  })

  it.each(['redis://ann:hunter2@host', 'postgres://ann:hunter2@ho st', 'postgres://ann:hunter2@host:port/db', 'postgres://ann:hunter2/x@host/db', 'postgres://ann:1234/hunter2@host', 'postgres://ann:hunter2%zz@host', 5])(
    'refuses the address %s without repeating it',
    (address) => {
      let refusal: unknown
      try {
        postgresLedger({ url: address as string })
      } catch (error) {
        refusal = error
      }
      expect(refusal).toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('postgresLedger.url') as string })
      const { message, stack, cause } = refusal as Error
      expect(`${message} ${stack ?? ''} ${String(cause)}`).not.toContain('hunter2')
    },
  )
})
