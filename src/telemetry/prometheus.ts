// What a Prometheus server scrapes of one engine: decisions, refusals, money and the store, by labels so few that they cost nothing. Never a
// user, a session or an id, nor a model that a client has named.

import { Registry, type Gauge } from 'prom-client'
import type { Bursar } from '../bursar.js'
import type { AllowedDecision, CheckedCall, Decision, DenialCode, SettledCall, Settlement, Telemetry, Watch } from '../decision/index.js'
import { InvalidConfigError, isBursarError } from '../errors/index.js'
import { toUsd } from '../money/index.js'
import { steadyClock } from '../time/index.js'
import { BoundedLabels, NONE } from './bounded-labels.js'
import { metricSet, type MetricSet } from './metric-set.js'
import { OpenHolds } from './open-holds.js'
import { TopSpenders } from './top-spenders.js'

/** Options of {@link prometheusMetrics}. */
export interface PrometheusOptions {
  /** Where the metrics stand. Default: a registry of their own. */
  readonly registry?: Registry | undefined
  /** How many tenants have a label of their own. Default 20; as many again may have one in time, because the order changes. */
  readonly topTenants?: number | undefined
  /** What all names begin with. Default `bursar_`. */
  readonly prefix?: string | undefined
}

/** The metrics of one engine. */
export interface PrometheusMetrics {
  /** `await registry.metrics()` is what Prometheus reads, `registry.contentType` its type. */
  readonly registry: Registry
  /** Measures no more, and takes the metrics out of the registry. */
  detach(): void
}

const DEFAULT_TOP_TENANTS = 20
const MOST_TENANTS = 1_000
/** Policies, codes and operations are code and configuration: there are not many, whoever asks. */
const MOST_NAMES = 50
const DENIAL_CODES: readonly DenialCode[] = ['budget', 'rate', 'policy', 'policy-error', 'store-unavailable']
const SETTLE_RESULTS = ['settled', 'replayed', 'queued', 'error']
/** Asked for the budgets that a tier shares. It is never charged. */
const NOBODY = 'nobody'

/**
 * Measures an engine for Prometheus: every check and every ending from now on, in this process. Names and units stand in docs/telemetry.md.
 * Throws `InvalidConfigError` for options that cannot work.
 */
// oxlint-disable-next-line typescript/no-explicit-any
export function prometheusMetrics(bursar: Bursar<any, any>, options: PrometheusOptions = {}): PrometheusMetrics {
  const { registry = new Registry(), topTenants = DEFAULT_TOP_TENANTS, prefix = 'bursar_', ...unknown } = options
  const [field] = Object.keys(unknown)
  if (field !== undefined) throw new InvalidConfigError(`options.${field}: is no known option. Use registry, topTenants or prefix.`)
  if (!Number.isSafeInteger(topTenants) || topTenants < 0 || topTenants > MOST_TENANTS) throw new InvalidConfigError(`topTenants: ${String(topTenants)} is no number of tenants. Give a whole number from 0 to ${MOST_TENANTS}.`)
  if (typeof prefix !== 'string') throw new InvalidConfigError(`prefix: ${String(prefix)} is no text. Give the beginning of all names, such as 'bursar_'.`)
  const measuring = new Measuring(bursar as Bursar<string, string>, registry, topTenants, prefix)
  return { registry, detach: () => measuring.detach() }
}

/** Counts what one engine does. */
class Measuring implements Telemetry {
  readonly #bursar: Bursar<string, string>
  readonly #metrics: MetricSet
  readonly #holds = new OpenHolds()
  readonly #tenants: TopSpenders
  readonly #tiers: BoundedLabels
  readonly #policies = new BoundedLabels([], MOST_NAMES)
  readonly #codes = new BoundedLabels([], MOST_NAMES)
  readonly #operations = new BoundedLabels([], MOST_NAMES)
  readonly #scopes = new BoundedLabels([], MOST_NAMES)
  readonly #detach: (() => void)[]

