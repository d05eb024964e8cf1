// One worker's share of the calls: of every user's calls each worker makes some, so that workers meet at every limit. Knows
// nothing of processes.

import type { EnforcementAction } from 'bursar'
import type { DemoBursar } from './budgets.js'
import { ask, openCallers } from './client.js'
import { Books, type Report } from './tally.js'
import { callsOf, USERS, type Call, type User } from './traffic.js'

/** Which share: worker `index`, from 0, of so many. */
export interface Share {
  readonly index: number
  readonly of: number
  /** The stand-in's address. */
  readonly url: string
}

/** What else a worker needs. */
export interface Workplace {
  readonly bursar: DemoBursar
  /** Called when a call has been decided on. */
  readonly onCall: (action: EnforcementAction) => void
  /** Makes the worker stop after the calls that are running. */
  readonly signal: AbortSignal
}

/** Makes a share of the calls. Rejects, once no call is running any more, for whatever the demo did not mean to happen. */
export async function work({ index, of, url }: Share, { bursar, onCall, signal }: Workplace): Promise<Report> {
  const callers = openCallers(bursar, url)
  const books = new Books()
  const failing = new AbortController()
  const stopped = AbortSignal.any([signal, failing.signal])
  bursar.on('decision', (decision) => {
    books.decided(decision)
    onCall(decision.action)
  })
  bursar.on('settled', (settlement) => books.settled(settlement))
  bursar.on('threshold', (event) => books.announced(event))
  // Budgets without their store are another story than this one.
  bursar.on('store-error', ({ error }) => failing.abort(error))
  await Promise.all(USERS.map((user) => sendAll(user)))
  stopped.throwIfAborted()
  return books.report()

  async function sendAll(user: User): Promise<void> {
    const waiting = callsOf(user)
      .filter((_, number) => number % of === index)
      .values()
    // Lines that share one iterator: each takes the next call as soon as its last one has ended.
    await Promise.all(Array.from({ length: Math.ceil(user.inFlight / of) }, () => sendNext(user, waiting)))
  }

  async function sendNext(user: User, waiting: Iterable<Call>): Promise<void> {
    for (const call of waiting) {
      if (stopped.aborted) return
      try {
        if ((await ask(user, call, callers)) === 'failed') books.of(user.id).failed += 1
      } catch (error) {
        failing.abort(error)
      }
    }
  }
}
