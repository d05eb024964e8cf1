// Tiers that follow Stripe's subscriptions: signed events reach an endpoint, and the next decision knows what was bought. Usage stays.
// Run it: npx tsx examples/stripe-tiers.ts. It talks to a stand-in for Stripe on this machine. For the real one, in test mode:
//   stripe listen --forward-to localhost:4242/stripe        (it prints the secret of the endpoint, whsec_…)
//   STRIPE_SECRET_KEY=sk_test_… STRIPE_WEBHOOK_SECRET=whsec_… npx tsx examples/stripe-tiers.ts

import { deepStrictEqual } from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Bursar, formatUsd } from 'bursar'
import { pastDueDegradation, tierBasedEnforcement } from 'bursar/policies'
import { StripeTierMapper, stripeWebhook } from 'bursar/stripe'
import { openStandInShop } from './stripe-tiers/stand-in-shop.js'
import { openTestModeShop } from './stripe-tiers/test-mode-shop.js'

const { STRIPE_SECRET_KEY: key, STRIPE_WEBHOOK_SECRET: secret } = process.env
const shop = key && secret ? await openTestModeShop(key, secret) : await openStandInShop()

const mapper = new StripeTierMapper({
  tiers: {
    free: { budget: { daily: '0.10' } },
    pro: { prices: [shop.prices.pro], budget: { daily: 1, weekly: 5, monthly: { usd: 20, anchor: 'subscription' } }, monthlyPrice: 29 },
    enterprise: { prices: [shop.prices.enterprise], budget: { daily: 50, monthly: 1_000 }, monthlyPrice: 499 },
  },
  fallbackTier: 'free',
})

// Microcents per token: $2.50 per million tokens are 250 microcents each.
const PRICES = { 'gpt-4o': { input: 250, output: 1_000 }, 'gpt-4o-mini': { input: 15, output: 60 } }

const bursar = new Bursar({
  tiers: mapper.tiers,
  defaultTier: mapper.fallbackTier,
  policies: [tierBasedEnforcement, pastDueDegradation],
  ladder: { 'gpt-4o': 'gpt-4o-mini' },
  estimate: ({ inputTokens = 0, maxOutputTokens = 0 }, model) => {
    const { input, output } = PRICES[model as keyof typeof PRICES]
    return formatUsd(inputTokens * input + maxOutputTokens * output)
  },
  suggestUpgrade: mapper.getUpgradeTier,
  clock: shop.clock,
})

const webhook = stripeWebhook({ stripe: shop.stripe, secrets: shop.secret, livemode: false, mapper, tracker: bursar.tracker, pastDueGrace: '3d' })
const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/stripe') void webhook.express(request, response)
  else response.writeHead(404).end()
})

const heard: string[] = []
webhook.sync.events.on('synced', ({ user, cause }) => {
  // The cause names the event's type, and then its id.
  if (user?.userId === 'ada') heard.push(cause.split(' ')[0] ?? '')
})
webhook.sync.events.on('webhook-refused', ({ reason }) => console.error(`refused: ${reason}`))
webhook.sync.events.on('sync-error', ({ error }) => console.error(error))

/** What happened, in a few words: compared at the end with what should have. */
const story: string[] = []

/** Asks for some calls of $0.06 each, makes those that are allowed, and prints each change of mind. */
async function ask(calls: number): Promise<void> {
  for (let call = 1, last = ''; call <= calls; call += 1) {
    const decision = await bursar.check({ userId: 'ada', model: 'gpt-4o', inputTokens: 4_000, maxOutputTokens: 5_000 })
    if (decision.allowed) await decision.settle({ cost: decision.estimatedCost })
    const { action } = decision
    if (action === last) continue
    last = action
    story.push(action)
    const daily = (await bursar.tracker.getUserSummary('ada')).periodCosts.daily
    const outcome = decision.allowed ? `calls ${decision.model}` : decision.toDenial().message
    console.log(`  ${action.padEnd(7)}  today $${daily?.cost} of $${daily?.limit}: ${outcome}`)
  }
}

/** Prints what happened, which events told of it, and how the user stands then. */
async function tell(title: string, tier: string): Promise<void> {
  // With the real Stripe the events are still on their way.
  for (let left = 600; ((await bursar.tracker.getUserTier('ada')) ?? 'free') !== tier; left -= 1) {
    if (left === 0) throw new Error(`no event has made "ada" ${tier} within a minute. Is "stripe listen" running?`)
    await sleep(100)
  }
  const billing = await bursar.tracker.getUserBilling('ada')
  const { standing = 'unknown', period, pastDueFrom } = billing ?? {}
  const until = standing === 'grace' ? pastDueFrom : period?.endsAt
  story.push(`${tier} ${standing}`)
  console.log(`\n${day(new Date(shop.clock()))}: ${title}`)
  if (heard.length > 0) console.log(`  ${heard.splice(0).join(', ')}`)
  console.log(`  tier ${tier}, standing ${standing}${until === undefined ? '' : `, until ${day(until)}`}`)
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10)
}

try {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(shop.port, '127.0.0.1', resolve))
  shop.deliverTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/stripe`)
  console.log(`Stripe: ${shop.name}`)

  await tell('ada has bought nothing', 'free')
  await ask(2)
  await shop.checkout('ada')
  await tell('ada buys Pro', 'pro')
  await ask(16)
  await shop.upgrade()
  await tell('ada upgrades to Enterprise', 'enterprise')
  await ask(1)
  if (shop.time !== undefined) {
    await shop.time.failRenewal()
    await tell('the renewal is not paid', 'enterprise')
    await ask(1)
    shop.time.pass(3 * 86_400_000)
    await tell('three days later, grace is over', 'enterprise')
    await ask(12)
  }
  await shop.cancel()
  await tell('the subscription is canceled', 'free')
  await ask(1)

  const late = ['enterprise grace', 'ALLOW', 'enterprise past_due', 'DEGRADE']
  const began = ['free unknown', 'ALLOW', 'BLOCK', 'pro active', 'ALLOW', 'WARN', 'DEGRADE', 'enterprise active', 'ALLOW']
  deepStrictEqual(story, [...began, ...(shop.time === undefined ? [] : late), 'free none', 'BLOCK'])
  console.log('\nThat is the story as it should be.')
} finally {
  await shop.close()
  server.close()
  server.closeAllConnections()
  await bursar.close()
}
