// Measures speed: every contestant in this process, round by round, so that a slow moment of the machine falls on all of them.

import type { Contestant } from './contestants.js'

/** How long and how often to measure. */
export interface Pace {
  readonly rounds: number
  readonly roundMs: number
  /** Operations before the first round: at least one for each user, so that no round makes users. */
  readonly warmUpOperations: number
}

/** What one contestant did in each round. */
export interface Run {
  readonly contestant: Contestant
  readonly operationsPerRound: number
  readonly operationsPerSecond: readonly number[]
}

const PROBE_PARTS = 3

/** Runs all rounds. A round is a fixed number of operations, found in the warm-up. */
export async function measureSpeed(contestants: readonly Contestant[], { rounds, roundMs, warmUpOperations }: Pace): Promise<Run[]> {
  const runs: { contestant: Contestant; operationsPerRound: number; operationsPerSecond: number[] }[] = []
  for (const contestant of contestants) {
    await contestant.run(warmUpOperations)
    const perSecond = await operationsPerSecond(contestant, Math.ceil(warmUpOperations / PROBE_PARTS))
    runs.push({ contestant, operationsPerRound: Math.max(1_000, Math.round((perSecond * roundMs) / 1e6) * 1_000), operationsPerSecond: [] })
  }
  for (let round = 0; round < rounds; round += 1) {
    // There and back again: no contestant always runs behind the same one.
    for (const run of round % 2 === 0 ? runs : runs.toReversed()) run.operationsPerSecond.push(await operationsPerSecond(run.contestant, run.operationsPerRound))
  }
  return runs
}

async function operationsPerSecond(contestant: Contestant, operations: number): Promise<number> {
  // The young garbage of the one before is not this one's to collect.
  globalThis.gc?.({ type: 'minor' })
  const startedAt = performance.now()
  await contestant.run(operations)
  return (operations * 1_000) / (performance.now() - startedAt)
}

/** The middle of some numbers. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** How much faster one is than another: the median of the ratios within each round. */
export function ratio(run: Run, reference: Run): number {
  return median(run.operationsPerSecond.map((value, round) => value / (reference.operationsPerSecond[round] as number)))
}
