// What a call reported, turned into integers before the store is asked, so that bad input changes nothing: a cost as it was given,
// usage by its price, or what was metered.

import { z } from 'zod'
import { countSchema, idSchema, usdSchema } from '../budget/index.js'
import { InvalidRequestError, MissingCostError } from '../errors/index.js'
import type { CostDetails } from '../ledger/index.js'
import { formatUsd, parseUsd, saturatingAdd } from '../money/index.js'
import { assertCounts, readReported, REPORTED, type MeteredModel, type Price, type PriceQuery, type Usage, type UsageMeter } from '../pricing/index.js'
import { modelOf, type Opened } from '../store/index.js'
import { assertInstant, type Clock } from '../time/index.js'
import { parseStrictly, totalTokens } from '../tracker/index.js'
import type { Decided, Outcome } from './decision.js'
import type { Tariff } from './tariff.js'

/** What a call cost, in integers. */
export interface Actual {
  readonly microcents: number
  readonly tokens: number | undefined
  /** The model that answered, where it is not the decision's by another name. */
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly details: CostDetails | undefined
  /** What is wrong with usage whose cost is known all the same. */
  readonly flaw?: Error | undefined
}

/** What says which price a call has: its decision, or what its hold was opened with. */
export type Priced = Pick<Decided, 'priced'>

type Counts = Readonly<Record<string, number>>

/** What one model of a call has used, and what that costs. */
interface Part {
  readonly counts: Counts
  readonly microcents: number
}

const NOTHING_REPORTED: Outcome = Object.freeze({})
const NO_BOOK = 'what its tokens cost is not configured. Give cost in USD, or configure prices (priceBook() of bursar/prices).'
const outcomeSchema = z.strictObject({
  cost: usdSchema.optional(),
  usage: z.custom<Usage>((value) => typeof value === 'object' && value !== null && !Array.isArray(value), 'must be a Usage: convert the object of a provider with openaiUsage() or anthropicUsage()').optional(),
  tokens: z.union([countSchema, z.record(z.string(), countSchema)]).optional(),
  model: idSchema.optional(),
  provider: idSchema.optional(),
  estimated: z.literal(true).optional(),
})

/** Reads outcomes by one set of prices. */
export class OutcomeReader {
  readonly tariff: Tariff
  readonly #clock: Clock

  constructor(tariff: Tariff, clock: Clock) {
    this.tariff = tariff
    this.#clock = clock
  }

