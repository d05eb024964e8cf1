// The official OpenAI SDK under a budget: the client is wrapped, and used as ever. Nothing else computes or reports a cost.
// Run it: npx tsx examples/with-openai.ts. It calls a stand-in on this machine; without `baseURL` it would be the real API.

import { Bursar, BudgetExceededError } from 'bursar'
import { withBudget } from 'bursar/openai'
import { priceBook } from 'bursar/prices'
import OpenAI from 'openai'
import { startStandIn } from './provider-stand-in/server.js'

const standIn = await startStandIn()
const openai = new OpenAI({ baseURL: standIn.openaiUrl, apiKey: 'any' })

const bursar = new Bursar({ tiers: { free: { daily: '0.01' } }, defaultTier: 'free', prices: priceBook() })
const client = withBudget(openai, bursar, { userId: 'ada' })

bursar.on('settled', ({ model, cost }) => console.log(`  settled: $${cost} for ${model}`))
const messages = [{ role: 'user' as const, content: 'What is a hold?' }]

const reply = await client.chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 200 })
console.log(`a completion by ${reply.model}: "${reply.choices[0]?.message.content?.slice(0, 40)}…"`)

let text = ''
const stream = await client.chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 300, stream: true })
for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
console.log(`a stream: "${text.slice(0, 40)}…"`)

const response = await client.responses.create({ model: 'gpt-4o-mini', input: 'And a budget?', max_output_tokens: 200 })
console.log(`a response by ${response.model}: "${response.output_text.slice(0, 40)}…"`)

try {
  await client.chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 1_000 })
} catch (error) {
  if (!(error instanceof BudgetExceededError)) throw error
  console.log(`refused with ${error.denial.status}, before anything was sent: ${error.message}`)
}
console.log(`spent: $${await bursar.tracker.getUserCost('ada')}`)
await bursar.close()
await standIn.close()
