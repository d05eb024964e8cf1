// The budgets of the demo: three plans, a team and a budget for everybody, and the policy that judges the plans.

import { Bursar, definePolicy, type Store } from 'bursar'
import { priceBook } from 'bursar/prices'
import type { Tier } from './traffic.js'

/** What happens on each plan, in percent of its limit. */
const PLANS = {
  free: { warn: 80, block: 100 },
  pro: { warn: 80, degrade: 90, block: 100 },
  enterprise: { warn: 90 },
} as const satisfies Record<Tier, object>
/** The shared budgets are strict: WARN from 80 %, BLOCK at 100 %. */
const STRICT: readonly number[] = [80, 100]

const plans = definePolicy({ name: 'plans', tiers: PLANS })

/** Which thresholds are announced: those of a user's plan, and `shared` ones. In percent of the limit. */
export function thresholdsOf(tier: string): readonly number[] {
  return tier in PLANS ? Object.values(PLANS[tier as Tier]) : STRICT
}

/** The plans in words, for the head of the demo. */
export const IN_WORDS: readonly (readonly [string, string, string])[] = [
  ['free', '$0.10 a day each', 'WARN from 80 %, BLOCK at 100 %'],
  ['pro', '$1.00 a day each', 'WARN from 80 %, DEGRADE to a cheaper model from 90 %, BLOCK at 100 %'],
  ['enterprise', '$5.00 a day each', 'WARN from 90 %, never blocked by its own limit'],
  ['team research', '$1.50 a day together', 'WARN from 80 %, BLOCK at 100 %, whatever the plan says'],
  ['everybody', '$20.00 a day together', 'WARN from 80 %, BLOCK at 100 %'],
]

/** Tiers whose own limit only warns. */
export const ONLY_WARNED: ReadonlySet<string> = new Set(['enterprise'])

/** The engine under these budgets. */
export function openBursar(store: Store) {
  return new Bursar({
    tiers: { free: { daily: '0.10' }, pro: { daily: '1.00' }, enterprise: { daily: '5.00' } },
    policies: [plans],
    // What each call may cost before it is made, and what it did cost, says the price book: nothing else here knows a price.
    prices: priceBook(),
    ladder: { 'gpt-4o': 'gpt-4o-mini', 'claude-sonnet-4-6': 'claude-haiku-4-5' },
    scopes: { team: { research: { daily: '1.50' } } },
    global: { daily: '20.00' },
    timeZone: zoneFarFromMidnight(),
    store,
    // Longer than usual: the demo loads a small machine with several processes.
    storeTimeout: '5s',
  })
}

/** The engine of the demo, with its tiers and groups. */
export type DemoBursar = ReturnType<typeof openBursar>

/** A zone in which the day does not end while the demo runs: its daily budgets would rightly start anew. */
function zoneFarFromMidnight(): string {
  const hour = new Date().getUTCHours()
  return hour >= 6 && hour < 18 ? 'UTC' : 'Asia/Tokyo'
}
