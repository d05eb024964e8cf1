// Requests without end on one store, from this process: each is repeated with its id until the store has answered it, so that
// afterwards everything has to add up exactly, whatever happened to the store in between.

import { setTimeout as pause } from 'node:timers/promises'
import { isBursarError, type Store } from '../../../src/index.js'
import { teamOf, userOf, windowOf } from '../../../src/testing/contract/kit.js'
import type { Testimony } from './witness-log.js'

/** The users of the traffic. */
export const TRAFFIC_USERS = ['ann', 'bob', 'cem', 'dia'] as const
/** What each of them may spend. */
export const TRAFFIC_LIMIT = 20_000

/** The scope that all of them share, without a limit. */
export const everybody = teamOf('everybody', windowOf(null, { period: 'total' }))

/** See the head of this file. */
export class Traffic {
  readonly testimonies: Testimony[] = []
  /** How often an operation failed and was repeated. */
  failures = 0
  readonly #store: Store
  readonly #name: string
  readonly #loops: Promise<void>[]
  #isStopped = false
  #asked = 0

  /** Begins at once. `name` keeps the ids of several apart. */
  constructor(store: Store, name: string, loops = 8) {
    this.#store = store
    this.#name = name
    this.#loops = Array.from({ length: loops }, () => this.#run())
    for (const loop of this.#loops) loop.catch(() => {})
  }

  /** How many requests were answered in full so far. */
  get settled(): number {
    return this.testimonies.filter(({ what }) => what === 'settled').length
  }

  /** Waits until the requests that are under way have their answers. Rejects with what no repetition could mend. */
  async stop(): Promise<readonly Testimony[]> {
    this.#isStopped = true
    await Promise.all(this.#loops)
    return this.testimonies
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const number = (this.#asked += 1)
      const id = `${this.#name}-${number}`
      const userId = TRAFFIC_USERS[number % TRAFFIC_USERS.length] as string
      const microcents = 1 + (number % 7)
      const user = userOf(userId, windowOf(TRAFFIC_LIMIT, { period: 'total' }), windowOf(null, { rollingMs: 3_600_000 }))
      this.testimonies.push({ what: 'asked', id, userId, microcents })
      const facts = { user: { userId }, tier: 'free' }
      const rungs = [{ microcents, tokens: 0 }]
      const request = { id, fingerprint: id, idGiven: true, ttlMs: 600_000, onExpiry: 'charge' as const, scopes: [user, everybody], rungs, facts }
      const reserved = await this.#untilAnswered(() => this.#store.reserve(request))
      if (reserved.outcome !== 'admitted') {
        if (reserved.outcome !== 'refused') throw new Error(`reserve ${id}: ${reserved.outcome}`)
        this.testimonies.push({ what: 'refused', id, userId, microcents })
        continue
      }
      this.testimonies.push({ what: 'held', id, userId, microcents })
      const cost = number % (microcents + 1)
      const settled = await this.#untilAnswered(() => this.#store.settle({ id, microcents: cost, tokens: 0 }))
      if (settled.outcome !== 'settled') throw new Error(`settle ${id}: ${settled.outcome}`)
      this.testimonies.push({ what: 'settled', id, userId, microcents: cost })
    }
  }

  async #untilAnswered<Reply>(ask: () => Reply | Promise<Reply>): Promise<Reply> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!isBursarError(error) || !error.retryable) throw error
        this.failures += 1
        await pause(10)
      }
    }
  }
}
