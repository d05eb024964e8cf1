// A Bursar whose answers a test chooses.

import { Bursar } from '../bursar.js'
import type { CheckRequest } from '../decision/index.js'
import { definePolicy, type EnforcementAction } from '../enforcement/index.js'
import type { LadderConfig } from '../pricing/index.js'
import type { Store } from '../store/index.js'
import { memoryStore } from '../store/memory/index.js'
import type { Clock } from '../time/index.js'

/** What a {@link forcedBursar} answers, and to whom. */
export interface ForcedOptions {
  /** The answer to every request, or a function that chooses it. */
  readonly action: EnforcementAction | ((request: Pick<CheckRequest, 'userId' | 'userTier' | 'model'>) => EnforcementAction)
  /** The sentence that a decision gives as its reason. */
  readonly reason?: string | undefined
  /** The tiers that requests may name; the first is the default. None: requests name no tier. */
  readonly tiers?: readonly string[] | undefined
  /** With a ladder, DEGRADE also gives the next cheaper model. */
  readonly ladder?: LadderConfig | undefined
  readonly store?: Store | undefined
  readonly clock?: Clock | undefined
}

/**
 * A Bursar without limits that gives the answer it is told to: `forcedBursar({ action: 'BLOCK' })`. Everything else is real: holds
 * open and settle, events are emitted, a refusal has the code `policy`. For tests of what an application does with an answer.
 */
export function forcedBursar({ action, reason, tiers = [], ladder, store, clock }: ForcedOptions): Bursar {
  const forced = definePolicy({
    name: 'forced',
    on: 'request',
    evaluate: ({ userId, userTier, model }) => ({ action: typeof action === 'function' ? action({ userId, userTier, model }) : action, reason }),
  })
  return new Bursar<string>({
    policies: [forced],
    tiers: Object.fromEntries(tiers.map((tier) => [tier, {}])),
    defaultTier: tiers[0],
    ladder,
    store: store ?? memoryStore({ clock }),
    clock,
  })
}
