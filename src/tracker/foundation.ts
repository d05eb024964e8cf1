// What a tracker and an engine stand on together: one store, one plan, one clock, one hub of events.

import { BudgetPlan } from '../budget/index.js'
import type { Logger } from '../enforcement/index.js'
import { EventHub, type TrackerEvents } from '../events/index.js'
import type { Store } from '../store/index.js'
import { memoryStore } from '../store/memory/index.js'
import { systemClock, type Clock } from '../time/index.js'
import { Accounts } from './accounts.js'
import { planConfig, type BudgetsConfig } from './config.js'
import { EffectAnnouncer } from './effects.js'
import type { Judges } from './terms.js'

/** The parts that a `CostTracker` and its `Bursar` share. */
export interface Foundation {
  readonly plan: BudgetPlan
  readonly store: Store
  readonly clock: Clock
  readonly accounts: Accounts
  readonly hub: EventHub<TrackerEvents>
  readonly effects: EffectAnnouncer
  readonly warn: (message: string) => void
}

const DEFAULT_ALERTS: readonly number[] = [80, 100]
let warnedOfMemory = false

/** Builds the parts from a checked configuration. Throws `InvalidConfigError` with the path of what cannot work. */
export function layFoundation(config: BudgetsConfig, judges: () => Judges): Foundation {
  const plan = new BudgetPlan(planConfig(config))
  const clock = config.clock ?? systemClock
  const warn = warner(config.logger)
  const store = config.store ?? defaultStore(clock, warn)
  const accounts = new Accounts(plan, store.directory, clock, judges)
  const hub = new EventHub<TrackerEvents>(warn)
  return { plan, store, clock, accounts, hub, effects: new EffectAnnouncer(hub, warn), warn }
}

/** The judges of a tracker that stands alone: nothing is refused, thresholds are only announced. */
export function noJudges(alertThresholds: readonly number[] = DEFAULT_ALERTS): Judges {
  return { own: [], shared: () => [], strict: undefined, alertThresholds }
}

function defaultStore(clock: Clock, warn: (message: string) => void): Store {
  if (!warnedOfMemory && globalThis.process?.env?.['NODE_ENV'] === 'production') {
    warnedOfMemory = true
    warn('bursar: no store was configured, so budgets live in the memory of this process: each process has its own, and a restart forgets them. Pass store: memoryStore() if that is what you want. (This is said once.)')
  }
  return memoryStore({ clock })
}

function warner(logger: Logger | undefined): (message: string) => void {
  if (logger !== undefined) {
    return (message) => {
      try {
        logger.warn(message)
      } catch {
        // A logger that fails is nobody's failure but its own.
      }
    }
  }
  return (message) => (globalThis.process?.emitWarning === undefined ? console.warn(message) : globalThis.process.emitWarning(message, 'BursarWarning'))
}
