// An agent that would never stop, in a session with a budget: it is stopped before it spends more. Its sub-agent has a smaller one of
// its own, and whatever it spends counts in both.
// Run it: npx tsx examples/agent-session.ts. It calls a stand-in on this machine.

import { Bursar, SessionBudgetExceeded } from 'bursar'
import { withBudget } from 'bursar/openai'
import { priceBook } from 'bursar/prices'
import OpenAI from 'openai'
import { startStandIn } from './provider-stand-in/server.js'

const standIn = await startStandIn()
const bursar = new Bursar({ tiers: { pro: { daily: 5 } }, defaultTier: 'pro', prices: priceBook() })
const client = withBudget(new OpenAI({ baseURL: standIn.openaiUrl, apiKey: 'any' }), bursar)
const run = await bursar.session({ userId: 'ada', id: 'report', maxCost: '0.03' })

async function work(name: string, session: typeof run): Promise<void> {
  try {
    for (let step = 1; ; step += 1) {
      const messages = [{ role: 'user' as const, content: `${name}, do step ${step}.` }]
      // Whatever runs in here, however deep, spends the session's money.
      await bursar.runAs(session.identity, () => client.chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 900 }))
      const { totalCost, remainingBudget } = await session.summary()
      console.log(`${name}, step ${step}: $${totalCost} spent, $${remainingBudget} left`)
      if (name === 'agent' && step === 2) await work('  sub-agent', await session.session({ id: 'report/research', maxCost: '0.01' }))
    }
  } catch (error) {
    if (!(error instanceof SessionBudgetExceeded)) throw error
    console.log(`${name} is stopped: ${error.message}`)
  }
}

await work('agent', run)

await run.raiseCostCap('0.04')
console.log(`somebody raises the cap: $${run.remainingBudget} left, and ada has spent $${await bursar.tracker.getUserCost('ada')} of $5`)
await bursar.close()
await standIn.close()