  constructor(bursar: Bursar<string, string>, registry: Registry, topTenants: number, prefix: string) {
    this.#bursar = bursar
    this.#tenants = new TopSpenders(topTenants)
    this.#tiers = new BoundedLabels(bursar.tracker.tiers, 0)
    this.#metrics = metricSet(registry, prefix, {
      held: (gauge) => this.#openHolds().forEach(({ microcents }, tier) => gauge.set({ tier }, toUsd(microcents))),
      openHolds: (gauge) => this.#openHolds().forEach(({ holds }, tier) => gauge.set({ tier }, holds)),
      poolHeld: (gauge) => this.#readPools(gauge),
    })
    this.#beginAtZero(bursar.tracker.tiers)
    this.#detach = [bursar.instrument(this), ...this.#listen(bursar), () => this.#metrics.remove()]
  }

  detach(): void {
    for (const detach of this.#detach.splice(0)) detach()
  }

  check(): Watch<Decision, CheckedCall> {
    const startedAt = steadyClock()
    const { checkSeconds, checkErrors } = this.#metrics
    const took = (result: string): void => checkSeconds.observe({ result }, (steadyClock() - startedAt) / 1_000)
    return {
      ended: (decision, call) => {
        took(decision.allowed ? 'allowed' : 'denied')
        this.#decided(decision, this.#tiers.of(call?.tier))
      },
      failed: (error) => {
        took('error')
        checkErrors.inc({ code: this.#codeOf(error) })
      },
    }
  }

  settle({ id }: { readonly id: string }): Watch<Settlement, SettledCall> {
    const startedAt = steadyClock()
    const { settles, settleSeconds } = this.#metrics
    const took = (): void => settleSeconds.observe((steadyClock() - startedAt) / 1_000)
    return {
      ended: (settlement, call) => {
        took()
        this.#holds.ended(id)
        settles.inc({ result: settlement.replayed ? 'replayed' : settlement.queued === true ? 'queued' : 'settled' })
        if (!settlement.replayed) this.#spent(settlement.exact.costMicrocents, settlement.exact.overageMicrocents, call)
      },
      failed: (error) => {
        took()
        settles.inc({ result: 'error' })
        this.#noHold(id, error)
      },
    }
  }

  release({ id }: { readonly id: string }): Watch<void> {
    return {
      ended: () => {
        this.#holds.ended(id)
        this.#metrics.releases.inc()
      },
      failed: (error) => this.#noHold(id, error),
    }
  }

  extend({ id }: { readonly id: string }): Watch<Date> {
    return { ended: (dueAt) => this.#holds.extended(id, dueAt.getTime()), failed: (error) => this.#noHold(id, error) }
  }

  /** A counter that is first seen above 0 is not seen to rise: what is known beforehand is there from the beginning. */
  #beginAtZero(tiers: readonly string[]): void {
    const { decisions, denials, settles, spent, overage, expired, expiredUsd } = this.#metrics
    for (const tier of tiers) {
      decisions.inc({ action: 'ALLOW', tier, policy: NONE }, 0)
      for (const counter of [spent, overage, expired, expiredUsd]) counter.inc({ tier }, 0)
      for (const code of DENIAL_CODES) denials.inc({ code, tier }, 0)
    }
    for (const result of SETTLE_RESULTS) settles.inc({ result }, 0)
  }

  #decided(decision: Decision, tier: string): void {
    const { decisions, denials, withoutStore } = this.#metrics
    decisions.inc({ action: decision.action, tier, policy: this.#policyOf(decision) })
    if (decision.enforcedBy !== 'store') withoutStore.inc({ enforced_by: decision.enforcedBy })
    if (!decision.allowed) denials.inc({ code: decision.code, tier })
    else if (opensHold(decision)) this.#holds.opened(decision.id, tier, decision.exact.estimatedMicrocents, decision.expiresAt.getTime())
  }

  /** The first that said what was done; nobody need have said ALLOW. */
  #policyOf(decision: Decision): string {
    if (decision.action === 'ALLOW') return NONE
    return this.#policies.of(decision.verdicts.find(({ action }) => action === decision.action)?.policy)
  }

  #spent(microcents: number, overageMicrocents: number, call: Pick<CheckedCall, 'user' | 'tier'> | undefined): void {
    const tier = this.#tiers.of(call?.tier)
    this.#metrics.spent.inc({ tier }, toUsd(microcents))
    if (overageMicrocents > 0) this.#metrics.overage.inc({ tier }, toUsd(overageMicrocents))
    this.#metrics.tenantSpent.inc({ tenant: this.#tenants.spent(call?.user.tenant, microcents) }, toUsd(microcents))
  }

  #noHold(id: string, error: unknown): void {
    if (isBursarError(error) && (error.code === 'ALREADY_ENDED' || error.code === 'UNKNOWN_HOLD' || error.code === 'HOLD_EXPIRED')) this.#holds.ended(id)
  }

  #codeOf(error: unknown): string {
    return isBursarError(error) ? this.#codes.of(error.code) : 'unknown'
  }

  #listen(bursar: Bursar<string, string>): (() => void)[] {
    const { expired, expiredUsd, thresholds, usageErrors, storeErrors, storeRecoveries } = this.#metrics
    const off: (() => void)[] = []
    const on: typeof bursar.on = (name, listener) => {
      off.push(() => bursar.off(name, listener))
      return bursar.on(name, listener)
    }
    on('recorded', ({ exact, user, tier }) => this.#spent(exact.microcents, 0, { user, tier }))
    on('hold-expired', ({ id, tier: named, charged }) => {
      const tier = this.#tiers.of(named)
      this.#holds.ended(id)
      expired.inc({ tier })
      expiredUsd.inc({ tier }, charged)
    })
    on('threshold', ({ scope }) => thresholds.inc({ scope: this.#scopes.of(scope.kind) }))
    on('usage-error', () => usageErrors.inc())
    on('store-error', ({ operation }) => storeErrors.inc({ operation: this.#operations.of(operation) }))
    on('store-recovered', () => storeRecoveries.inc())
    return off
  }

  #openHolds(): ReturnType<OpenHolds['byTier']> {
    return this.#holds.byTier(this.#bursar.tracker.clock())
  }

  /** Nothing where the store is away: an old number would be taken for a new one. */
  async #readPools(gauge: Gauge): Promise<void> {
    gauge.reset()
    for (const tier of this.#bursar.tracker.tiers) {
      const context = await this.#bursar.tracker.context({ userId: NOBODY, userTier: tier }).catch(() => undefined)
      if (context === undefined) return
      const pools = context.windows.filter(({ scope, unit }) => scope.kind === 'tier' && unit === 'usd')
      if (pools.length > 0) gauge.set({ tier }, toUsd(Math.max(...pools.map(({ exact }) => exact.held))))
    }
  }
}

/** A repeat opened nothing, and without the store nothing is held. */
function opensHold({ replayed, enforcedBy }: AllowedDecision): boolean {
  return !replayed && enforcedBy === 'store'
}
