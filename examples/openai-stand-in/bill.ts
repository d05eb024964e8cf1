// What was served to whom, in integers. It counts what the server put on the wire, and hears nothing of what clients count.

import { TOKEN_PRICES } from './prices.js'

/** One user's bill. */
export interface Served {
  /** Completions that were answered. */
  requests: number
  /** Requests that were answered with an error. */
  failed: number
  promptTokens: number
  completionTokens: number
  microcents: number
}

/** Adds up what was served. `miscounts` names a user whose first completion is counted one microcent too high. */
export class Bill {
  readonly #users = new Map<string, Served>()
  #miscounts: string | undefined

  constructor(miscounts?: string) {
    this.#miscounts = miscounts
  }

  /** Counts one completion. */
  serve(user: string, model: string, promptTokens: number, completionTokens: number): void {
    const price = TOKEN_PRICES.get(model)
    if (price === undefined) throw new Error(`${model} has no price`)
    const served = this.#of(user)
    served.requests += 1
    served.promptTokens += promptTokens
    served.completionTokens += completionTokens
    served.microcents += promptTokens * price.promptMicrocents + completionTokens * price.completionMicrocents
    if (user !== this.#miscounts) return
    served.microcents += 1
    this.#miscounts = undefined
  }

  /** Counts one request that failed: it costs nothing. */
  fail(user: string): void {
    this.#of(user).failed += 1
  }

  /** The bill as JSON. */
  toJSON(): { users: Record<string, Served>; total: Served } {
    const total: Served = nothing()
    for (const served of this.#users.values()) for (const field of FIELDS) total[field] += served[field]
    return { users: Object.fromEntries(this.#users), total }
  }

  #of(user: string): Served {
    const known = this.#users.get(user)
    if (known !== undefined) return known
    const served = nothing()
    this.#users.set(user, served)
    return served
  }
}

const FIELDS = ['requests', 'failed', 'promptTokens', 'completionTokens', 'microcents'] as const

function nothing(): Served {
  return { requests: 0, failed: 0, promptTokens: 0, completionTokens: 0, microcents: 0 }
}
