// The application's prices, copied from a price list as people read it. The stand-in bills from a table of its own, so that
// two independent counts must agree.

import { parseUsd } from 'bursar'

/** USD per million tokens. */
const PRICE_LIST: Readonly<Record<string, { readonly input: string; readonly output: string }>> = {
  'gpt-4o': { input: '2.50', output: '10.00' },
  'gpt-4o-mini': { input: '0.15', output: '0.60' },
}
const TOKENS_IN_PRICE = 1_000_000

/** What so many tokens cost on a model, in microcents. Throws for a model without a price. */
export function costMicrocents(model: string | undefined, inputTokens: number, outputTokens: number): number {
  const price = model === undefined ? undefined : PRICE_LIST[model]
  if (price === undefined) throw new Error(`${model ?? 'no model'} has no price`)
  const million = parseUsd(price.input, 'input', 'refuse') * inputTokens + parseUsd(price.output, 'output', 'refuse') * outputTokens
  return Math.ceil(million / TOKENS_IN_PRICE)
}
