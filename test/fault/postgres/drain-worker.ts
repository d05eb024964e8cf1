// A process with traffic on a Redis store whose outbox it drains to Postgres, until it is told to stop, or killed. Started by
// outbox.test.ts with its orders as an argument.

import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { redisStore } from '../../../src/store/redis/index.js'
import { postgresLedger } from '../../../src/store/postgres/index.js'
import { Traffic } from '../../support/fault/traffic.js'

/** What the worker is told. */
export interface DrainOrders {
  readonly name: string
  readonly redis: { readonly url: string; readonly prefix: string }
  readonly postgres: { readonly url: string; readonly schema: string }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { name, redis, postgres } = JSON.parse(process.argv[2] as string) as DrainOrders
  const sink = postgresLedger(postgres)
  const store = redisStore({ ...redis, sink })
  const traffic = new Traffic(store, name)
  const lines = createInterface({ input: process.stdin })
  lines.on('close', () => process.exit(1))
  process.stdout.write('ready\n')
  for await (const _ of lines) {
    await traffic.stop()
    await store.close()
    await sink.close()
    process.stdout.write(`${traffic.settled}\n`)
    process.exit(0)
  }
}
