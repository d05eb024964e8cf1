// Whose price a model of the AI SDK has: the SDK's names of providers in the words of the price book.

import type { SdkModel } from './ai-sdk-shapes.js'

/** By the part of the SDK's name before the first dot, where it is not the price book's own. */
const PRICED_AS: Readonly<Record<string, string | undefined>> = {
  'amazon-bedrock': 'aws',
  'azure-openai': 'azure',
  bedrock: 'aws',
  togetherai: 'together',
  vertex: 'google',
  xai: 'x-ai',
  // Sells the models of others under their own prices: whose, a price or an alias for the whole name says.
  gateway: '',
}

/** A name in the price book for all models, or a function of the model. */
export type PricedAs = string | ((model: SdkModel) => string | undefined)

/** The provider whose prices the model has; `undefined` where its name does not say. */
export function priceProviderOf(model: SdkModel, pricedAs: PricedAs | undefined): string | undefined {
  const given = typeof pricedAs === 'function' ? pricedAs(model) : pricedAs
  if (given !== undefined) return given
  const [family = ''] = model.provider.split('.')
  const named = Object.hasOwn(PRICED_AS, family) ? PRICED_AS[family] : family
  return named === '' ? undefined : named
}
