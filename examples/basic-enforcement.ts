// A budget in its simplest form: ask before each call, settle what it cost afterwards.
// Run it: npx tsx examples/basic-enforcement.ts

import { Bursar } from 'bursar'

const bursar = new Bursar({
  tiers: { free: { daily: 0.1, monthly: 1 } }, // USD
  defaultTier: 'free',
})

for (let call = 1; call <= 6; call += 1) {
  // The estimate is held while the call runs, so that calls at the same time cannot spend the same money twice.
  const decision = await bursar.check({ userId: 'ada', model: 'gpt-4o', estimatedCost: 0.03 })
  if (!decision.allowed) {
    const { status, message, largestFittingCost } = decision.toDenial()
    console.log(`call ${call}: BLOCK (HTTP ${status}) ${message}`)
    console.log(`        A call of up to $${largestFittingCost} would still fit.`)
    break
  }
  // … here the model named by decision.model is called; this one costs $0.021 …
  const { cost } = await decision.settle({ cost: 0.021 })
  console.log(`call ${call}: ${decision.action.padEnd(5)} held $${decision.estimatedCost}, cost $${cost}`)
}

const { periodCosts } = await bursar.tracker.getUserSummary('ada')
const today = periodCosts.daily
console.log(`today: $${today?.cost} of $${today?.limit} spent, $${today?.held} held, resets at ${today?.resetsAt?.toISOString()}`)
await bursar.close()
