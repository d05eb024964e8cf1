// A process is killed in the middle of twenty streams: on every store each of them is settled or expires as declared, and windows, ledger
// and what the process was told agree (CONSERVATION, ONE-ENDING).

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type Store } from '../../../src/index.js'
import { userOf, windowOf } from '../../../src/testing/contract/kit.js'
import { manualClock } from '../../../src/testing/index.js'
import { expectAgreement } from '../../support/fault/agreement.js'
import { countersOf, moneyEntries } from '../../support/fault/evidence.js'
import { bookkeepingErrors, lostAcknowledgements, sum, type Counters } from '../../support/fault/judge.js'
import { testimonies, type Testimony } from '../../support/fault/witness-log.js'
import { sharedRedis, until, type SharedRedis } from '../../support/redis/index.js'
import { watch } from '../../support/redis/watchdog.js'
import { temporaryFiles } from '../../support/sqlite/temporary-files.js'
import { ESTIMATE, FINISHED, openShared, openStreams, streamBudgets, STREAMS, USERS, type SharedStore, type StreamOrders } from './stream-worker.js'

const SCRIPT = fileURLToPath(new URL('stream-worker.ts', import.meta.url))
const LIMIT = 1_000_000_000
const OPEN = STREAMS.running + STREAMS.abandoned + STREAMS.unread
const ENDING = STREAMS.finished + STREAMS.failed + STREAMS.broken
const files = temporaryFiles()

let redis: SharedRedis
beforeAll(async () => void (redis = await sharedRedis()))
afterEach(() => files.removeAll())

const stores: [string, () => SharedStore][] = [
  ['SQLite', () => ({ path: files.path() })],
  ['Redis', () => ({ url: redis.url, prefix: redis.prefix() })],
]

describe('a process that is killed in the middle of twenty streams', () => {
  for (const [name, place] of stores) {
    for (const onHoldExpiry of ['charge', 'release'] as const) {
      it.each([1, 4, ENDING])(`leaves no window wrong on ${name} (${onHoldExpiry}), with %d of its streams settled`, async (settled) => {
        const orders: StreamOrders = { store: place(), log: files.path('witness'), onHoldExpiry }
        const child = start(orders)
        try {
          await until('all are open and so many have settled', () => {
            const told = testimonies(orders.log)
            return told.filter(({ what }) => what === 'held').length === OPEN + ENDING && told.filter(({ what }) => what === 'settled').length >= settled
          }, { everyMs: 1 })
        } finally {
          await kill(child)
        }
        const clock = manualClock()
        const { store, close } = openShared(orders.store, clock)
        try {
          await judge(store, testimonies(orders.log), onHoldExpiry, () => clock.advance('10m'), settled)
        } finally {
          await close()
        }
      })
    }
  }
})

describe('a process that drops twenty streams and lives on', () => {
  it.each(['charge', 'release'] as const)('leaves no window wrong in memory (%s)', async (onHoldExpiry) => {
    const clock = manualClock()
    const store = memoryStore({ clock })
    const bursar = new Bursar({ ...streamBudgets(onHoldExpiry), store, clock }).on('hold-expired', () => {})
    const told: Testimony[] = []
    const sources = new AbortController()
    await openStreams(bursar, (what, id, userId, microcents) => told.push({ what, id, userId, microcents }), sources.signal)
    await until('those that end have ended', () => told.filter(({ what }) => what === 'settled').length === ENDING)
    await judge(store, told, onHoldExpiry, () => clock.advance('10m'), ENDING)
    sources.abort()
  })
})

async function judge(store: Store, told: readonly Testimony[], onHoldExpiry: 'charge' | 'release', holdsFallDue: () => void, settledAtLeast: number): Promise<void> {
  const left = await countersOf(store, userOf('ada', windowOf(null, { period: 'total' })))
  expect(left.held, 'what runs is held until then').toBeGreaterThan(0)
  holdsFallDue()
  const counters = new Map<string, Counters>()
  for (const userId of USERS) counters.set(userId, await countersOf(store, userOf(userId, windowOf(null, { period: 'total' }))))
  const ledger = await moneyEntries(store)
  const evidence = { testimonies: told, ledger, counters, limitMicrocents: LIMIT }
  expect(bookkeepingErrors(evidence)).toEqual([])
  expect(lostAcknowledgements({ ...evidence, testimonies: told.filter(({ what }) => what === 'settled' || what === 'held') })).toEqual([])

  expect(ledger).toHaveLength(OPEN + ENDING)
  const expired = ledger.filter(({ kind }) => kind === 'expired')
  const settled = ledger.filter(({ kind }) => kind === 'settled')
  expect(settled.length + expired.length).toBe(OPEN + ENDING)
  expect(settled.length).toBeGreaterThanOrEqual(settledAtLeast)
  expect(expired.length).toBeGreaterThanOrEqual(OPEN)
  for (const { decisionId, microcents } of expired) expect(microcents, decisionId).toBe(onHoldExpiry === 'charge' ? ESTIMATE : 0)
  for (const { decisionId, microcents, details } of settled) {
    const [kind, index] = decisionId.split('-') as [keyof typeof STREAMS, string]
    const text = kind === 'failed' ? 2 * Number(index) : Number(index)
    expect([microcents, details?.estimated], decisionId).toEqual(kind === 'finished' ? [FINISHED, undefined] : [100 * 1_000 + text * 4_000, true])
  }

  const bursar = new Bursar({ ...streamBudgets(onHoldExpiry), store })
  const summaries = await Promise.all(USERS.map((userId) => bursar.tracker.getUserSummary(userId)))
  const total = sum(ledger)
  expect(summaries.map(({ held }) => held)).toEqual([0, 0, 0])
  expect(summaries.reduce((all, { exact }) => all + exact.totalMicrocents, 0)).toBe(total)
  expect(await bursar.tracker.audit()).toMatchObject({ status: 'clean', holds: 0 })
  await expectAgreement(store)
}

function start(orders: StreamOrders): ChildProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT, JSON.stringify(orders)], { stdio: ['pipe', 'ignore', 'inherit'] })
  if (child.pid !== undefined) child.once('exit', watch(child.pid))
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the worker has ended by itself: ${child.exitCode ?? child.signalCode}`)
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
