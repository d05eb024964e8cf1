// A store that counts nothing: it is told how the windows stand and applies the rule of admission to that.

import type { ReserveRequest, Store } from '../../src/store/index.js'
import { admit } from '../../src/store/index.js'

/** A store whose windows stand as `readingsOf` says at every reserve. Only reserve, the directory, the registry and the ledger answer. */
export function readingsStore(readingsOf: (request: ReserveRequest) => readonly number[], now: number): Store {
  const unused = (): never => {
    throw new Error('readingsStore only answers reserve')
  }
  return {
    name: 'readings',
    shared: false,
    directory: { get: () => undefined, change: unused },
    // Nobody has made a limit.
    registry: { get: () => undefined, put: unused, async *list() {} },
    ledger: { append: () => {}, entries: unused, totals: unused },
    reserve: (request) => {
      const readings = readingsOf(request)
      const { rung, degrade } = admit(request, readings)
      if (rung < 0) return { outcome: 'refused', now, readings, freeing: new Map(), effects: [] }
      return { outcome: 'admitted', now, rung, degrade, dueAt: now + request.ttlMs, readings, effects: [] }
    },
    settle: unused,
    release: unused,
    extend: unused,
    record: unused,
    refund: unused,
    read: unused,
    restart: unused,
    totals: unused,
    users: unused,
    close: () => {},
  }
}
