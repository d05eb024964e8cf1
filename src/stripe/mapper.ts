// From what was bought to the tier that it gives: by the configuration alone. Knows Stripe's objects; asks nobody and remembers
// nothing.

import { z } from 'zod'
import { tierBudgetConfigSchema, describeIssues, idSchema, type TierBudgetConfig } from '../budget/index.js'
import { InvalidConfigError, UnknownTierError } from '../errors/index.js'
import { formatUsd, parseUsd, type Usd } from '../money/index.js'
import type { StripePrice, StripeSubscription } from './shapes.js'
import { grantOf } from './status.js'

/** One tier: what it is sold as, and what it allows. */
export interface StripeTier {
  /** Ids of the prices that give it: `price_…`. */
  readonly prices?: readonly string[] | undefined
  /** Ids of products of which every price gives it: `prod_…`. */
  readonly products?: readonly string[] | undefined
  /** `lookup_key`s of prices that give it. */
  readonly lookupKeys?: readonly string[] | undefined
  readonly budget: TierBudgetConfig
  /** USD a month, for offers: `Pro ($29/mo)`. */
  readonly monthlyPrice?: Usd | undefined
  /** The name for people; default: the tier's, with a capital. */
  readonly label?: string | undefined
}

/** Configuration of a {@link StripeTierMapper}. */
export interface StripeTierMapperConfig<Tier extends string = string> {
  /** From the lowest to the highest. */
  readonly tiers: { readonly [tier in Tier]: StripeTier }
  /** The tier of whoever has no subscription that gives one. */
  readonly fallbackTier: NoInfer<Tier>
  /** The key of a product's metadata whose value names a tier. Default `bursar_tier`. */
  readonly metadataKey?: string | undefined
  /** Ids of prices and products that give no tier, such as add-ons: they are no cause for concern. */
  readonly ignored?: readonly string[] | undefined
}

const ids = z.array(z.string().min(1)).optional()
const tierSchema = z.strictObject({
  prices: ids,
  products: ids,
  lookupKeys: ids,
  budget: tierBudgetConfigSchema,
  monthlyPrice: z.custom<Usd>((value) => typeof value === 'number' || typeof value === 'string', 'must be USD: a number, or a decimal string').optional(),
  label: z.string().min(1).optional(),
})
const mapperSchema = z.strictObject({ tiers: z.record(idSchema, tierSchema), fallbackTier: idSchema, metadataKey: z.string().min(1).optional(), ignored: ids })

const SOLD_AS = ['prices', 'products', 'lookupKeys'] as const

/** Which tier a price, or a subscription, gives; and the budgets of all tiers, to hand to `Bursar` or `CostTracker`. */
export class StripeTierMapper<Tier extends string = string> {
  /** The tiers from the lowest to the highest. */
  readonly ranks: readonly Tier[]
  readonly fallbackTier: Tier
  /** The budgets by tier: `new Bursar({ tiers: mapper.tiers, defaultTier: mapper.fallbackTier })`. */
  readonly tiers: { readonly [tier in Tier]: TierBudgetConfig }
  readonly #sold = new Map<string, Tier>()
  readonly #ignored: ReadonlySet<string>
  readonly #metadataKey: string
  readonly #offers = new Map<string, string>()

