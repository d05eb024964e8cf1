// What a stream has used so far: of one answer mostly, of several where the call tries another model, or the same one again, within it. They are
// added up here where they are of one model, and metered apart where they are not.

import type { AllowedDecision, Outcome } from '../decision/index.js'
import { formatUsd, saturatingAdd } from '../money/index.js'
import { readReported, type Usage } from '../pricing/index.js'
import { Answer, isSameModel, NOTHING_KNOWN, type KnownTokens } from './answer.js'
import type { StreamReading } from './reading.js'

interface Used {
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly usage: Usage
}

/** The answers of one stream. */
export class UsedSoFar {
  /** How many pieces were delivered. */
  pieces = 0
  readonly #known: KnownTokens
  readonly #over: Answer[] = []
  #answer: Answer

  constructor(known: KnownTokens) {
    this.#known = known
    this.#answer = new Answer(known)
  }

  /** Takes in a piece that was delivered, with what it says. */
  add(reading: StreamReading | undefined): void {
    this.pieces += 1
    if (reading !== undefined && this.#answer.isOver(reading)) {
      if (!this.#answer.isEmpty) this.#over.push(this.#answer)
      this.#answer = new Answer(this.#known)
    }
    this.#answer.add(reading)
  }

  /** Takes in a piece that nobody could read. */
  addUnreadable(): void {
    this.pieces += 1
    this.#answer.addUnreadable()
  }

  /** What to settle, once what the answers of other models than the last one's have used is metered on the decision. */
  outcome(decision: AllowedDecision): Outcome {
    const { model, provider } = this.#answer
    const last = this.#answer.used()
    let { usage, estimated } = last
    let isKnown = !isNothing(usage)
    for (const answer of this.#over) {
      const earlier = answer.used()
      estimated ||= earlier.estimated
      if (isNothing(earlier.usage)) isKnown = false
      else if (isSame(answer, this.#answer, decision.model, this.#known)) usage = this.#sum(earlier.usage, usage)
      else isKnown = this.#meter(decision, { model: answer.model ?? decision.model, provider: answer.provider, usage: earlier.usage }) && isKnown
    }
    const answered = { ...(model !== undefined && { model }), ...(provider !== undefined && { provider }) }
    return { usage: isKnown ? usage : NOTHING_KNOWN, ...answered, ...(estimated && { estimated }) }
  }

  /** False where it has more than plain tokens, and nobody knows what that costs. */
  #meter(decision: AllowedDecision, { model, provider, usage }: Used): boolean {
    const { inputTokens = 0, outputTokens = 0, ...more } = usage
    const details = { ...(model !== undefined && { model }), ...(provider !== undefined && { provider }) }
    // What is counted apart has prices of its own, which a meter of tokens does not know.
    const isPlain = Object.values(more).every((count) => count === 0)
    const cost = isPlain ? undefined : this.#costOf({ model, provider, usage })
    decision.addUsage(inputTokens, 'input', cost === undefined ? details : { ...details, cost: formatUsd(cost) })
    decision.addUsage(outputTokens, 'output', cost === undefined ? details : { ...details, cost: 0 })
    return isPlain || cost !== undefined
  }

  /** Both of one model. A cost that only one of them names is the whole one's only together with what the other one costs. */
  #sum(a: Usage, b: Usage): Usage {
    const { model, provider } = this.#answer
    const sum: Record<string, unknown> = { ...a }
    for (const [field, count] of Object.entries(b)) if (field !== 'cost') sum[field] = ((sum[field] as number | undefined) ?? 0) + (count as number)
    if (a.cost === undefined && b.cost === undefined) return sum
    const costs = [a, b].map((usage) => this.#costOf({ model, provider, usage }))
    return costs.includes(undefined) ? NOTHING_KNOWN : { ...sum, cost: formatUsd(saturatingAdd(costs[0] as number, costs[1] as number)) }
  }

  #costOf({ model, provider, usage }: Used): number | undefined {
    try {
      return readReported(usage)?.microcents ?? this.#known.priceOf?.(model, provider)?.costOf(usage)
    } catch {
      return undefined
    }
  }
}

function isSame(a: Answer, b: Answer, decided: string | undefined, known: KnownTokens): boolean {
  if (a.provider !== b.provider && a.provider !== undefined && b.provider !== undefined) return false
  const [one, other] = [a.model ?? decided, b.model ?? decided]
  return one === other || (one !== undefined && other !== undefined && isSameModel(one, other, b.provider ?? a.provider, known))
}

function isNothing(usage: Usage): boolean {
  return Object.keys(usage).length === 0
}
