// What the tests of the SDK integrations share: an engine with real prices, and what can be seen of the money in it.

import { Bursar, type BursarConfig, type CostTracker, type LedgerEntry } from '../../../src/index.js'
import { priceBook } from '../../../src/prices/index.js'
import { entriesOf } from '../setting.js'

/** An engine with the prices of the catalog, a dollar a day for everybody, and its errors in a list. */
export function engine(config: Partial<BursarConfig> = {}): { bursar: Bursar; errors: string[]; mismatches: string[] } {
  const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', prices: priceBook(), ...config })
  const errors: string[] = []
  const mismatches: string[] = []
  bursar.on('usage-error', ({ error }) => errors.push(error.message))
  bursar.on('model-mismatch', ({ decided, answered }) => mismatches.push(`${decided} → ${answered}`))
  return { bursar, errors, mismatches }
}

/** What a user has spent and what is held, in microcents. */
export async function moneyOf({ tracker }: { readonly tracker: unknown }, userId = 'ada'): Promise<{ spent: number; held: number }> {
  const { windows } = await (tracker as CostTracker).context({ userId })
  const [day] = windows.filter(({ period, scope }) => period === 'daily' && scope.kind === 'user')
  return { spent: Math.round((day?.spent ?? 0) * 1e8), held: Math.round((day?.held ?? 0) * 1e8) }
}

/** All that was charged, oldest first. */
export async function charges({ tracker }: { readonly tracker: unknown }): Promise<LedgerEntry[]> {
  return (await entriesOf(tracker as CostTracker)).filter(({ kind }) => kind !== 'denied' && kind !== 'configured')
}

/** Resolves with the first charge, once there is one. */
export function charged(bursar: { on(name: 'settled', listener: (event: { exact: { costMicrocents: number } }) => void): unknown }): Promise<number> {
  return new Promise((resolve) => bursar.on('settled', ({ exact }) => resolve(exact.costMicrocents)))
}

/** What a promise rejects with. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error('expected an error')
}
