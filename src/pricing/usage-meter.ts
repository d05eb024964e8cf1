// What one call has used so far, added up piece by piece. It never throws: a piece that is wrong is refused and reported, and
// the call it belongs to goes on. It knows no prices: what came without a cost waits for one.

import { InvalidRequestError } from '../errors/index.js'
import { parseCount, parseUsd, saturatingAdd, type Usd } from '../money/index.js'

/**
 * What tokens were used for. `prompt` is another word for `input`, `completion` for `output`. A `function_call` is written by the
 * model and costs what output does; for `tool_usage`, what a tool gave and the model reads, the price is that of input. `total` is a check value:
 * it is never added up, and where it is not the sum of the others when the call is settled, the event `usage-error` says so.
 */
export type UsageType = 'input' | 'output' | 'prompt' | 'completion' | 'function_call' | 'tool_usage' | 'total'

const DIRECTIONS: Readonly<Record<UsageType, 'input' | 'output' | 'total'>> = {
  input: 'input',
  prompt: 'input',
  tool_usage: 'input',
  output: 'output',
  completion: 'output',
  function_call: 'output',
  total: 'total',
}

/** What is known of a piece beside its tokens. */
export interface UsageDetails {
  /** USD, for this piece; without it the price book says it when the call is settled. */
  readonly cost?: Usd | undefined
  /** A name for people: the ledger entry has the tokens of each. */
  readonly label?: string | undefined
  /** The model that used them, where it is not the decision's: another one that was tried before. */
  readonly model?: string | undefined
  /** Whose model that is, where it is not the request's provider. */
  readonly provider?: string | undefined
}

/** What one model has used without a cost of its own. */
export interface MeteredTokens {
  /** Absent: the decision's. */
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly inputTokens: number
  readonly outputTokens: number
}

/** What one model has used, with its own cost or without. */
export interface MeteredModel {
  /** Absent: the decision's. */
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly inputTokens: number
  readonly outputTokens: number
  /** What came with a cost costs so much. */
  readonly microcents: number
  /** Of that: what came without tokens. */
  readonly feeMicrocents: number
  /** What came without one. */
  readonly unpriced: MeteredTokens | undefined
}

const LONGEST_LABEL = 256
const MOST_LABELS = 100
const MOST_MODELS = 100
const OTHER_LABELS = '(others)'
const DETAILS = ['cost', 'label', 'model', 'provider']

/** Adds up the usage of one call. */
export class UsageMeter {
  #inputTokens = 0
  #outputTokens = 0
  #total: number | undefined
  #microcents = 0
  #pieces = 0
  #isUnpriced = false
  readonly #models = new Map<string, MeteredModel>()
  #labels: Map<string, number> | undefined

  /** True once something was metered. */
  get used(): boolean {
    return this.#pieces > 0
  }

  get inputTokens(): number {
    return this.#inputTokens
  }

  get outputTokens(): number {
    return this.#outputTokens
  }

