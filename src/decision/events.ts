// What a Bursar announces beside what its tracker does.

import type { UserRef } from '../budget/index.js'
import type { Verdict } from '../enforcement/index.js'
import { InvalidRequestError } from '../errors/index.js'
import type { TrackerEvents } from '../events/index.js'
import type { AllowedDecision, Decision, DeniedDecision, Settlement } from './decision.js'

/** The events of a `Bursar`. Every decision is announced as `decision`, and by its action. */
export interface BursarEvents extends TrackerEvents {
  decision: Decision
  allow: AllowedDecision
  warn: AllowedDecision
  degrade: AllowedDecision
  block: DeniedDecision
  /** A hold was settled. USD. */
  settled: { readonly id: string; readonly user: UserRef; readonly cost: number; readonly overage: number; readonly exact: Settlement['exact']; readonly model: string | undefined; readonly late: boolean }
  /** A call cost more than was held for it. */
  overage: { readonly id: string; readonly user: UserRef; readonly cost: number; readonly overage: number; readonly exact: Settlement['exact'] }
  /** Another model answered than the decision named. */
  'model-mismatch': { readonly id: string; readonly decided: string; readonly answered: string }
  /** A piece of usage was refused by `addUsage`. */
  'usage-error': { readonly id: string; readonly error: Error }
  /** A policy threw, or returned no action. */
  'policy-error': { readonly id: string; readonly verdict: Verdict }
}

const NAMES: Readonly<Record<keyof BursarEvents, true>> = {
  decision: true, allow: true, warn: true, degrade: true, block: true, settled: true, overage: true, 'model-mismatch': true, 'usage-error': true, 'policy-error': true,
  threshold: true, 'hold-expired': true, recorded: true, 'window-reset': true, 'tier-changed': true, 'store-error': true, 'store-recovered': true, 'listener-error': true,
} // prettier-ignore

/** Throws `InvalidRequestError` for a name that no event has: its listener would never be called. */
export function assertEventName(name: string): void {
  if (!Object.hasOwn(NAMES, name)) throw new InvalidRequestError(`event: ${JSON.stringify(name)} is no event. The events are ${Object.keys(NAMES).join(', ')}.`)
}
