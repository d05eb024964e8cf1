// How properties run here: under a seed that is printed, so that what failed once can be run again (BURSAR_SEED=… vitest run …).

import fc from 'fast-check'
import type { Store } from '../../src/store/index.js'
import type { Clock } from '../../src/time/index.js'

/** Makes the store that a property is tried on. Store time is the clock's. */
export type StoreFactory = (clock: Clock) => Store

/** BURSAR_RUNS=20000 looks deeper than a usual run does. */
const RUNS = Number(process.env['BURSAR_RUNS'] ?? 1_000)

function seed(): number {
  const given = process.env['BURSAR_SEED']
  return given === undefined ? Math.floor(Math.random() * 0x7fffffff) : Number(given)
}

/** Asserts a property and prints its seed. Throws fast-check's report with the shrunk counterexample if it fails. */
export async function assertProperty<Ts>(promise: string, property: fc.IAsyncProperty<Ts>, numRuns = RUNS): Promise<void> {
  const chosen = seed()
  console.log(`${promise} seed=${chosen} runs=${numRuns}`)
  await fc.assert(property, { seed: chosen, numRuns, ...(process.env['BURSAR_NO_SHRINK'] !== undefined && { endOnFailure: true }) })
}

/** True if the property survives as many runs as a promise gets: asked of stores that are broken on purpose. */
export async function propertyHolds<Ts>(property: fc.IAsyncProperty<Ts>, numRuns = RUNS): Promise<boolean> {
  const { failed } = await fc.check(property, { seed: seed(), numRuns, endOnFailure: true })
  return !failed
}
