// The shared facts of a store that may be away: in time, or not at all.

import type { Registry } from '../store/index.js'
import { stepwise, type Ask } from './ledger.js'

/** A registry of which every answer is asked for by `ask`. */
export function guardedRegistry(registry: Registry, ask: Ask): Registry {
  return {
    get: (kind, key) => ask('registry', () => registry.get(kind, key)),
    put: (kind, key, value, write) => ask('registry', () => registry.put(kind, key, value, write)),
    list: (kind) => stepwise('registry', () => registry.list(kind), ask),
  }
}