  /**
   * The integers of what a call reported. What it says itself counts before what was metered; a cost counts before usage. A cost is that
   * of everything. A usage is that of the model that answered: what was metered for other models is added, and so are fees (metered costs without
   * tokens); tokens that were metered for the answering model are in it, or, where it is only `estimated`, whichever costs more counts. Throws
   * `MissingCostError`, `PricesNotConfigured`, `UnpricedModelError` or what is wrong with it. Without `decided` no usage can be priced.
   */
  read(outcome: Outcome | undefined, meter: UsageMeter | undefined, decided: Priced | undefined): Actual {
    if (outcome !== undefined && isPlainOutcome(outcome) && outcome.cost !== undefined) return plainActual(outcome.cost, meter)
    const given = outcome === undefined ? NOTHING_REPORTED : (parseStrictly(outcomeSchema, outcome, 'outcome') as Outcome)
    const tokens = given.tokens === undefined ? undefined : totalTokens(given.tokens, 'tokens')
    if (given.usage !== undefined) return this.#ofUsage(given, given.usage, tokens, meter, decided)
    if (given.cost !== undefined) {
      const { microcents, tokens: metered, details } = plainActual(given.cost, meter)
      return { microcents, tokens: tokens ?? metered, ...this.#answered(given, decided), details: marked(details, given) }
    }
    if (meter === undefined || !meter.used) {
      throw new MissingCostError('cost: is missing, and nothing was metered. Give cost in USD or usage, meter usage with addUsage(), or release() a call that was not made.')
    }
    return this.#ofMeter(given, meter, tokens, decided)
  }

  /** True for usage that has to be priced, and can be where its decision is known. Throws for an outcome that {@link read} would refuse anyway. */
  asksForPrice(outcome: Outcome | undefined): boolean {
    if (outcome === undefined || isPlainOutcome(outcome) || !this.tariff.isConfigured) return false
    const { usage, cost } = parseStrictly(outcomeSchema, outcome, 'outcome') as Outcome
    if (usage === undefined || cost !== undefined || readReported(usage) !== undefined) return false
    assertCounts(usage)
    return true
  }

  /** Which price the call of a hold has, as its decision says it. */
  pricedBy({ facts, rung, openedAt }: Opened): Priced {
    const { provider, user } = facts
    const model = modelOf(facts, rung)
    const query = { model, tenant: user.tenant, at: openedAt }
    return { priced: () => ({ ...query, provider: rung === 0 ? provider : this.tariff.sellerOf({ ...query, model: model ?? '', provider }) }) }
  }

  /** What was metered costs at least so much: with prices where there are any, else what came with a cost. */
  metered(meter: UsageMeter, decided: Priced): { readonly microcents: number; readonly isComplete: boolean } {
    try {
      return { microcents: this.#ofMeter(NOTHING_REPORTED, meter, undefined, decided).microcents, isComplete: true }
    } catch {
      return { microcents: meter.pricedMicrocents, isComplete: false }
    }
  }

  #ofUsage(given: Outcome, usage: Usage, tokens: number | undefined, meter: UsageMeter | undefined, decided: Priced | undefined): Actual {
    const said = readReported(usage)
    const reported = said?.microcents
    if (said === undefined) assertCounts(usage)
    // Counts that do not add up are no reason to charge something else than the provider does.
    const counts = said?.flaw === undefined ? countsOf(usage) : {}
    const own = given.cost === undefined ? undefined : parseUsd(given.cost, 'cost', 'round-up')
    if (own !== undefined && reported !== undefined && own !== reported) {
      throw new InvalidRequestError(`cost: ${formatUsd(own)} USD was given, and usage.cost says ${formatUsd(reported)} USD. A call has one cost: give one of them.`)
    }
    const known = own ?? reported
    const versions = new Set<string>(reported !== undefined && own === undefined ? [REPORTED] : [])
    const answering: Part = { counts, microcents: known ?? this.#priced(usage, given, decided, versions) }
    // A cost of the call's own is that of everything.
    const parts = own === undefined && meter !== undefined ? this.#withMetered(answering, meter, given, decided, versions) : [answering]
    const microcents = parts.reduce((sum, part) => saturatingAdd(sum, part.microcents), 0)
    const all = parts.reduce<Counts>((sum, part) => withTokens(sum, part.counts), {})
    // One that says its cost alone says nothing of tokens; one of images or seconds says that there were none.
    const isSilent = Object.keys(all).length === 0
    const used = tokens ?? (isSilent ? undefined : saturatingAdd(all['inputTokens'] ?? 0, all['outputTokens'] ?? 0))
    const details = marked({ priceVersion: joined(versions), usage: isSilent ? undefined : all, labels: meter?.labels }, given)
    return { microcents, tokens: used, ...this.#answered(given, decided), details, flaw: said?.flaw }
  }

  #priced(usage: Usage, given: Outcome, decided: Priced | undefined, versions: Set<string>): number {
    if (decided === undefined && this.tariff.isConfigured) {
      throw new InvalidRequestError('usage: which price it has (of which model, for which tenant, at which moment) is known to the process that made the decision. Settle it there, or give its cost: bursar.prices.cost(usage, { model, provider, tenant, at }).cost.')
    }
    const price = this.#priceOf(given, decided, 'usage')
    versions.add(price.version)
    return price.costOf(usage)
  }

  /**
   * The usage of the model that answered, with what the meter has beside it: everything of other models, which were tried before it, and fees,
   * which no usage tells. Tokens that were metered for the answering model are in its usage; where that is an estimate, whichever costs more counts.
   */
  #withMetered(answering: Part, meter: UsageMeter, given: Outcome, decided: Priced | undefined, versions: Set<string>): Part[] {
    const parts = [answering]
    const metered: MeteredModel[] = []
    for (const entry of meter.models) {
      if (this.#isOther(entry, given, decided)) parts.push({ counts: tokensOf(entry), microcents: this.#costOf(entry, given, decided, versions) })
      else metered.push(entry)
    }
    const fees = metered.reduce((sum, { feeMicrocents }) => saturatingAdd(sum, feeMicrocents), 0)
    if (given.estimated === true) {
      const own = metered.reduce((sum, entry) => saturatingAdd(sum, this.#costOf({ ...entry, microcents: entry.microcents - entry.feeMicrocents }, given, decided, versions)), 0)
      if (own > answering.microcents) parts[0] = { counts: metered.reduce<Counts>((sum, entry) => withTokens(sum, tokensOf(entry)), {}), microcents: own }
    }
    if (fees > 0) parts.push({ counts: {}, microcents: fees })
    return parts
  }

  #ofMeter(given: Outcome, meter: UsageMeter, tokens: number | undefined, decided: Priced | undefined): Actual {
    let microcents = 0
    const versions = new Set<string>()
    for (const entry of meter.models) microcents = saturatingAdd(microcents, this.#costOf(entry, given, decided, versions))
    const { inputTokens, outputTokens, labels } = meter
    const details = marked({ priceVersion: joined(versions), usage: { inputTokens, outputTokens }, labels }, given)
    return { microcents, tokens: tokens ?? meter.tokens, ...this.#answered(given, decided), details }
  }

  #costOf({ model, provider, microcents, unpriced }: MeteredModel, given: Outcome, decided: Priced | undefined, versions: Set<string>): number {
    if (unpriced === undefined) return microcents
    const { inputTokens, outputTokens } = unpriced
    // A piece that names no model is the decided model's; the provider that answered sells it only where it is the model that answered.
    const query = this.#query(decided)
    const named = model ?? query.model ?? given.model
    const answers = named !== undefined && named === given.model
    const price = this.#priceOf({ model: named, provider: provider ?? (answers ? given.provider : undefined) }, decided, 'addUsage')
    versions.add(price.version)
    return saturatingAdd(microcents, price.costOf({ inputTokens, outputTokens }))
  }

  /** True for what another model has used than the one that answered. */
  #isOther({ model, provider }: MeteredModel, given: Outcome, decided: Priced | undefined): boolean {
    const query = this.#query(decided)
    const answering = { model: given.model ?? query.model, provider: given.provider ?? query.provider }
    const metered = { model: model ?? query.model, provider: provider ?? (model === undefined || model !== given.model ? query.provider : given.provider) }
    if (metered.provider !== undefined && answering.provider !== undefined && metered.provider !== answering.provider) return true
    return metered.model !== undefined && answering.model !== undefined && !this.tariff.isSameModel(metered.model, answering.model, { ...query, provider: answering.provider })
  }

  #priceOf({ model, provider }: Pick<Outcome, 'model' | 'provider'>, decided: Priced | undefined, field: string): Price {
    const query = this.#query(decided)
    const named = model ?? query.model
    if (named === undefined && this.tariff.isConfigured) throw new InvalidRequestError(`model: is missing, and the price of ${field} depends on it. Give the model that answered, or cost in USD.`)
    // Another provider has models and prices of its own; the request's is not asked for them.
    return this.tariff.priceOf({ ...query, model: named ?? '', provider: provider ?? query.provider }, `${field}: ${NO_BOOK}`)
  }

  #answered({ model, provider }: Outcome, decided: Priced | undefined): { readonly model: string | undefined; readonly provider: string | undefined } {
    const query = this.#query(decided)
    const elsewhere = provider === query.provider ? undefined : provider
    if (model === undefined || query.model === undefined || elsewhere !== undefined) return { model, provider: elsewhere }
    return { model: this.tariff.isSameModel(model, query.model, query) ? query.model : model, provider: undefined }
  }

  #query(decided: Priced | undefined): Omit<PriceQuery, 'model'> & { readonly model: string | undefined } {
    return decided?.priced() ?? { model: undefined, at: assertInstant(this.#clock(), 'clock') }
  }
}

/** True for an outcome that the schema accepts and that has a cost alone: most have, and need no schema (see isPlainRequest). */
export function isPlainOutcome(outcome: unknown): outcome is Outcome {
  if (typeof outcome !== 'object' || outcome === null) return false
  for (const field in outcome) {
    const content = (outcome as Record<string, unknown>)[field]
    if (field !== 'cost' || (typeof content !== 'string' && !Number.isFinite(content))) return false
  }
  return true
}

function plainActual(cost: number | string, meter: UsageMeter | undefined): Actual {
  const microcents = parseUsd(cost, 'cost', 'round-up')
  if (meter?.used !== true) return { microcents, tokens: undefined, model: undefined, provider: undefined, details: undefined }
  const { tokens, inputTokens, outputTokens, labels } = meter
  return { microcents, tokens, model: undefined, provider: undefined, details: { usage: { inputTokens, outputTokens }, labels } }
}

/** The counts of a usage that was read, as the ledger keeps them. */
function countsOf(usage: Usage): Counts {
  return Object.fromEntries(Object.entries(usage).filter(([field, count]) => field !== 'cost' && count !== undefined)) as Record<string, number>
}

function tokensOf({ inputTokens, outputTokens }: MeteredModel): Counts {
  return { inputTokens, outputTokens }
}

function withTokens(a: Counts, b: Counts): Counts {
  const sum: Record<string, number> = { ...a }
  for (const [field, count] of Object.entries(b)) sum[field] = saturatingAdd(sum[field] ?? 0, count)
  return sum
}

function joined(versions: ReadonlySet<string>): string | undefined {
  return versions.size === 0 ? undefined : [...versions].join(' ')
}

function marked(details: CostDetails | undefined, { estimated }: Outcome): CostDetails | undefined {
  const all = estimated === true ? { ...details, estimated } : details
  if (all === undefined) return undefined
  const known = Object.entries(all).filter(([, value]) => value !== undefined)
  return known.length === 0 ? undefined : Object.fromEntries(known)
}
