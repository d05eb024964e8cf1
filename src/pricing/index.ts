// The door of the room: prices, usage, what a call costs, and the ways down to cheaper models.

export { anthropicUsage } from './anthropic-usage.js'
export { pricesConfigSchema, type PricesConfig } from './config.js'
export { assertCounts, readReported } from './counts.js'
export { Ladder, type CostSavings, type LadderConfig, type LadderPrices } from './ladder.js'
export { CALLS, METERS } from './meters.js'
export { openaiUsage } from './openai-usage.js'
export { mostOutput, PriceBook, REPORTED, type CatalogEntry, type EstimateRequest, type PriceCatalog, type PriceQueryAt } from './price-book.js'
export type { DatedPrice, ModelPrice, ModelPrices, Price, PriceQuery, QuantityRate, Rate, RateName, TieredRate, TokenKind } from './price.js'
export { calculateCost, tokensAtMost } from './tokens.js'
export type { Usage } from './usage.js'
export { UsageMeter, type MeteredModel, type UsageDetails, type UsageType } from './usage-meter.js'
