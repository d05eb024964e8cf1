// A process that asks for money of the same few users as fast as it can, and writes down what it was told. Started by hammer.ts
// with its orders as an argument; it begins at "go" and ends at "stop", or when its parent is gone.

import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { Bursar, formatUsd, isBursarError, type AllowedDecision } from '../../../src/index.js'
import { hammerBudgets, type HammerOrders } from './hammer.js'
import { openStore } from './open-store.js'
import { WitnessLog } from './witness-log.js'

const CENT = 1_000_000

const orders = JSON.parse(process.argv[2] as string) as HammerOrders
const { name, address, userIds, team, holdTtlMs, loops, callMs, callsNeverEnd } = orders
const opened = openStore(address)
const bursar = new Bursar({ ...hammerBudgets(orders), store: opened.store, holdTtl: holdTtlMs })
const log = new WitnessLog(orders.log)
const run = { isStopped: false }
let asked = 0

/** The same numbers in every run of a worker of this name. */
let state = [...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) >>> 0
function below(count: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((state / 2 ** 32) * count)
}

async function hammer(): Promise<void> {
  while (!run.isStopped) {
    const id = `${name}-${(asked += 1)}`
    const userId = userIds[below(userIds.length)] as string
    const microcents = (1 + below(5)) * CENT
    log.write({ what: 'asked', id, userId, microcents })
    const decision = await bursar.check({ userId, estimatedCost: formatUsd(microcents), idempotencyKey: id, ...(team?.userIds.includes(userId) === true && { scopes: { team: 'shared' } }) })
    if (!decision.allowed) {
      log.write({ what: decision.code === 'store-unavailable' ? 'unavailable' : 'refused', id, userId, microcents })
      await pause(callMs)
      continue
    }
    log.write({ what: 'held', id, userId, microcents })
    if (callsNeverEnd && below(2) === 0) await new Promise(() => {})
    await pause(1 + below(callMs))
    await end(decision, userId, microcents)
  }
}

async function end(decision: AllowedDecision, userId: string, heldMicrocents: number): Promise<void> {
  const { id } = decision
  const fate = below(20)
  // One call in twenty is forgotten: its hold has to end by itself.
  if (fate === 0) return
  const isReleased = fate === 1
  const microcents = isReleased ? 0 : 1 + below(heldMicrocents)
  for (;;) {
    try {
      if (isReleased) await decision.release()
      else await settle(decision, formatUsd(microcents))
      return log.write({ what: isReleased ? 'released' : 'settled', id, userId, microcents })
    } catch (error) {
      if (!isBursarError(error)) throw error
      if (error.code === 'UNKNOWN_HOLD') return log.write({ what: 'lost', id, userId, microcents })
      if (!error.retryable) throw error
      await pause(callMs)
    }
  }
}

/** A settle that waits in this process for the store is no word of the store's yet. */
async function settle(decision: AllowedDecision, cost: string): Promise<void> {
  while ((await decision.settle({ cost })).queued === true) await pause(callMs)
}

const lines = createInterface({ input: process.stdin })
lines.on('close', () => process.exit(run.isStopped ? 0 : 1))
await opened.store.read([])
process.stdout.write('ready\n')
for await (const line of lines) {
  if (line === 'go') {
    void Promise.all(Array.from({ length: loops }, hammer)).then(async () => {
      await bursar.close()
      await opened.close()
      process.exit(0)
    })
  } else {
    run.isStopped = true
  }
}