  /** Throws `InvalidConfigError` or `InvalidAmountError` for what is none, a price that gives two tiers, and a fallback that is no tier. */
  constructor(config: StripeTierMapperConfig<Tier>) {
    const parsed = mapperSchema.safeParse(config)
    if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'mapper'))
    this.ranks = Object.freeze(Object.keys(config.tiers)) as readonly Tier[]
    const number = this.ranks.find((tier) => /^\d+$/.test(tier))
    if (number !== undefined) throw new InvalidConfigError(`mapper.tiers.${number}: a number loses its place among the names, and the order of tiers is their rank. Give it a name.`)
    const { fallbackTier, metadataKey = 'bursar_tier', ignored = [] } = config
    if (!this.ranks.includes(fallbackTier)) throw new InvalidConfigError(`mapper.fallbackTier: "${fallbackTier}" is no tier. The tiers are ${this.ranks.join(', ')}.`)
    this.fallbackTier = fallbackTier
    this.#metadataKey = metadataKey
    this.#ignored = new Set(ignored)
    for (const tier of this.ranks) this.#sell(tier, config.tiers[tier])
    this.tiers = Object.freeze(Object.fromEntries(this.ranks.map((tier) => [tier, config.tiers[tier].budget]))) as { readonly [tier in Tier]: TierBudgetConfig }
  }

  /** The same as {@link tiers}: `CostTracker` takes them under this name, too. */
  get userBudgets(): { readonly [tier in Tier]: TierBudgetConfig } {
    return this.tiers
  }

  /**
   * The tier that a price gives: by its id, then its product's id, then its `lookup_key`, then its product's metadata (where the
   * product is expanded); `undefined` where nothing maps it, or it is ignored. A string is the id of a price.
   */
  tierForPrice(price: string | StripePrice): Tier | undefined {
    if (typeof price === 'string') return this.#sold.get(soldAs('prices', price))
    if (this.ignores(price)) return undefined
    const { product, lookup_key: lookupKey } = price
    const productId = typeof product === 'string' ? product : product?.id
    return (
      this.#sold.get(soldAs('prices', price.id)) ??
      (productId == null ? undefined : this.#sold.get(soldAs('products', productId))) ??
      (lookupKey == null ? undefined : this.#sold.get(soldAs('lookupKeys', lookupKey))) ??
      (typeof product === 'object' ? this.#known(product?.metadata?.[this.#metadataKey]) : undefined)
    )
  }

  /**
   * The tier that a subscription gives by itself, as it stands: the highest of its current positions where its status grants one, and
   * the fallback tier where it does not; `undefined` where that cannot be said: no position is mapped, or the status is a new one.
   */
  tierForSubscription(subscription: StripeSubscription): Tier | undefined {
    const grant = grantOf(subscription.status)
    if (grant === 'none') return this.fallbackTier
    if (grant === 'unknown') return undefined
    return this.highest(subscription.items.data.map(({ price }) => this.tierForPrice(price)))
  }

  /** True for a price that is configured to give no tier. */
  ignores(price: StripePrice): boolean {
    const { id, product } = price
    const productId = typeof product === 'string' ? product : product?.id
    return this.#ignored.has(id) || (productId != null && this.#ignored.has(productId))
  }

  /** The place of a tier from the lowest, 0, up; −1 for what is none. */
  rankOf(tier: string | undefined): number {
    return tier === undefined ? -1 : (this.ranks as readonly string[]).indexOf(tier)
  }

  /** The highest of some tiers; `undefined` where there is none. */
  highest(tiers: readonly (Tier | undefined)[]): Tier | undefined {
    return this.ranks[Math.max(-1, ...tiers.map((tier) => this.rankOf(tier)))]
  }

  /** The next tier up; `undefined` from the highest. Throws `UnknownTierError` for what is no tier. */
  nextTier(tier: Tier): Tier | undefined {
    const rank = this.rankOf(tier)
    if (rank < 0) throw new UnknownTierError(`tier: "${tier}" is no tier of the mapper. The tiers are ${this.ranks.join(', ')}.`, tier)
    return this.ranks[rank + 1]
  }

  /**
   * What to offer to a user of a tier: the next one up, such as `Pro ($29/mo)`; `undefined` for the highest. Give it to `Bursar` as
   * `suggestUpgrade`, and denials say it. Throws `UnknownTierError` for what is no tier.
   */
  readonly getUpgradeTier = (tier: string): string | undefined => {
    const next = this.nextTier(tier as Tier)
    return next === undefined ? undefined : this.#offers.get(next)
  }

  /** True where a product's metadata might still say which tier a price gives: it has not been looked at. */
  needsProduct(price: StripePrice): price is StripePrice & { readonly product: string } {
    return typeof price.product === 'string' && !this.ignores(price) && this.tierForPrice(price) === undefined
  }

  #sell(tier: Tier, { monthlyPrice, label = capital(tier), ...sold }: StripeTier): void {
    for (const as of SOLD_AS) {
      for (const id of sold[as] ?? []) {
        const twin = this.#sold.get(soldAs(as, id))
        if (twin !== undefined) throw new InvalidConfigError(`mapper.tiers.${tier}.${as}: "${id}" gives ${twin === tier ? 'this tier twice' : `the tier ${twin} too`}. Name it once.`)
        if (this.#ignored.has(id)) throw new InvalidConfigError(`mapper.ignored: "${id}" gives the tier ${tier}. Take it out of one of the two.`)
        this.#sold.set(soldAs(as, id), tier)
      }
    }
    this.#offers.set(tier, monthlyPrice === undefined ? label : `${label} ($${dollars(monthlyPrice, `mapper.tiers.${tier}.monthlyPrice`)}/mo)`)
  }

  #known(tier: string | undefined): Tier | undefined {
    return this.ranks[this.rankOf(tier)]
  }
}

function soldAs(as: (typeof SOLD_AS)[number], id: string): string {
  return `${as} ${id}`
}

function capital(tier: string): string {
  return tier.charAt(0).toUpperCase() + tier.slice(1)
}

/** `29`, `29.90`: as people write them. */
function dollars(price: Usd, field: string): string {
  const exact = formatUsd(parseUsd(price, field, 'refuse'))
  return exact.replace(/\.0+$/, '')
}
