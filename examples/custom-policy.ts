// Policies of your own: thresholds as data (enforced while money is held), rules about the request, and facts from elsewhere.
// Run it: npx tsx examples/custom-policy.ts

import { Bursar, definePolicy, EnforcementAction, type PolicyFunction } from 'bursar'

// Thresholds in percent of every limit. The cheaper model comes early, the wall where it belongs.
const gentle = definePolicy({ name: 'gentle', thresholds: { warn: 50, degrade: 75, block: 100 } })

// A rule about the request alone. It is asked for each model of the ladder, so that a refused model can become a cheaper one.
const miniOnly = definePolicy({
  name: 'mini-for-trials',
  on: 'request',
  evaluate: ({ facts, model }) =>
    facts.onTrial === true && model === 'gpt-4o'
      ? { action: EnforcementAction.BLOCK, reason: 'trials get gpt-4o-mini' }
      : EnforcementAction.ALLOW,
})

// Any plain function of the context is a policy, too.
const notAbroad: PolicyFunction = ({ metadata }) => (metadata.country === 'ZZ' ? EnforcementAction.BLOCK : EnforcementAction.ALLOW)

const trials = new Set(['tim']) // stands for a database

const bursar = new Bursar({
  tiers: { team: { daily: 1 } }, // USD
  defaultTier: 'team',
  policies: [gentle, miniOnly, notAbroad],
  ladder: { 'gpt-4o': 'gpt-4o-mini' },
  // Policies are synchronous and pure: what they need from elsewhere is loaded here, before they run.
  enrich: async ({ userId }) => ({ onTrial: trials.has(userId) }),
  estimate: (_request, model) => (model === 'gpt-4o-mini' ? '0.012' : '0.20'), // USD: the upper bound of one call
})

async function ask(userId: string, country: string): Promise<void> {
  const decision = await bursar.check({ userId, model: 'gpt-4o', metadata: { country } })
  const outcome = decision.allowed ? `calls ${decision.model}` : decision.reason
  console.log(`${userId} from ${country}: ${decision.action.padEnd(7)} ${outcome}`)
  console.log(`    on ${decision.context.model}: ${decision.verdicts.map(({ policy, action }) => `${policy} ${action}`).join(', ')}`)
  if (decision.allowed) await decision.settle({ cost: decision.estimatedCost })
}

for (let call = 1; call <= 4; call += 1) await ask('uma', 'DE') // 20 %, 40 %, 60 % WARN, 80 % DEGRADE
await ask('tim', 'DE') // on trial: gpt-4o-mini from the start
await ask('uma', 'ZZ') // refused, whatever the budget says
await bursar.close()
