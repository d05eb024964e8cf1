// Which policies are in force: the registered ones, those of shared budgets, and what configurations name instead of passing.

import { InvalidConfigError } from './errors/index.js'
import type { CompiledBudget, PolicyConfig } from './budget/index.js'
import {
  definePolicy,
  isRequestPolicy,
  isThresholdPolicy,
  policyName,
  type DefinedPolicy,
  type EnforcementCallbacks,
  type Policy,
  type ThresholdPolicy,
} from './enforcement/index.js'
import type { Judges } from './tracker/index.js'

/** The built-in policies as a configuration file names them. */
export type NamedPolicies = Readonly<Record<string, DefinedPolicy>>

/** The policies that judge at this moment. Made anew when the chain changes: its identity tells. */
export interface InForce extends Judges {
  /** A function must be asked after the hold: thresholds alone do not decide. */
  readonly asksFunctions: boolean
  /** Those that run before the windows are asked. */
  readonly requestPolicies: readonly Policy<string>[]
}

/** Follows a chain of policies. */
export class PoliciesInForce {
  readonly #callbacks: EnforcementCallbacks
  readonly #named: NamedPolicies
  readonly #strict: ThresholdPolicy
  readonly #alertThresholds: readonly number[]
  readonly #tiers: () => readonly string[]
  readonly #shared = new WeakMap<CompiledBudget, readonly ThresholdPolicy<string>[]>()
  #seen: readonly Policy<string>[] | undefined
  #inForce: InForce | undefined

  constructor(callbacks: EnforcementCallbacks, named: NamedPolicies, strict: ThresholdPolicy, alertThresholds: readonly number[], tiers: () => readonly string[]) {
    this.#callbacks = callbacks
    this.#named = named
    this.#strict = strict
    this.#alertThresholds = alertThresholds
    this.#tiers = tiers
  }

  /** What is in force now. Throws `InvalidConfigError` for a policy that names a tier which does not exist. */
  get current(): InForce {
    const { policies } = this.#callbacks
    if (policies === this.#seen && this.#inForce !== undefined) return this.#inForce
    for (const policy of policies) this.#checkTiers(policy)
    this.#inForce = {
      own: policies.filter(isThresholdPolicy),
      shared: (budget) => this.#sharedPolicies(budget),
      strict: this.#strict,
      alertThresholds: this.#alertThresholds,
      requestPolicies: policies.filter(isRequestPolicy),
      asksFunctions: policies.some((policy) => !isThresholdPolicy(policy) && !isRequestPolicy(policy)),
    }
    this.#seen = policies
    return this.#inForce
  }

  /** A policy as a configuration gives it: a function, the name of a built-in one, or a name with thresholds. */
  resolve(given: Policy<string> | PolicyConfig, field: string): Policy<string> {
    if (typeof given === 'function') return given
    if (typeof given !== 'string') return definePolicy(given)
    const named = Object.hasOwn(this.#named, given) ? this.#named[given] : undefined
    if (named === undefined) throw new InvalidConfigError(`${field}: "${given}" is no built-in policy. Use ${Object.keys(this.#named).join(', ')}, or { name, thresholds }.`)
    return named
  }

  #sharedPolicies(budget: CompiledBudget): readonly ThresholdPolicy<string>[] {
    let policies = this.#shared.get(budget)
    if (policies === undefined) {
      const given = budget.policies ?? [this.#strict]
      policies = given.map((policy, index) => {
        const field = `${budget.path}.policies.${index}`
        const resolved = this.resolve(policy, field)
        if (!isThresholdPolicy(resolved)) throw new InvalidConfigError(`${field}: "${policyName(resolved)}" has no thresholds, and a shared budget is judged by thresholds alone. Register it under policies instead.`)
        return resolved
      })
      for (const policy of policies) this.#checkTiers(policy)
      this.#shared.set(budget, policies)
    }
    return policies
  }

  #checkTiers(policy: Policy<string>): void {
    const tiers = this.#tiers()
    for (const tier of (policy as Partial<DefinedPolicy<string>>).namesTiers ?? []) {
      if (!tiers.includes(tier)) throw new InvalidConfigError(`policy "${policyName(policy)}": names tier "${tier}", which the configuration lacks. ${tiers.length === 0 ? 'Add tiers.' : `The tiers are ${tiers.join(', ')}.`}`)
    }
  }
}
