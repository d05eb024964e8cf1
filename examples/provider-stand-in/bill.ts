// What was served to whom, in integers. It counts what the server put on the wire, and hears nothing of what clients count.

import { microcentsOf, type Model, type Used } from './models.js'

/** One user's bill, or one API key's. */
export interface Served {
  /** Calls that were answered. */
  requests: number
  /** Requests that were answered with an error. */
  failed: number
  inputTokens: number
  outputTokens: number
  microcents: number
}

/** Who pays: the user that the request names, and the API key that it came with. */
export interface Payer {
  readonly user: string
  readonly key: string
}

/** Adds up what was served. `miscounts` names a user whose first call is counted one microcent too high. */
export class Bill {
  readonly #users = new Map<string, Served>()
  readonly #keys = new Map<string, Served>()
  #miscounts: string | undefined

  constructor(miscounts?: string) {
    this.#miscounts = miscounts
  }

  /** Counts one call that was answered. */
  serve(payer: Payer, model: Model, used: Used): void {
    const { fresh, cached, written, writtenForHour, reasoning, words } = used
    const isMiscounted = payer.user === this.#miscounts
    if (isMiscounted) this.#miscounts = undefined
    const microcents = microcentsOf(model, used) + (isMiscounted ? 1 : 0)
    this.#add(payer, { requests: 1, failed: 0, inputTokens: fresh + cached + written + writtenForHour, outputTokens: reasoning + words, microcents })
  }

  /** Counts one request that failed: it costs nothing. */
  fail(payer: Payer): void {
    this.#add(payer, { ...nothing(), failed: 1 })
  }

  /** The bill as JSON. */
  toJSON(): { users: Record<string, Served>; keys: Record<string, Served>; total: Served } {
    const total = nothing()
    for (const served of this.#users.values()) addTo(total, served)
    return { users: Object.fromEntries(this.#users), keys: Object.fromEntries(this.#keys), total }
  }

  #add({ user, key }: Payer, call: Served): void {
    for (const [account, name] of [[this.#users, user], [this.#keys, key]] as const) {
      const served = account.get(name) ?? nothing()
      account.set(name, served)
      addTo(served, call)
    }
  }
}

const FIELDS = ['requests', 'failed', 'inputTokens', 'outputTokens', 'microcents'] as const

function addTo(sum: Served, more: Served): void {
  for (const field of FIELDS) sum[field] += more[field]
}

function nothing(): Served {
  return { requests: 0, failed: 0, inputTokens: 0, outputTokens: 0, microcents: 0 }
}
