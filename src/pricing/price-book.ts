// The price book: which price a model has for whom, and when. Exact names only. Prices come from a catalog and from the
// application, whose own stand above.

import { describeIssues } from '../budget/index.js'
import { InvalidConfigError, InvalidRequestError, MissingEstimateError, UnpricedModelError } from '../errors/index.js'
import { parseCount, toUsd } from '../money/index.js'
import { assertInstant, systemClock } from '../time/index.js'
import { CompiledPrice } from './compiled-price.js'
import { pricesConfigSchema, type PricesConfig } from './config.js'
import { readReported } from './counts.js'
import { datedPrices, turnsOfDay, valueAt, type Dated } from './dated-prices.js'
import { OwnPrices } from './own-prices.js'
import type { ModelPrice, ModelPrices, Price, PriceQuery, TokenKind } from './price.js'
import type { Usage } from './usage.js'

/** Prices from elsewhere, by exact names. */
export interface PriceCatalog {
  /** The prices under which a model is sold; `undefined` where the catalog does not know that name, or cannot tell which provider is meant. */
  find(model: string, provider: string | undefined): CatalogEntry | undefined
  /** Why it finds nothing under that name, and what is near: a sentence for an error. */
  explain?(model: string, provider: string | undefined): string
  /** Providers that sell a model of that name. */
  providersOf?(model: string): readonly string[]
}

/** A model of a catalog. */
export interface CatalogEntry {
  readonly provider: string
  /** The one name of the model within its provider. */
  readonly model: string
  readonly prices: ModelPrices
}

/** What a call is expected to use. */
export interface EstimateRequest {
  readonly model: string
  readonly provider?: string | undefined
  readonly tenant?: string | undefined
  readonly inputTokens: number
  /** Absent: the most that the model can write. */
  readonly maxOutputTokens?: number | undefined
  /** See {@link Price.mostFor}. */
  readonly tokenKinds?: readonly TokenKind[] | undefined
  /** Default: now. */
  readonly at?: Date | number | undefined
}

/** Which price is asked for, at a time that may be left out: now. */
export interface PriceQueryAt extends Omit<PriceQuery, 'at'> {
  readonly at?: Date | number | undefined
}

/** What stands as `priceVersion` where no price was applied, because the provider said what the call cost. */
export const REPORTED = 'reported'

/** More names than any application uses in earnest: beyond it the oldest are looked up anew. */
const MOST_REMEMBERED = 5_000

type Prices = readonly Dated<Price>[]

/**
 * A price book. A price is looked up in this order, each under the exact name: the tenant's own, the application's own (one that names
 * the provider before one that does not), the catalog's. An alias is replaced by what it stands for before anything is looked up. What
 * the catalog knows as another name of the same model has the own price of that model: one for `gpt-4o` is also one for
 * `gpt-4o-2024-08-06`, and not for `gpt-4o-mini`. It has the catalog's `contextWindow` and `maxOutputTokens` where it does not say its
 * own. One for `openai/gpt-4o` is none for a model that another provider of the request (`'openrouter'`) sells under just that name.
 * Without a catalog only own prices exist.
 */
export class PriceBook {
  readonly #own: OwnPrices
  readonly #catalog: PriceCatalog | undefined
  readonly #remembered = new Map<string, Map<string, Map<string, Prices>>>()
  #rememberedCount = 0

