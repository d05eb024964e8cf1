// What one call has used so far, added up piece by piece. It never throws: a piece that is wrong is refused and reported, and
// the call it belongs to goes on.

import { parseCount, parseUsd, saturatingAdd, type Usd } from '../money/index.js'
import { InvalidRequestError } from '../errors/index.js'

/** What tokens were used for. `prompt` is another word for `input`, `completion` for `output`; `total` is a check value. */
export type UsageType = 'input' | 'output' | 'prompt' | 'completion' | 'function_call' | 'tool_usage' | 'total'

const TYPES: Readonly<Record<UsageType, string>> = {
  input: 'input',
  prompt: 'input',
  output: 'output',
  completion: 'output',
  function_call: 'function_call',
  tool_usage: 'tool_usage',
  total: 'total',
}

/** A piece's cost in USD, and a name for people. */
export interface UsageDetails {
  readonly cost?: Usd | undefined
  readonly label?: string | undefined
}

/** Adds up the usage of one call. */
export class UsageMeter {
  #tokens = 0
  #microcents = 0
  #pieces = 0
  #unpriced = 0

  /** True once something was metered. */
  get used(): boolean {
    return this.#pieces > 0
  }

  get tokens(): number {
    return this.#tokens
  }

  /** The metered cost; `undefined` where a piece came without one, so that tokens would need a price. */
  get microcents(): number | undefined {
    return this.#unpriced === 0 ? this.#microcents : undefined
  }

  /** What was metered with a cost, whatever else was. */
  get pricedMicrocents(): number {
    return this.#microcents
  }

  /** Adds one piece: a number or numeric string of tokens. Returns what was wrong with it instead of throwing. */
  add(tokens: number | string, type: UsageType, details: UsageDetails = {}): Error | undefined {
    try {
      if (!Object.hasOwn(TYPES, type)) throw new InvalidRequestError(`type: ${JSON.stringify(type)} is no type of usage. Use ${Object.keys(TYPES).join(', ')}.`)
      const count = parseCount(typeof tokens === 'string' && tokens.trim() !== '' ? Number(tokens) : tokens, 'tokens')
      const microcents = details.cost === undefined ? undefined : parseUsd(details.cost, 'cost', 'round-up')
      if (TYPES[type] === 'total') return undefined
      this.#pieces += 1
      this.#tokens = saturatingAdd(this.#tokens, count)
      if (microcents === undefined) this.#unpriced += count === 0 ? 0 : 1
      else this.#microcents = saturatingAdd(this.#microcents, microcents)
      return undefined
    } catch (error) {
      return error as Error
    }
  }
}
