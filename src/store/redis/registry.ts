// Shared facts in Redis: one hash for each kind, and beside it when its records may be forgotten. Knows no kind.

import { randomBytes } from 'node:crypto'
import type { Registry, RegistryRecord, RegistryWrite } from '../registry.js'
import type { Connection, RunOptions } from './connection.js'
import { Unpacker } from './packing.js'

const LISTED_AT_ONCE = 500
const WRITE_BYTES = 8

/** The registry of one data set. A write whose reply is lost rejects: whether it happened, `get` tells. */
export class RedisRegistry implements Registry {
  readonly #connection: Connection
  readonly #mends: boolean

  /** `mends`: it works on a data set that stands in the place of a lost one, too. */
  constructor(connection: Connection, mends = false) {
    this.#connection = connection
    this.#mends = mends
  }

  async get(kind: string, key: string): Promise<RegistryRecord | undefined> {
    const { code, body } = await this.#connection.run('read-record', (to) => to.text(key), this.#options(kind))
    return code === 'K' ? recordIn(body) : undefined
  }

  async put(kind: string, key: string, value: string | null, { expected, ttlMs }: RegistryWrite): Promise<number | undefined> {
    // A client that has lost its connection may send it once more.
    const write = randomBytes(WRITE_BYTES)
    const { code, body } = await this.#connection.run(
      'write-record',
      (to) => {
        to.sized32(() => to.text(key)).u56(expected).bytes(write)
        return to.u8(value === null ? 1 : 0).u56(ttlMs === undefined ? 0 : ttlMs + 1).text(value ?? '')
      },
      this.#options(kind),
    )
    return code === 'K' ? body.u56() : undefined
  }

  async *list(kind: string): AsyncIterable<RegistryRecord & { readonly key: string }> {
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const from = cursor
      const { body, more } = await this.#connection.run('list-records', (to) => to.textZ(from).u32(LISTED_AT_ONCE), this.#options(kind))
      cursor = body.textZ()
      const records = more.find((item) => Array.isArray(item)) as Buffer[]
      for (let index = 0; index < records.length; index += 2) {
        const key = (records[index] as Buffer).toString()
        if (seen.has(key)) continue
        seen.add(key)
        yield { key, ...recordIn(new Unpacker(records[index + 1] as Buffer)) }
      }
    } while (cursor !== '0')
  }

  #options(kind: string): RunOptions {
    return { keys: keysOf(kind), mends: this.#mends }
  }
}

function keysOf(kind: string): readonly string[] {
  return [`records:${kind}`, `expiring:${kind}`]
}

function recordIn(from: Unpacker): RegistryRecord {
  const version = from.u56()
  return { value: from.rest().toString(), version }
}
