// A process with twenty streams in every state that a stream can be in, which writes down what it was told of each. Started by
// killed-streams.test.ts with its orders as an argument, and killed by it.

import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { Bursar, type BursarConfig, type Store } from '../../../src/index.js'
import { redisStore } from '../../../src/store/redis/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../../src/testing/index.js'
import { WitnessLog } from '../../support/fault/witness-log.js'

/** Where a store is that two processes share. */
export type SharedStore = { readonly path: string } | { readonly url: string; readonly prefix: string }

/** What the worker has to do. */
export interface StreamOrders {
  readonly store: SharedStore
  readonly log: string
  readonly onHoldExpiry: 'charge' | 'release'
}

/** How many streams of which kind there are: twenty. */
export const STREAMS = { finished: 7, failed: 3, broken: 3, running: 4, abandoned: 2, unread: 1 } as const
export const USERS = ['ada', 'bob', 'cy'] as const
/** What a stream is held at: 100 tokens in, 50 out. */
export const ESTIMATE = 100 * 1_000 + 50 * 4_000
/** What one that ends by itself costs, by the provider's count. */
export const FINISHED = 80 * 1_000 + 7 * 4_000
const PAUSE_MS = 2

/** The configuration that the worker has, and whoever looks at what it left. */
export function streamBudgets(onHoldExpiry: 'charge' | 'release') {
  const prices = { models: { large: { input: 10, output: 40 } } }
  return { tiers: { free: { daily: 1, total: 10 } }, defaultTier: 'free', global: { monthly: 50 }, holdTtl: '10m', onHoldExpiry, prices } as const satisfies BursarConfig
}

/** The store, under a store time that the caller moves. */
export function openShared(shared: SharedStore, clock: ManualClock): { readonly store: Store; close(): Promise<void> } {
  if ('path' in shared) {
    const store = sqliteStore({ path: shared.path, clock })
    return { store, close: async () => void store.close() }
  }
  const client = new Redis(shared.url)
  const store = redisStore({ client, prefix: shared.prefix, storeClock: clock })
  return {
    store,
    close: async () => {
      await store.close()
      client.disconnect()
    },
  }
}

interface Piece {
  readonly text: string
  readonly isLast?: true
}

async function* slowly(pieces: number, error?: Error, stop?: AbortSignal): AsyncGenerator<Piece> {
  for (let sent = 0; sent < pieces; sent += 1) {
    await pause(PAUSE_MS, undefined, { signal: stop })
    yield { text: 'a' }
  }
  if (error !== undefined) throw error
  yield { text: '', isLast: true }
}

/** Hears what becomes of a stream. */
export type Told = (what: 'asked' | 'held' | 'settled', id: string, userId: string, microcents: number) => void

/** Opens the twenty streams of one process, and reads them as their kinds say. `stop` ends the sources of those that never end. */
export async function openStreams(bursar: Bursar<'free'>, told: Told, stop?: AbortSignal): Promise<void> {
  const kinds = Object.entries(STREAMS).flatMap(([kind, count]) => Array.from({ length: count }, () => kind as keyof typeof STREAMS))
  await Promise.all(
    kinds.map(async (kind, index) => {
      const id = `${kind}-${index}`
      const userId = USERS[index % USERS.length] as string
      told('asked', id, userId, ESTIMATE)
      const source = (): AsyncGenerator<Piece> => {
        if (kind === 'finished') return slowly(2 + 3 * index)
        return kind === 'failed' ? slowly(2 * index, new Error('reset')) : slowly(Number.POSITIVE_INFINITY, undefined, stop)
      }
      const request = { userId, model: 'large', inputTokens: 100, maxOutputTokens: 50, idempotencyKey: id }
      const stream = await bursar.stream(request, source, { read: ({ text, isLast }) => (isLast === undefined ? { text } : { usage: { inputTokens: 80, outputTokens: 7 }, isFinal: true }) })
      told('held', id, userId, ESTIMATE)
      void stream.settled.then((settlement) => settlement !== undefined && told('settled', id, userId, settlement.exact.costMicrocents))
      if (kind === 'unread') return
      void (async () => {
        let read = 0
        for await (const _piece of stream) {
          read += 1
          if (kind === 'abandoned' && read === 2) await new Promise(() => {})
          if (kind === 'broken' && read === index) break
        }
      })().catch(() => {})
    }),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const orders = JSON.parse(process.argv[2] as string) as StreamOrders
  const { store } = openShared(orders.store, manualClock())
  const bursar = new Bursar({ ...streamBudgets(orders.onHoldExpiry), store })
  const log = new WitnessLog(orders.log)
  await openStreams(bursar, (what, id, userId, microcents) => log.write({ what, id, userId, microcents }))
  process.stdout.write('open\n')
  process.stdin.resume().once('close', () => process.exit(1))
}
