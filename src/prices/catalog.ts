// The catalog: the data of genai-prices, by exact names. It says which model a name is only where that project's own matching agrees.

import { calcPrice, findProvider, type ModelInfo, type Provider } from '@pydantic/genai-prices'
import type { PriceCatalog } from '../pricing/index.js'
import { modelPrices } from './model-prices.js'
import { literalsOf, spellings } from './names.js'
import { PROVIDERS } from './providers.js'

/**
 * The catalog of @pydantic/genai-prices. Providers go by their ids (`'openai'`); without one, by whose kind of name it is (`gpt-` is
 * OpenAI's), else by who alone has a model of that name. Prices are read when a model is first asked for.
 */
export const catalog: PriceCatalog = {
  find(model, provider) {
    const seller = provider === undefined ? sellerOf(model) : providerOf(provider)
    const found = seller === undefined ? undefined : modelOf(seller, model)
    if (seller === undefined || found === undefined) return undefined
    const prices = modelPrices(seller.id, found)
    return typeof prices === 'string' ? undefined : { provider: seller.id, model: found.id, prices }
  },

  explain(model, provider) {
    const seller = provider === undefined ? sellerOf(model) : providerOf(provider)
    const found = seller === undefined ? undefined : modelOf(seller, model)
    if (seller !== undefined && found !== undefined) {
      const prices = modelPrices(seller.id, found)
      if (typeof prices === 'string') return `The catalog knows it as ${seller.id}/${found.id}, but ${prices}.`
    }
    const near = sellersOf(model).filter((id) => id !== seller?.id)
    const sold = near.length === 0 ? '' : ` The catalog has that name under ${near.slice(0, 5).map((id) => `"${id}"`).join(', ')}${near.length > 5 ? ` and ${near.length - 5} more` : ''}.`
    if (provider !== undefined && seller === undefined) return `The catalog has no provider "${provider}".${sold}`
    if (seller === undefined) return near.length === 0 ? 'The catalog has no model of that name.' : `Which provider is meant, the name does not say.${sold}`
    return `The catalog has no model of exactly that name under "${seller.id}".${sold}`
  },

  providersOf: sellersOf,
}

let sellersByLiteral: ReadonlyMap<string, readonly string[]> | undefined

function providerOf(id: string): Provider | undefined {
  const found = findProvider({ providerId: id })
  // Asked for what it does not know, it looks for what is similar.
  return found?.id === id.toLowerCase() ? found : undefined
}

function sellerOf(model: string): Provider | undefined {
  const claiming = findProvider({ modelId: model.toLowerCase() })
  if (claiming !== undefined) return claiming
  const [only, ...others] = sellersOf(model)
  return only === undefined || others.length > 0 ? undefined : providerOf(only)
}

function modelOf(seller: Provider, name: string): ModelInfo | undefined {
  const matched = matchedBy(seller, name)
  if (matched === undefined) return undefined
  const literals = literalsOf(matched)
  return spellings(name, seller.id).some((spelling) => literals.has(spelling)) ? matched : undefined
}

function matchedBy(seller: Provider, name: string): ModelInfo | undefined {
  try {
    return calcPrice({}, name, { providerId: seller.id })?.model
  } catch {
    // Prices that it cannot apply itself.
    return undefined
  }
}

function sellersOf(name: string): readonly string[] {
  sellersByLiteral ??= indexSellers()
  const index = sellersByLiteral
  const candidates = new Set([...spellings(name, ''), ...spellings(name, 'aws')].flatMap((spelling) => index.get(spelling) ?? []))
  return [...candidates].filter((id) => {
    const seller = providerOf(id)
    return seller !== undefined && modelOf(seller, name) !== undefined
  })
}

function indexSellers(): ReadonlyMap<string, readonly string[]> {
  const index = new Map<string, string[]>()
  for (const id of PROVIDERS) {
    for (const literal of new Set(providerOf(id)?.models.flatMap((model) => [...literalsOf(model)]))) {
      const sellers = index.get(literal)
      if (sellers === undefined) index.set(literal, [id])
      else sellers.push(id)
    }
  }
  return index
}
