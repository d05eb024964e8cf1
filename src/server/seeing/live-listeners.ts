// Who may listen to one process: so many at all, with one key and of one tenant, and never so many that the operator finds no room.

import type { Caller } from '../caller.js'
import { Problem } from '../problem.js'

const MOST = 100
/** Keys that are not the operator's have so many of these together, */
const MOST_OF_OTHERS = 90
/** and those of one tenant, or of users of none, half. */
const MOST_OF_ONE_TENANT = 50
const MOST_OF_ONE_KEY = 10
const RETRY = { 'retry-after': '60' }

/** Counts those who listen. */
export class LiveListeners {
  readonly #ofKey = new Map<string | undefined, number>()
  readonly #ofTenant = new Map<string | undefined, number>()
  #others = 0
  #all = 0

  /** Lets one more listen until the function that it gives is called, once. Throws a 429 where the key or the tenant has too many, and a 503 where all have. */
  enter({ keyId, tenant, isOperator }: Pick<Caller, 'keyId' | 'tenant' | 'isOperator'>): () => void {
    if ((this.#ofKey.get(keyId) ?? 0) >= MOST_OF_ONE_KEY) throw new Problem(429, 'TOO_FAST', `key: ${MOST_OF_ONE_KEY} listen with it already. Close one of them.`, RETRY)
    if (!isOperator && (this.#ofTenant.get(tenant) ?? 0) >= MOST_OF_ONE_TENANT) throw new Problem(429, 'TOO_FAST', `key: ${MOST_OF_ONE_TENANT} listen with keys of ${tenant === undefined ? 'users without a tenant' : 'this tenant'} already. Close one of them.`, RETRY)
    const [here, most] = isOperator ? [this.#all, MOST] : [this.#others, MOST_OF_OTHERS]
    if (here >= most || this.#all >= MOST) throw new Problem(503, 'UNAVAILABLE', 'Too many listen to this process already. Ask /v1/state now and then instead.', RETRY)
    const count = (more: 1 | -1): void => {
      this.#all += more
      add(this.#ofKey, keyId, more)
      if (isOperator) return
      this.#others += more
      add(this.#ofTenant, tenant, more)
    }
    count(1)
    return () => count(-1)
  }
}

function add(counts: Map<string | undefined, number>, name: string | undefined, more: number): void {
  const now = (counts.get(name) ?? 0) + more
  if (now === 0) counts.delete(name)
  else counts.set(name, now)
}
