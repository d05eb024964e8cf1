// The metrics of one engine as Prometheus has them: names, units and labels. What is counted when, prometheus.ts knows.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import { InvalidConfigError } from '../errors/index.js'

/** Seconds: in memory a check takes microseconds, in Redis a round trip; beyond a second the store is away. */
const DECIDING_SECONDS = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5]

/** What gives the values of a gauge when it is scraped. */
export type Collect = (gauge: Gauge) => void | Promise<void>

/** Functions that fill gauges. */
export interface Collectors {
  readonly held: Collect
  readonly openHolds: Collect
  readonly poolHeld: Collect
}

/** All metrics of one engine. */
export interface MetricSet {
  readonly decisions: Counter
  readonly denials: Counter
  readonly withoutStore: Counter
  readonly checkErrors: Counter
  readonly checkSeconds: Histogram
  readonly settles: Counter
  readonly settleSeconds: Histogram
  readonly releases: Counter
  readonly spent: Counter
  readonly tenantSpent: Counter
  readonly overage: Counter
  readonly expired: Counter
  readonly expiredUsd: Counter
  readonly thresholds: Counter
  readonly usageErrors: Counter
  readonly storeErrors: Counter
  readonly storeRecoveries: Counter
  /** Takes all of them out of the registry. */
  remove(): void
}

/** Makes them in a registry. Throws `InvalidConfigError` where it has one of these names, or the prefix makes none; then nothing was added. */
export function metricSet(registry: Registry, prefix: string, collect: Collectors): MetricSet {
  const registers = [registry]
  const names: string[] = []
  const named = (name: string, help: string, labelNames: readonly string[]): { name: string; help: string; labelNames: string[]; registers: Registry[] } => {
    const full = `${prefix}${name}`
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(full)) throw new InvalidConfigError(`prefix: ${JSON.stringify(prefix)} begins no name of a metric. Use letters, digits and _, such as 'bursar_'.`)
    if (registry.getSingleMetric(full) !== undefined) throw new InvalidConfigError(`registry: has a metric ${full} already. Give another prefix, or a registry of its own.`)
    names.push(full)
    return { name: full, help, labelNames: [...labelNames], registers }
  }
  const counter = (name: string, help: string, ...labels: readonly string[]): Counter => new Counter(named(name, help, labels))
  const gauge = (name: string, help: string, labels: readonly string[], collected: Collect): Gauge => {
    const made: Gauge = new Gauge({ ...named(name, help, labels), collect: () => collected(made) })
    return made
  }
  const seconds = (name: string, help: string, ...labels: readonly string[]): Histogram => new Histogram({ ...named(name, help, labels), buckets: DECIDING_SECONDS })
  const remove = (): void => names.forEach((name) => registry.removeSingleMetric(name))
  try {
    gauge('held_usd', 'Money in open holds that this process has opened.', ['tier'], collect.held)
    gauge('open_holds', 'Open holds that this process has opened.', ['tier'], collect.openHolds)
    gauge('tier_pool_held_usd', 'Money in open holds of all processes, for tiers with a shared budget: read from the store.', ['tier'], collect.poolHeld)
    return {
      decisions: counter('decisions_total', 'Decisions, by the action and by the policy behind it.', 'action', 'tier', 'policy'),
      denials: counter('denials_total', 'Refusals, by their reason.', 'code', 'tier'),
      withoutStore: counter('decisions_without_store_total', 'Decisions while the store was away, by what stood behind them.', 'enforced_by'),
      checkErrors: counter('check_errors_total', 'Checks that rejected, by the code of the error.', 'code'),
      checkSeconds: seconds('check_duration_seconds', 'How long checks take.', 'result'),
      settles: counter('settles_total', 'Settles: made, repeated, waiting for the store, or failed.', 'result'),
      settleSeconds: seconds('settle_duration_seconds', 'How long settles take.'),
      releases: counter('releases_total', 'Holds that were given back.'),
      spent: counter('spent_usd_total', 'What was settled or recorded by this process.', 'tier'),
      tenantSpent: counter('tenant_spent_usd_total', 'The same by tenant: those that spend most, and the rest as "other".', 'tenant'),
      overage: counter('overage_usd_total', 'What calls cost above their holds.', 'tier'),
      expired: counter('holds_expired_total', 'Holds that nothing had ended in time.', 'tier'),
      expiredUsd: counter('holds_expired_usd_total', 'What expired holds were charged; a settle that comes late is in spent_usd_total as well.', 'tier'),
      thresholds: counter('thresholds_total', 'Thresholds of windows that were reached.', 'scope'),
      usageErrors: counter('usage_errors_total', 'Pieces of usage that were refused.'),
      storeErrors: counter('store_errors_total', 'Failures of the store; one that is away is told of once, until it is back.', 'operation'),
      storeRecoveries: counter('store_recoveries_total', 'How often the store was back.'),
      remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}
