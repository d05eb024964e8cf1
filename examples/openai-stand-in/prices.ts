// What this stand-in charges. Its own table, in integers: whoever checks its bill brings prices of their own.

/** Price of one token in microcents (1 USD = 100,000,000 microcents). */
export interface TokenPrice {
  readonly promptMicrocents: number
  readonly completionMicrocents: number
}

/** The models that are served. */
export const TOKEN_PRICES: ReadonlyMap<string, TokenPrice> = new Map([
  ['gpt-4o', { promptMicrocents: 250, completionMicrocents: 1_000 }],
  ['gpt-4o-mini', { promptMicrocents: 15, completionMicrocents: 60 }],
])
