// The way down from a model to cheaper ones. Exact names only: `gpt-4o-mini` is never taken for `gpt-4o`.

import { InvalidConfigError } from '../errors/index.js'

/** For each model the next cheaper one, or the whole way down: `{ 'gpt-4o': 'gpt-4o-mini' }`. */
export type LadderConfig = Readonly<Record<string, string | readonly string[]>>

/** A checked ladder. */
export class Ladder {
  readonly #chains = new Map<string, readonly string[]>()
  readonly #bottoms = new Set<string>()

  /** Throws `InvalidConfigError` for a ladder that leads back to where it came from. */
  constructor(config: LadderConfig) {
    for (const model of Object.keys(config)) {
      const chain = chainOf(config, model)
      this.#chains.set(model, chain)
      for (const cheaper of chain.slice(1)) this.#bottoms.add(cheaper)
    }
  }

  /** The models from the one asked for to the cheapest; only itself for a model without a cheaper one. */
  chain(model: string): readonly string[] {
    return this.#chains.get(model) ?? [model]
  }

  /** True for a model that stands anywhere on the ladder, also at its bottom. */
  knows(model: string): boolean {
    return this.#chains.has(model) || this.#bottoms.has(model)
  }
}

function chainOf(config: LadderConfig, model: string): readonly string[] {
  const chain: string[] = []
  const next = [model]
  while (next.length > 0) {
    const current = next.shift() as string
    if (chain.includes(current)) throw new InvalidConfigError(`ladder.${model}: leads from "${current}" back to itself (${[...chain, current].join(' → ')}). Remove one of these steps.`)
    chain.push(current)
    const below = Object.hasOwn(config, current) && next.length === 0 ? config[current] : undefined
    if (below !== undefined) next.push(...(typeof below === 'string' ? [below] : below))
  }
  return Object.freeze(chain)
}
