// The AI SDK under a budget: the model is wrapped, so that whatever calls it is counted, each step of a loop over tools included.
// Run it: npx tsx examples/with-ai-sdk.ts. It calls a stand-in on this machine; without `baseURL` it would be the real API.

import { createOpenAI } from '@ai-sdk/openai'
import { generateText, streamText, wrapLanguageModel } from 'ai'
import { Bursar, BudgetExceededError } from 'bursar'
import { budgetMiddleware } from 'bursar/ai-sdk'
import { gracefulDegradation } from 'bursar/policies'
import { priceBook } from 'bursar/prices'
import { startStandIn } from './provider-stand-in/server.js'

const standIn = await startStandIn()
const openai = createOpenAI({ baseURL: standIn.openaiUrl, apiKey: 'any' })

const bursar = new Bursar({
  tiers: { free: { daily: '0.01' } },
  defaultTier: 'free',
  policies: [gracefulDegradation],
  ladder: { 'gpt-4o': 'gpt-4o-mini' },
  prices: priceBook(),
})
const middleware = budgetMiddleware(bursar, { identity: { userId: 'ada' }, provider: openai })
const model = wrapLanguageModel({ model: openai('gpt-4o'), middleware })

for (const question of ['What is a hold?', 'A rung?', 'A ladder?', 'A ledger?']) {
  const { text, response } = await generateText({ model, prompt: question, maxOutputTokens: 600 })
  console.log(`${response.modelId}: "${text.slice(0, 40)}…" (spent $${await bursar.tracker.getUserCost('ada')})`)
}

let words = 0
for await (const part of streamText({ model, prompt: 'And a budget?', maxOutputTokens: 900 }).textStream) words += part.trim().split(' ').length
console.log(`streamed ${words} words (spent $${await bursar.tracker.getUserCost('ada')})`)

const refused = await generateText({ model, prompt: 'Tell me everything.', maxOutputTokens: 16_000 }).catch((error: unknown) => error)
if (!(refused instanceof BudgetExceededError)) throw refused
console.log(`refused: ${refused.message}`)
await bursar.close()
await standIn.close()
