// The three units that a limit can have, and an amount in each. A window counts exactly one of them.

import { InvalidAmountError } from '../errors/index.js'
import { formatUsd, MAX_AMOUNT, toUsd } from './microcents.js'

/** What a window counts: money (integer microcents), tokens, or requests. */
export type Unit = 'usd' | 'tokens' | 'requests'

/** Every unit, in the order in which they are shown. */
export const UNITS: readonly Unit[] = ['usd', 'tokens', 'requests']

/** What one request asks for, or has cost: microcents and a count of tokens. A request is always one request. */
export interface Amounts {
  readonly microcents: number
  readonly tokens: number
}

/** The part of `amounts` that a window of this unit counts. */
export function amountIn(unit: Unit, amounts: Amounts): number {
  return unit === 'usd' ? amounts.microcents : unit === 'tokens' ? amounts.tokens : 1
}

/** Reads a count of tokens or requests: an integer from 0 to 2^53 − 1. Throws `InvalidAmountError`. */
export function parseCount(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_AMOUNT) return value + 0
  throw new InvalidAmountError(`${field}: ${String(value)} is not a count. Give an integer from 0 to 2^53 − 1.`)
}

/** The integer of a window as people read it: USD for money, the count itself otherwise. */
export function toPublic(unit: Unit, amount: number): number {
  return unit === 'usd' ? toUsd(amount) : amount
}

/** An amount for a sentence: `$0.10`, `1200 tokens`, `20 requests`. */
export function describeAmount(unit: Unit, amount: number): string {
  return unit === 'usd' ? `$${formatUsd(amount)}` : `${amount} ${amount === 1 ? unit.slice(0, -1) : unit}`
}

/** a + b, kept at 2^53 − 1: a counter that would pass it stays there and blocks, and the ledger keeps the truth. */
export function saturatingAdd(a: number, b: number): number {
  const sum = a + b
  return sum > MAX_AMOUNT ? MAX_AMOUNT : sum
}
