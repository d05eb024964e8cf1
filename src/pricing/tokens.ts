// Tokens without a tokenizer and without a price book: how many there can be in a text, and what so many cost.

import { InvalidAmountError } from '../errors/index.js'
import { formatUsd, MAX_AMOUNT, MICROCENTS_PER_USD, parseCount, type Usd } from '../money/index.js'
import { divideUp, readDecimal } from './fraction.js'

/**
 * The most tokens that a text can be: its UTF-8 bytes, because a tokenizer on bytes makes no more than one token of each. What a
 * provider adds around messages (roles, separators, tools) is not in it.
 */
export function tokensAtMost(text: string): number {
  let bytes = text.length
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit < 0x80) continue
    // Both halves of a surrogate pair together are four bytes; one alone is written as three.
    bytes += unit < 0x800 || isPair(text, index, unit) || isPair(text, index - 1, text.charCodeAt(index - 1)) ? 1 : 2
  }
  return bytes
}

function isPair(text: string, index: number, unit: number): boolean {
  if (!(unit >= 0xd800 && unit <= 0xdbff)) return false
  const next = text.charCodeAt(index + 1)
  return next >= 0xdc00 && next <= 0xdfff
}

/**
 * What tokens cost at a price for a thousand of them, in USD, exactly, rounded up to a microcent, as text with at least six decimals:
 * `calculateCost(150, 0.03)` is `'0.004500'`. Throws `InvalidAmountError`.
 */
export function calculateCost(tokens: number, usdPer1K: Usd): string {
  const count = parseCount(tokens, 'tokens')
  const price = readDecimal(usdPer1K)
  if (price === undefined) {
    const shown = typeof usdPer1K === 'string' ? JSON.stringify(usdPer1K) : String(usdPer1K)
    throw new InvalidAmountError(`usdPer1K: ${shown} is no price. Give USD as a number ≥ 0 or a decimal string such as '0.03'.`)
  }
  const microcents = divideUp(BigInt(count) * price.parts * BigInt(MICROCENTS_PER_USD), price.of * 1_000n)
  if (microcents > BigInt(MAX_AMOUNT)) throw new InvalidAmountError(`tokens: ${count} tokens at ${usdPer1K} USD for a thousand cost more than 2^53 − 1 microcents.`)
  const text = formatUsd(Number(microcents))
  return text.padEnd(text.indexOf('.') + 7, '0')
}
