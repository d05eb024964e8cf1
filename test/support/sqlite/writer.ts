// A process that spends through a SQLite store and writes down, flushed to disk, what was acknowledged to it. Started by writers.ts
// with its orders in BURSAR_WRITER; what it has to say goes to standard output, a line of JSON each.

import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import type { ScopeTerms, Store } from '../../../src/store/index.js'

/** What a writer has to do. */
export interface WriterOrders {
  readonly path: string
  /** Where acknowledged costs are written down. */
  readonly witness: string
  readonly name: string
  readonly userIds: readonly string[]
  readonly limit: number
  /** `spend`: until it is killed; `drain`: until the first refusal, from the moment that a line comes in; `fill`: until the store fails. */
  readonly mode: 'spend' | 'drain' | 'fill'
}

/** The windows of every user: a limit for ever, a day and an hour that count without one. */
export function scopesOf(userId: string, limit: number): ScopeTerms[] {
  return [userOf(userId, windowOf(limit, { period: 'total' }), windowOf(null), windowOf(null, { rollingMs: 3_600_000 }))]
}

const HELD = 30
const HOLD_TTL_MS = 50

class Writer {
  readonly #orders: WriterOrders
  readonly #store: Store
  readonly #witness: number
  #count = 0

  constructor(orders: WriterOrders) {
    this.#orders = orders
    this.#store = sqliteStore({ path: orders.path })
    this.#witness = openSync(orders.witness, 'a')
  }

  /** False where the user's limit has been reached. */
  spend(userId: string, microcents: number): boolean {
    const id = `${this.#orders.name}-${(this.#count += 1)}`
    const facts = { user: { userId }, tier: undefined }
    const held = this.#orders.mode === 'drain' ? microcents : HELD
    const request = { id, fingerprint: id, idGiven: false, ttlMs: this.#orders.mode === 'drain' ? 60_000 : HOLD_TTL_MS, onExpiry: 'charge' as const, scopes: scopesOf(userId, this.#orders.limit), rungs: [{ microcents: held, tokens: 0 }], facts }
    const admitted = this.#store.reserve(request) as Awaited<ReturnType<Store['reserve']>>
    if (admitted.outcome === 'refused') return false
    if (admitted.outcome !== 'admitted') throw new Error(`reserve: ${admitted.outcome}`)
    const settled = this.#store.settle({ id, microcents }) as Awaited<ReturnType<Store['settle']>>
    if (settled.outcome !== 'settled') throw new Error(`settle: ${settled.outcome}`)
    writeSync(this.#witness, `${JSON.stringify([id, userId, microcents])}\n`)
    if (this.#orders.mode !== 'drain') fsyncSync(this.#witness)
    return true
  }

  run(): void {
    const { mode, userIds } = this.#orders
    let admitted = 0
    try {
      for (let time = 0; ; time += 1) {
        const userId = userIds[time % userIds.length] as string
        const fits = this.spend(userId, mode === 'drain' ? 10 : 1 + (time * 7) % HELD)
        if (fits) admitted += 1
        if (time === 0) say({ ready: true })
        if (!fits && mode === 'drain') break
      }
    } catch (error) {
      const { code, message, cause } = error as { code?: string; message: string; cause?: unknown }
      say({ failed: code ?? 'unknown', message, cause: String(cause) })
    }
    say({ admitted })
    closeSync(this.#witness)
    this.#store.close()
  }
}

function say(what: object): void {
  writeSync(1, `${JSON.stringify(what)}\n`)
}

const given = process.env['BURSAR_WRITER']
if (given !== undefined) {
  const orders = JSON.parse(given) as WriterOrders
  const writer = new Writer(orders)
  if (orders.mode === 'drain') {
    say({ waiting: true })
    process.stdin.once('data', () => {
      process.stdin.destroy()
      writer.run()
    })
  } else writer.run()
}
