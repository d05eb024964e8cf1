// Prices of your own beside those of the price book: a model that you host, a price for each image, what one tenant has negotiated.
// Run it: npx tsx examples/own-prices.ts

import { Bursar } from 'bursar'
import { priceBook } from 'bursar/prices'

const prices = priceBook({
  models: {
    'our-llama': { input: 0, output: 0, contextWindow: 32_000 }, // free, which is not the same as unknown
    'our-painter': { perImage: '0.04' },
    'our-scribe': { perAudioSecond: { price: '0.36', per: 3_600 } }, // 36 cents for an hour
  },
  tenants: { acme: { 'gpt-4o': { input: '2.00', output: '8.00' } } }, // USD for a million tokens
  aliases: { 'our-deployment': 'gpt-4o' },
})
const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', scopes: { tenant: { '*': {} } }, prices })
const ada = { userId: 'ada' }

// By tokens: the check prices the most that the call can use, the settle what it did use.
for (const model of ['gpt-4o', 'our-deployment', 'our-llama']) await chat({ ...ada, model })
await chat({ userId: 'wile', tenant: 'acme', model: 'gpt-4o' })

async function chat(who: { userId: string; tenant?: string; model: string }): Promise<void> {
  const decision = await bursar.check({ ...who, inputTokens: 1_000, maxOutputTokens: 500 })
  if (!decision.allowed) throw new Error(decision.reason)
  const { cost } = await decision.settle({ usage: { inputTokens: 900, cachedInputTokens: 600, outputTokens: 200 } })
  console.log(`${who.userId}, ${who.model}: held $${decision.estimatedCost}, cost $${cost}`)
}

// By anything else: the book says what it will cost.
for (const [model, usage] of [['our-painter', { images: 3 }], ['our-scribe', { audioSeconds: 90.5 }]] as const) {
  const { cost } = prices.cost(usage, { model })
  await bursar.guard({ ...ada, model, estimatedCost: cost }, async () => ({ result: undefined, usage }))
  console.log(`ada, ${model}: ${JSON.stringify(usage)} cost $${cost}`)
}

// What has no price is an error, and never free.
await bursar.check({ ...ada, model: 'gpt-40', inputTokens: 10 }).catch((error: Error) => console.log(`refused: ${error.message}`))
await bursar.close()
