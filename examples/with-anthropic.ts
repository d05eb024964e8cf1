// The official Anthropic SDK under a budget, on a server that serves many users: whose money a call spends, `runAs` says once.
// Run it: npx tsx examples/with-anthropic.ts. It calls a stand-in on this machine; without `baseURL` it would be the real API.

import Anthropic from '@anthropic-ai/sdk'
import { Bursar } from 'bursar'
import { withBudget } from 'bursar/anthropic'
import { tierBasedEnforcement } from 'bursar/policies'
import { priceBook } from 'bursar/prices'
import { startStandIn } from './provider-stand-in/server.js'

const standIn = await startStandIn()
const bursar = new Bursar({
  tiers: { free: { daily: '0.01' }, pro: { daily: '0.015' } },
  policies: [tierBasedEnforcement], // who is on pro and has used it up gets a cheaper model
  ladder: { 'claude-sonnet-4-6': 'claude-haiku-4-5' },
  prices: priceBook(),
})
const client = withBudget(new Anthropic({ baseURL: standIn.anthropicUrl, apiKey: 'any' }), bursar)

/** Deep inside the application: it knows nothing of users, tiers or budgets. */
async function summarise(text: string): Promise<string> {
  const system = [{ type: 'text' as const, text: 'You write one sentence. '.repeat(20), cache_control: { type: 'ephemeral' as const } }]
  const message = await client.messages
    .stream({ model: 'claude-sonnet-4-6', max_tokens: 400, system, messages: [{ role: 'user', content: text }] })
    .finalMessage()
  const { input_tokens: fresh, cache_read_input_tokens: cached, output_tokens: written } = message.usage
  return `${message.model}, ${fresh} + ${cached} cached tokens read, ${written} written`
}

for (const [userId, userTier] of [['ada', 'free'], ['pat', 'pro']] as const) {
  for (let call = 1; call <= 3; call += 1) {
    const outcome = await bursar.runAs({ userId, userTier }, () => summarise(`Chapter ${call}`)).catch((error: Error) => error.message)
    console.log(`${userId}: ${outcome}`)
  }
  console.log(`${userId} has spent $${await bursar.tracker.getUserCost(userId)}`)
}
await bursar.close()
await standIn.close()