  /** Throws `InvalidConfigError`, naming the path, for prices that are not well-formed and for aliases that lead to no price. */
  constructor(config: PricesConfig = {}, catalog?: PriceCatalog) {
    const parsed = pricesConfigSchema.safeParse(config)
    if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'prices'))
    this.#own = new OwnPrices(config)
    this.#catalog = catalog
    for (const alias of this.#own.aliases()) this.#assertAliasIsPriced(alias)
  }

  /** Tenants that have prices of their own. */
  get tenants(): readonly string[] {
    return this.#own.tenants()
  }

  /** The price of a model. Throws `UnpricedModelError`: what is unpriced is never free. */
  priceOf(query: PriceQuery): Price {
    const prices = this.#pricesOf(query.model, query.provider, query.tenant)
    if (prices === undefined) throw this.#unpriced(query)
    return valueAt(prices, assertInstant(query.at, 'at'))
  }

  /** The same, or `undefined` where that would throw `UnpricedModelError`. */
  find(query: PriceQuery): Price | undefined {
    try {
      const prices = this.#pricesOf(query.model, query.provider, query.tenant)
      return prices === undefined ? undefined : valueAt(prices, assertInstant(query.at, 'at'))
    } catch (error) {
      if (error instanceof UnpricedModelError) return undefined
      throw error
    }
  }

  /** True where both names are names of one model. */
  isSameModel(a: string, b: string, query: Omit<PriceQuery, 'model'>): boolean {
    if (a === b) return true
    const one = this.find({ ...query, model: a })
    const other = this.find({ ...query, model: b })
    return one !== undefined && other !== undefined && one.model === other.model && one.provider === other.provider
  }

  /**
   * The instants of the UTC day of `query.at` at which another price of the model begins to count, in order; its midnight and `at`
   * itself are among them. Only `at` for a model without a price.
   */
  instants(query: PriceQuery): readonly number[] {
    const at = assertInstant(query.at, 'at')
    return this.find(query) === undefined ? [at] : turnsOfDay(this.#pricesOf(query.model, query.provider, query.tenant) as Prices, at)
  }

  /**
   * What the usage costs, in USD, with the exact integer beside it. A cost that the provider reported needs no price: its
   * `priceVersion` is `'reported'`, and the counts beside it do not matter. Throws what {@link PriceBook.priceOf} and {@link Price.costOf} throw.
   */
  cost(usage: Usage, query: PriceQueryAt): { readonly cost: number; readonly exact: { readonly costMicrocents: number }; readonly priceVersion: string } {
    const reported = readReported(usage)
    if (reported !== undefined) return answer(reported.microcents, REPORTED)
    const price = this.priceOf({ ...query, at: instantOf(query.at) })
    return answer(price.costOf(usage), price.version)
  }

  /**
   * The most that a call can cost, in USD, and the tokens that it can use. Without `maxOutputTokens` the model writes as much as its
   * price says that it can (`maxOutputTokens`, else `contextWindow`); one without a rate for output writes nothing. Throws
   * `MissingEstimateError` where nothing says how much, `InvalidAmountError` for what is no count, and `UnpricedModelError`.
   */
  estimate(request: EstimateRequest): { readonly cost: number; readonly tokens: number; readonly exact: { readonly costMicrocents: number }; readonly priceVersion: string } {
    const { model, provider, tenant, tokenKinds } = request
    const inputTokens = parseCount(request.inputTokens, 'inputTokens')
    const price = this.priceOf({ model, provider, tenant, at: instantOf(request.at) })
    const outputTokens = request.maxOutputTokens === undefined ? mostOutput(price) : parseCount(request.maxOutputTokens, 'maxOutputTokens')
    return { ...answer(price.mostFor(inputTokens, outputTokens, tokenKinds), price.version), tokens: inputTokens + outputTokens }
  }

  #pricesOf(model: string, provider = '', tenant = ''): Prices | undefined {
    // Tenants without prices of their own are remembered as one.
    const owner = this.#own.hasTenant(tenant) ? tenant : ''
    return this.#remembered.get(owner)?.get(provider)?.get(model) ?? this.#lookUp(model, provider, owner)
  }

  #lookUp(model: string, provider: string, tenant: string): Prices | undefined {
    if (typeof model !== 'string' || model === '') throw new InvalidRequestError(`model: ${JSON.stringify(model)} is no name of a model. Give the name that the provider is asked for.`)
    if (typeof provider !== 'string') throw new InvalidRequestError(`provider: ${JSON.stringify(provider)} is no name. Give a name, or leave it out.`)
    const prices = this.#resolve(model, provider === '' ? undefined : provider, tenant)
    // What is unknown is not remembered: there is no end of names that are none.
    if (prices !== undefined) this.#remember(model, provider, tenant, prices)
    return prices
  }

  #resolve(model: string, provider: string | undefined, tenant: string): Prices | undefined {
    const named = this.#own.aliasOf(model, provider)
    const entry = named === undefined ? this.#catalog?.find(model, provider) : this.#findAliased(named, provider)
    const own = this.#own.find(named ?? model, provider, tenant, entry, (name) => provider !== undefined && entry !== undefined && this.#isOfAnother(name, entry.provider))
    if (own !== undefined) {
      const name = { model: own.model, provider: own.provider ?? entry?.provider ?? provider, origin: own.origin }
      // Another rate does not change what the model can read and write.
      const { contextWindow, maxOutputTokens } = limitsOf(entry?.prices ?? [])
      return datedPrices(own.prices, (price) => new CompiledPrice(name, { ...price, contextWindow: price.contextWindow ?? contextWindow, maxOutputTokens: price.maxOutputTokens ?? maxOutputTokens }))
    }
    if (entry === undefined) return undefined
    const name = { model: entry.model, provider: entry.provider, origin: `${entry.provider}/${entry.model}` }
    return datedPrices(entry.prices, (price) => new CompiledPrice(name, price))
  }

  #findAliased(target: string, provider: string | undefined): CatalogEntry | undefined {
    const slash = target.indexOf('/')
    // A target may name its provider; a model's own name may have a slash too.
    const withProvider = slash > 0 ? this.#catalog?.find(target.slice(slash + 1), target.slice(0, slash)) : undefined
    return withProvider ?? this.#catalog?.find(target, provider)
  }

  /** True for a name that says which provider's it is: some sell models of others under names such as `openai/gpt-4o`, at prices of their own. */
  #isOfAnother(name: string, provider: string): boolean {
    const slash = name.indexOf('/')
    const named = name.slice(0, slash)
    return slash > 0 && named !== provider && this.#catalog?.find(name.slice(slash + 1), named) !== undefined
  }

  #remember(model: string, provider: string, tenant: string, prices: Prices): void {
    if (this.#rememberedCount >= MOST_REMEMBERED) {
      this.#remembered.clear()
      this.#rememberedCount = 0
    }
    const ofTenant = this.#remembered.get(tenant) ?? new Map<string, Map<string, Prices>>()
    const ofProvider = ofTenant.get(provider) ?? new Map<string, Prices>()
    ofProvider.set(model, prices)
    ofTenant.set(provider, ofProvider)
    this.#remembered.set(tenant, ofTenant)
    this.#rememberedCount += 1
  }

  #assertAliasIsPriced(alias: string): void {
    const target = this.#own.aliasOf(alias, undefined) as string
    if (this.#own.isNamed(target) || this.#findAliased(target, undefined) !== undefined) return
    const known = this.#catalog === undefined ? [] : this.#catalog.providersOf?.(target)
    if (known?.length === 0) throw new InvalidConfigError(`prices.aliases.${alias}: leads to "${target}", which has no price. Give one under prices.models, or the name of a model that has one.`)
  }

  #sellersOf(model: string): readonly string[] {
    return (this.#catalog?.providersOf?.(model) ?? []).filter((provider) => this.#catalog?.find(model, provider) !== undefined)
  }

  #unpriced({ model, provider, tenant }: PriceQuery): UnpricedModelError {
    const whose = `${provider === undefined ? '' : ` of provider "${provider}"`}${tenant === undefined ? '' : ` for tenant "${tenant}"`}`
    const target = this.#own.aliasOf(model, provider)
    const shown = target === undefined ? '' : ` (it stands for "${target}")`
    const why = this.#catalog?.explain?.(target ?? model, provider) ?? this.#own.explain(target ?? model)
    const sellers = provider === undefined ? this.#sellersOf(target ?? model) : []
    const which = sellers.length < 2 ? 'Give its price under prices.models (0 is a price), its provider,' : `Give provider: ${eitherOf(sellers)}; or its price under prices.models (0 is a price),`
    const remedy = `${which} another name of it under prices.aliases, or an estimatedCost and a cost with the call.`
    return new UnpricedModelError(`model: "${model}"${whose}${shown} has no price. ${why}${why === '' ? '' : ' '}${remedy}`, model)
  }
}

