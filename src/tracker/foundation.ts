// What a tracker and an engine stand on together: one store, one plan, one clock, one hub of events.

import { BudgetPlan } from '../budget/index.js'
import type { Logger, ThresholdPolicy } from '../enforcement/index.js'
import { InvalidConfigError, isBursarError } from '../errors/index.js'
import { EventHub, type TrackerEvents } from '../events/index.js'
import { LimitFinder, limitRecords } from '../limits/index.js'
import { OutageGuard, type SettleQueueConfig } from '../outage/index.js'
import { isPromise, type MaybePromise, type Reading, type Store } from '../store/index.js'
import { memoryStore } from '../store/memory/index.js'
import { parseDuration, systemClock, type Clock } from '../time/index.js'
import { Accounts } from './accounts.js'
import { planConfig, type BudgetsConfig } from './config.js'
import { EffectAnnouncer } from './effects.js'
import { Sessions } from './sessions.js'
import type { Judges } from './terms.js'

/** The parts that a `CostTracker` and its `Bursar` share. */
export interface Foundation {
  readonly plan: BudgetPlan
  readonly store: Store
  /** The same store, where it is shared and may be away. */
  readonly guard: OutageGuard | undefined
  /** The store keeps tenants apart: no budget can be shared by several of them. */
  readonly keepsTenantsApart: boolean
  readonly clock: Clock
  readonly accounts: Accounts
  readonly hub: EventHub<TrackerEvents>
  readonly effects: EffectAnnouncer
  readonly warn: (message: string) => void
}

/** What an engine wants of its foundation while the store is away. */
export interface AwayOptions {
  /** The share of what last remained that may be admitted without the store; absent: nothing is. */
  readonly localShare?: number | undefined
  readonly settleQueue?: SettleQueueConfig | undefined
}

const DEFAULT_STORE_TIMEOUT = '1s'
/** What setTimeout takes: more would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1
const DEFAULT_ALERTS: readonly number[] = [80, 100]
let warnedOfMemory = false

/** Builds the parts from a checked configuration. Throws `InvalidConfigError` with the path of what cannot work. */
export function layFoundation(config: BudgetsConfig, judges: () => Judges, away: AwayOptions = {}): Foundation {
  const plan = new BudgetPlan(planConfig(config))
  const clock = config.clock ?? systemClock
  const warn = warner(config.logger)
  const timeoutMs = parseDuration(config.storeTimeout ?? DEFAULT_STORE_TIMEOUT, 'config.storeTimeout')
  if (timeoutMs > MAX_TIMER_MS) throw new InvalidConfigError(`config.storeTimeout: ${timeoutMs} ms is more than a timer takes. Give at most 24 days; a second is usual.`)
  const given = config.store ?? defaultStore(clock, warn)
  const keepsTenantsApart = given.keepsTenantsApart === true
  if (keepsTenantsApart) assertNoneShared(plan)
  const hub = new EventHub<TrackerEvents>(warn)
  const effects = new EffectAnnouncer(hub, warn)
  const accountsOn = (store: Store): Accounts => {
    const limits = new LimitFinder(limitRecords(store), clock, () => judges().strict)
    return new Accounts(plan, store.directory, new Sessions(store.registry, clock), limits, clock, judges)
  }
  const accounts = accountsOn(given)
  if (!given.shared) return following({ plan, store: given, guard: undefined, keepsTenantsApart, clock, accounts, hub, effects, warn })
  // Only now, when nothing can fail any more: a configuration that cannot work must leave no file locked.
  const guard = new OutageGuard(given, {
    ...away,
    timeoutMs,
    clock,
    warn,
    onError: (operation, error) => hub.emit('store-error', { operation, error }),
    onRecovered: (operation) => hub.emit('store-recovered', { operation }),
    onEffects: (brought) => effects.announce(brought),
  })
  return following({ plan, store: guard, guard, keepsTenantsApart, clock, accounts: accountsOn(guard), hub, effects, warn })
}

/** What is remembered of sessions and limits ends with the data set, and they end by store time. */
function following(foundation: Foundation): Foundation {
  const { accounts, store, guard, hub, effects } = foundation
  const timeOf = ({ now, effects: brought }: Reading): number => {
    effects.announce(brought)
    return now
  }
  const storeTime = (): MaybePromise<number> => {
    const reading = store.read([])
    return isPromise(reading) ? reading.then(timeOf) : timeOf(reading)
  }
  accounts.sessions.judgeBy(storeTime)
  accounts.limits.judgeBy(storeTime)
  if (guard === undefined) return foundation
  hub.on('store-error', ({ error }) => {
    if (!isBursarError(error) || error.code !== 'STORE_RESET') return
    accounts.sessions.forget()
    accounts.limits.forget()
  })
  return foundation
}

/** The judges of a tracker that stands alone: nothing is refused, thresholds are only announced, those of limits too. */
export function noJudges(alertThresholds: readonly number[] = DEFAULT_ALERTS): Judges {
  return { own: [], shared: ({ limit, policies }) => (limit === undefined ? [] : ((policies ?? []) as readonly ThresholdPolicy<string>[])), strict: undefined, alertThresholds }
}

/** False for a kind of scope that several tenants may share. */
export function isOfOneTenant(kind: string): boolean {
  return kind === 'user' || kind === 'tenant'
}

/** Where a store keeps tenants apart, none of its parts could count a budget that several of them share. */
function assertNoneShared(plan: BudgetPlan): void {
  for (const { kind, budget } of plan.budgets()) {
    if (isOfOneTenant(kind)) continue
    throw new InvalidConfigError(`config.${kind === 'global' ? 'global' : budget.path}: is shared by several tenants, and the store keeps tenants apart (partition: 'tenant'). Use partition: 'all', or give tenants budgets under scopes.tenant.`)
  }
}

function defaultStore(clock: Clock, warn: (message: string) => void): Store {
  if (!warnedOfMemory && globalThis.process?.env?.['NODE_ENV'] === 'production') {
    warnedOfMemory = true
    warn('bursar: no store was configured, so budgets live in the memory of this process: each process has its own, and a restart forgets them. Pass store: memoryStore() if that is what you want. (This is said once.)')
  }
  return memoryStore({ clock })
}

/** Where warnings go: to the logger, else to the process. A logger that fails is nobody's failure. */
export function warner(logger: Logger | undefined): (message: string) => void {
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
