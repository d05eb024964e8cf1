// Running sums of the ledger by model, provider and tier, bounded in number, so that a summary costs the same after a billion
// entries as after one.

import { ExactSum } from '../money/index.js'
import type { LedgerTotals, ModelTotals } from './entry.js'

/** How many different names are summed apart; later ones count under {@link OTHERS}. */
export const MAX_NAMES = 1_000
/** The name of the sum of all further names. */
export const OTHERS = '(others)'
/** The name of the sum of what was charged without a name. */
export const UNKNOWN = 'unknown'

interface Sum {
  readonly microcents: ExactSum
  readonly tokens: ExactSum
  entries: number
}

/** Sums that grow with every charge, and lose nothing: a snapshot says them exactly up to 2^53, and beyond as the nearest double. */
export class RunningTotals {
  readonly #all = newSum()
  readonly #byModel = new Map<string, Sum>()
  readonly #byProvider = new Map<string, Sum>()
  readonly #byTier = new Map<string, Sum>()

  /** Adds one charge, or with negative amounts a correction. */
  add(microcents: number, tokens: number, model: string | undefined, provider: string | undefined, tier: string | undefined): void {
    addTo(this.#all, microcents, tokens)
    addTo(sumOf(this.#byModel, model), microcents, tokens)
    addTo(sumOf(this.#byProvider, provider), microcents, tokens)
    addTo(sumOf(this.#byTier, tier), microcents, tokens)
  }

  /** The sums as they stand. */
  snapshot(): LedgerTotals {
    return { ...shownSum(this.#all), byModel: copied(this.#byModel), byProvider: copied(this.#byProvider), byTier: copied(this.#byTier) }
  }
}

function newSum(): Sum {
  return { microcents: new ExactSum(), tokens: new ExactSum(), entries: 0 }
}

function sumOf(sums: Map<string, Sum>, name: string = UNKNOWN): Sum {
  const known = sums.get(name)
  if (known !== undefined) return known
  const sum = newSum()
  if (sums.size >= MAX_NAMES && name !== OTHERS) return sumOf(sums, OTHERS)
  sums.set(name, sum)
  return sum
}

function addTo(sum: Sum, microcents: number, tokens: number): void {
  sum.microcents.add(microcents)
  sum.tokens.add(tokens)
  sum.entries += 1
}

function shownSum({ microcents, tokens, entries }: Sum): ModelTotals {
  return { microcents: Number(microcents.value), tokens: Number(tokens.value), entries }
}

function copied(sums: ReadonlyMap<string, Sum>): Map<string, ModelTotals> {
  return new Map([...sums].map(([name, sum]) => [name, shownSum(sum)]))
}
