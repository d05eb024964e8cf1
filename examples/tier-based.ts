// Three plans, one policy: free is refused beyond its limit, pro gets a cheaper model, enterprise is only warned.
// Run it: npx tsx examples/tier-based.ts

import { Bursar } from 'bursar'
import { tierBasedEnforcement } from 'bursar/policies'

const bursar = new Bursar({
  tiers: { free: { daily: 0.1 }, pro: { daily: 1 }, enterprise: { daily: 50 } }, // USD
  policies: [tierBasedEnforcement],
  ladder: { 'gpt-4o': 'gpt-4o-mini' },
})

async function spend(userId: string, userTier: 'free' | 'pro' | 'enterprise', estimatedCost: number, calls: number): Promise<void> {
  console.log(`\n${userTier}: ${calls} calls of $${estimatedCost}`)
  for (let call = 1; call <= calls; call += 1) {
    const decision = await bursar.check({ userId, userTier, model: 'gpt-4o', estimatedCost })
    const used = `${decision.context.budgetUsedPct} %`.padStart(6)
    const outcome = decision.allowed ? `calls ${decision.model}` : decision.reason
    console.log(`  ${String(call).padStart(2)}  ${used}  ${decision.action.padEnd(7)}  ${outcome}`)
    if (decision.allowed) await decision.settle({ cost: estimatedCost })
  }
}

await spend('fay', 'free', 0.03, 4)
await spend('pat', 'pro', 0.08, 13)
await spend('eli', 'enterprise', 5, 11)
await bursar.close()
