// An application's own prices and other names, as they are configured: which of them stands for a name. Knows no catalog and no rates.

import type { PricesConfig } from './config.js'
import type { ModelPrices } from './price.js'

/** An own price, with the name that it stands under. */
export interface OwnPrice {
  readonly model: string
  /** Where the name says it. */
  readonly provider: string | undefined
  readonly origin: string
  readonly prices: ModelPrices
}

/** Own prices by exact names. The configuration must be well-formed. */
export class OwnPrices {
  readonly #models: ReadonlyMap<string, ModelPrices>
  readonly #tenants: ReadonlyMap<string, ReadonlyMap<string, ModelPrices>>
  readonly #aliases: ReadonlyMap<string, string>

  constructor({ models = {}, tenants = {}, aliases = {} }: PricesConfig) {
    // What is given is copied: the book must not change with it.
    this.#models = new Map(Object.entries(structuredClone(models)))
    this.#tenants = new Map(Object.entries(structuredClone(tenants)).map(([tenant, prices]) => [tenant, new Map(Object.entries(prices))]))
    this.#aliases = new Map(Object.entries(aliases))
  }

  /** True for a tenant that has prices of its own. */
  hasTenant(tenant: string): boolean {
    return this.#tenants.has(tenant)
  }

  /** Tenants that have prices of their own. */
  tenants(): readonly string[] {
    return [...this.#tenants.keys()]
  }

  /** Every alias. */
  aliases(): Iterable<string> {
    return this.#aliases.keys()
  }

  /** What a name stands for in the end; `undefined` for a name that is no alias. One that names the provider goes before one that does not. */
  aliasOf(model: string, provider: string | undefined): string | undefined {
    let found: string | undefined
    for (let next = this.#aliasStep(model, provider); next !== undefined; next = this.#aliases.get(next)) found = next
    return found
  }

  /** True where any own price stands under the name. */
  isNamed(name: string): boolean {
    return this.#models.has(name) || [...this.#tenants.values()].some((prices) => prices.has(name))
  }

  /**
   * The own price of a model: the tenant's before the application's; under its own name before the one that the catalog knows it by; a
   * name that says the provider before one that does not. One of which `isOthers` is true stands for the model of another provider.
   */
  find(model: string, provider: string | undefined, tenant: string, known: { readonly provider: string; readonly model: string } | undefined, isOthers: (name: string) => boolean): OwnPrice | undefined {
    const candidates: { name: string; model: string; provider: string | undefined }[] = []
    const add = (of: string | undefined, name: string): void => {
      if (of !== undefined) candidates.push({ name: `${of}/${name}`, model: name, provider: of })
      if (!isOthers(name)) candidates.push({ name, model: name, provider: undefined })
    }
    add(provider ?? known?.provider, model)
    if (known !== undefined) add(known.provider, known.model)
    const ofTenant = this.#tenants.get(tenant)
    return (ofTenant === undefined ? undefined : first(ofTenant, candidates, `tenant:${tenant}/`)) ?? first(this.#models, candidates, 'own/')
  }

  /** Own prices that the name may have been meant for: a sentence, or nothing. */
  explain(model: string): string {
    const near = [...this.#models.keys()].filter((name) => name.endsWith(`/${model}`) || model.endsWith(`/${name}`) || name.toLowerCase() === model.toLowerCase())
    return near.length === 0 ? '' : `There is one for ${near.slice(0, 3).map((name) => `"${name}"`).join(', ')}.`
  }

  #aliasStep(model: string, provider: string | undefined): string | undefined {
    return (provider === undefined ? undefined : this.#aliases.get(`${provider}/${model}`)) ?? this.#aliases.get(model)
  }
}

function first(prices: ReadonlyMap<string, ModelPrices>, candidates: readonly { name: string; model: string; provider: string | undefined }[], origin: string): OwnPrice | undefined {
  for (const { name, model, provider } of candidates) {
    const found = prices.get(name)
    if (found !== undefined) return { model, provider, origin: `${origin}${name}`, prices: found }
  }
  return undefined
}