/** The most tokens that a model of that price can write; 0 for one that writes none. Throws `MissingEstimateError` where the price does not say. */
export function mostOutput(price: Price): number {
  const most = price.rates.output === undefined ? 0 : (price.maxOutputTokens ?? price.contextWindow)
  if (most !== undefined) return most
  const silent = `the price of "${price.model}" (${price.version}) does not say how much it can write`
  throw new MissingEstimateError(`maxOutputTokens: is missing, and ${silent}. Give maxOutputTokens with the request, or maxOutputTokens or contextWindow in the price.`)
}

/** The most that any of the prices says of each. */
function limitsOf(prices: ModelPrices): Pick<ModelPrice, 'contextWindow' | 'maxOutputTokens'> {
  const list: readonly ModelPrice[] = Array.isArray(prices) ? prices : [prices]
  const most = (said: readonly number[]): number | undefined => (said.length === 0 ? undefined : Math.max(...said))
  return { contextWindow: most(list.flatMap((price) => price.contextWindow ?? [])), maxOutputTokens: most(list.flatMap((price) => price.maxOutputTokens ?? [])) }
}

function eitherOf(names: readonly string[]): string {
  const shown = names.slice(0, 5).map((name) => `'${name}'`)
  return names.length > 5 ? `${shown.join(', ')} or another` : `${shown.slice(0, -1).join(', ')} or ${shown.at(-1)}`
}

function answer(costMicrocents: number, priceVersion: string): { readonly cost: number; readonly exact: { readonly costMicrocents: number }; readonly priceVersion: string } {
  return { cost: toUsd(costMicrocents), exact: { costMicrocents }, priceVersion }
}

function instantOf(at: Date | number | undefined): number {
  return at === undefined ? systemClock() : assertInstant(typeof at === 'object' && at !== null ? at.getTime() : at, 'at')
}