  get tokens(): number {
    return saturatingAdd(this.#inputTokens, this.#outputTokens)
  }

  /** The metered cost; `undefined` where tokens came without one, so that they need a price. */
  get microcents(): number | undefined {
    return this.#isUnpriced ? undefined : this.#microcents
  }

  /** What was metered with a cost, whatever else was. */
  get pricedMicrocents(): number {
    return this.#microcents
  }

  /** What came without a cost, model by model. */
  get unpriced(): readonly MeteredTokens[] {
    return this.models.flatMap(({ unpriced }) => unpriced ?? [])
  }

  /** Everything, model by model. */
  get models(): readonly MeteredModel[] {
    return [...this.#models.values()]
  }

  /** Tokens by label, where any was given. */
  get labels(): Readonly<Record<string, number>> | undefined {
    return this.#labels === undefined ? undefined : Object.fromEntries(this.#labels)
  }

  /** What is wrong with the total that was reported beside the pieces, if anything is. */
  get totalError(): Error | undefined {
    if (this.#total === undefined || !this.used || this.#total === this.tokens) return undefined
    return new InvalidRequestError(`total: ${this.#total} tokens were reported as the total, and the pieces add up to ${this.tokens}. The pieces count; report each of them once.`)
  }

  /** Adds one piece: a number or numeric string of tokens. Returns what was wrong with it instead of throwing; then nothing of it counts. */
  add(tokens: number | string, type: UsageType, details: UsageDetails = {}): Error | undefined {
    try {
      if (!Object.hasOwn(DIRECTIONS, type)) throw new InvalidRequestError(`type: ${JSON.stringify(type)} is no type of usage. Use ${Object.keys(DIRECTIONS).join(', ')}.`)
      const count = parseCount(typeof tokens === 'string' && /^\s*\d+\s*$/.test(tokens) ? Number(tokens) : tokens, 'tokens')
      const { microcents, label, model, provider } = readDetails(details)
      const direction = DIRECTIONS[type]
      if (direction === 'total') {
        this.#total = count
        return undefined
      }
      const key = JSON.stringify([model, provider])
      if (!this.#models.has(key) && this.#models.size >= MOST_MODELS) throw new InvalidRequestError(`details.model: is the one more than the ${MOST_MODELS} models that one call can have. Meter the calls of so many models under decisions of their own.`)
      this.#pieces += 1
      if (direction === 'input') this.#inputTokens = saturatingAdd(this.#inputTokens, count)
      else this.#outputTokens = saturatingAdd(this.#outputTokens, count)
      if (label !== undefined) this.#note(label, count)
      if (microcents !== undefined) this.#microcents = saturatingAdd(this.#microcents, microcents)
      else if (count > 0) this.#isUnpriced = true
      this.#ofModel(key, model, provider, { inputTokens: direction === 'input' ? count : 0, outputTokens: direction === 'input' ? 0 : count }, microcents)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  #note(label: string, count: number): void {
    this.#labels ??= new Map()
    const name = this.#labels.has(label) || this.#labels.size < MOST_LABELS ? label : OTHER_LABELS
    this.#labels.set(name, saturatingAdd(this.#labels.get(name) ?? 0, count))
  }

  #ofModel(key: string, model: string | undefined, provider: string | undefined, used: Tokens, microcents: number | undefined): void {
    const before = this.#models.get(key) ?? { model, provider, inputTokens: 0, outputTokens: 0, microcents: 0, feeMicrocents: 0, unpriced: undefined }
    const unpriced = microcents === undefined && used.inputTokens + used.outputTokens > 0 ? { model, provider, ...sum(before.unpriced, used) } : before.unpriced
    this.#models.set(key, { ...before, ...sum(before, used), microcents: saturatingAdd(before.microcents, microcents ?? 0), feeMicrocents: saturatingAdd(before.feeMicrocents, used.inputTokens + used.outputTokens === 0 ? (microcents ?? 0) : 0), unpriced })
  }
}

type Tokens = Pick<MeteredTokens, 'inputTokens' | 'outputTokens'>

function sum(before: Tokens | undefined, used: Tokens): Tokens {
  return { inputTokens: saturatingAdd(before?.inputTokens ?? 0, used.inputTokens), outputTokens: saturatingAdd(before?.outputTokens ?? 0, used.outputTokens) }
}

function readDetails(details: UsageDetails): { microcents: number | undefined; label: string | undefined; model: string | undefined; provider: string | undefined } {
  if (typeof details !== 'object' || details === null) throw new InvalidRequestError(`details: ${String(details)} is no object. Give { cost, label, model, provider }, or nothing.`)
  const unknown = Object.keys(details).find((field) => !DETAILS.includes(field))
  if (unknown !== undefined) throw new InvalidRequestError(`details.${unknown}: is no known field. Use ${DETAILS.join(', ')}.`)
  const { cost, label, model, provider } = details
  for (const [field, text] of Object.entries({ label, model, provider })) {
    if (text === undefined || (typeof text === 'string' && text.length > 0 && text.length <= LONGEST_LABEL)) continue
    throw new InvalidRequestError(`details.${field}: ${JSON.stringify(text)} is no name. Give 1 to ${LONGEST_LABEL} characters.`)
  }
  return { microcents: cost === undefined ? undefined : parseUsd(cost, 'cost', 'round-up'), label, model, provider }
}
