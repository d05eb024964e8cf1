// The policy contract: what a policy is, and how to make one. `policies/` and applications build on this file alone; a policy
// never sees a store, a clock or a promise.

import { InvalidConfigError } from '../errors/index.js'
import { EnforcementAction } from './action.js'
import { completeContext, type EnforcementContext } from './context.js'
import { checkThresholds, type Thresholds } from './thresholds.js'

/** What a policy may return beside a bare action: the action with a sentence for people. */
export interface PolicyResult {
  readonly action: EnforcementAction
  readonly reason?: string | undefined
}

/** A policy: a pure synchronous function of the frozen context. Anything else that it returns, or throws, counts as `onPolicyError`. */
export type PolicyFunction = (context: EnforcementContext) => EnforcementAction | PolicyResult

/** A policy as {@link definePolicy} names it. `Tiers` are the tiers that it was made for, so that a mistyped one does not compile. */
export interface DefinedPolicy<Tiers extends string = never> extends PolicyFunction {
  readonly policyName: string
  /** `request` policies run before the windows are asked, once for each model of the ladder. */
  readonly on: 'request' | 'window'
  /** The tiers that the policy names; `undefined` when it may name tiers that a configuration lacks. */
  readonly namesTiers?: readonly Tiers[] | undefined
}

/** A policy made of thresholds: a store enforces them, a dashboard shows them, a simulation replays them. */
export interface ThresholdPolicy<Tiers extends string = never> extends DefinedPolicy<Tiers> {
  readonly on: 'window'
  /** The thresholds of every tier that `tiers` does not name; `undefined`: the policy does not judge those tiers. */
  readonly thresholds: Thresholds | undefined
  readonly tiers: Readonly<Record<string, Thresholds>>
  /** Set by `observe`: DEGRADE and BLOCK are only reported. */
  readonly observes: boolean
}

/** Anything that can be registered. */
export type Policy<Tiers extends string = never> = PolicyFunction & { readonly namesTiers?: readonly Tiers[] | undefined }

/** A policy made from data: thresholds for everybody, for some tiers, or both. */
export interface ThresholdPolicyOptions<Tiers extends string = string> {
  readonly name: string
  readonly thresholds?: Thresholds | undefined
  readonly tiers?: { readonly [tier in Tiers]: Thresholds } | undefined
}

/** A policy made from a function, with a name. `on: 'request'` runs it before the windows are asked, once for each model. */
export interface FunctionPolicyOptions<Tiers extends string = string> {
  readonly name: string
  readonly on?: 'request' | 'window' | undefined
  /** The tiers that the function speaks of: each must exist in the configuration. */
  readonly namesTiers?: readonly Tiers[] | undefined
  readonly evaluate: PolicyFunction
}

/**
 * Makes a policy from thresholds (`{ name, thresholds?, tiers? }`) or from a function (`{ name, on?, evaluate }`). A tier that
 * `tiers` names must exist in the configuration. Throws `InvalidConfigError` for a missing name or a wrong threshold.
 */
export function definePolicy<const Tiers extends string = never>(options: FunctionPolicyOptions<Tiers>): DefinedPolicy<Tiers>
export function definePolicy<const Tiers extends string = never>(options: ThresholdPolicyOptions<Tiers>): ThresholdPolicy<Tiers>
export function definePolicy(options: ThresholdPolicyOptions | FunctionPolicyOptions): DefinedPolicy<string> {
  const { name } = options
  if (typeof name !== 'string' || name === '') throw new InvalidConfigError(`policy.name: ${String(name)} is no name. Give the policy a name that a denial can show.`)
  if ('evaluate' in options) {
    checkKnownFields(options, ['name', 'on', 'namesTiers', 'evaluate'], `policy "${name}"`)
    if (typeof options.evaluate !== 'function') throw new InvalidConfigError(`policy "${name}".evaluate: ${String(options.evaluate)} is no function. Give a function of the context.`)
    if (options.on !== undefined && options.on !== 'request' && options.on !== 'window') throw new InvalidConfigError(`policy "${name}".on: ${JSON.stringify(options.on)} is unknown. Use 'request' or 'window' (the default).`)
    return named(name, (context) => options.evaluate(context), { on: options.on ?? 'window', namesTiers: options.namesTiers })
  }
  checkKnownFields(options, ['name', 'thresholds', 'tiers'], `policy "${name}"`)
  if (options.thresholds === undefined && options.tiers === undefined) {
    throw new InvalidConfigError(`policy "${name}": has neither thresholds, tiers nor evaluate. Give one of them.`)
  }
  const { thresholds, tiers } = checkedThresholds(options)
  return thresholdPolicy(name, thresholds, tiers, Object.keys(tiers))
}

/**
 * Makes a threshold policy that ships with bursar: it may name tiers that a configuration lacks (DESIGN 3.2).
 */
export function builtInPolicy(options: ThresholdPolicyOptions): ThresholdPolicy {
  const { name, thresholds, tiers } = checkedThresholds(options)
  return thresholdPolicy(name, thresholds, tiers, undefined)
}

/** True for a policy whose thresholds a store can enforce. */
export function isThresholdPolicy(policy: unknown): policy is ThresholdPolicy<string> {
  return typeof policy === 'function' && 'tiers' in policy && 'thresholds' in policy
}

/** The name that verdicts and error messages show for a policy. */
export function policyName(policy: PolicyFunction): string {
  return (policy as Partial<DefinedPolicy>).policyName ?? (policy.name === '' ? 'anonymous policy' : policy.name)
}

/** The thresholds with which a policy judges a tier, or `undefined` where it does not judge it. */
export function thresholdsFor(policy: ThresholdPolicy<string>, tier: string | undefined): Thresholds | undefined {
  return (tier !== undefined && Object.hasOwn(policy.tiers, tier) ? policy.tiers[tier] : undefined) ?? policy.thresholds
}

/** What thresholds say of a budget that is so full. */
export function judgeThresholds(thresholds: Thresholds, context: Pick<EnforcementContext, 'budgetUsedPct' | 'budgetExceeded'> & { readonly periodName?: string | undefined }): PolicyResult {
  const { budgetUsedPct, budgetExceeded, periodName } = context
  const reached = (threshold: number | undefined): boolean =>
    threshold !== undefined && (threshold === 100 ? budgetExceeded : budgetUsedPct >= threshold)
  const action = reached(thresholds.block)
    ? EnforcementAction.BLOCK
    : reached(thresholds.degrade)
      ? EnforcementAction.DEGRADE
      : reached(thresholds.warn)
        ? EnforcementAction.WARN
        : EnforcementAction.ALLOW
  const budget = periodName === undefined ? 'budget' : `${periodName} budget`
  return action === 'ALLOW' ? { action } : { action, reason: budgetExceeded ? `the ${budget} would be exceeded` : `${budgetUsedPct} % of the ${budget} would be used` }
}

function checkedThresholds({ name, thresholds, tiers }: ThresholdPolicyOptions): { name: string; thresholds: Thresholds | undefined; tiers: Record<string, Thresholds> } {
  const own = Object.entries<Thresholds>(tiers ?? {}).map(([tier, each]) => [tier, checkThresholds(each, `policy "${name}".tiers.${tier}`)])
  return { name, thresholds: thresholds && checkThresholds(thresholds, `policy "${name}".thresholds`), tiers: Object.fromEntries(own) as Record<string, Thresholds> }
}

/** The policy that such thresholds make; an observing one says WARN where they say DEGRADE or BLOCK. */
export function thresholdPolicy<Tiers extends string>(
  name: string,
  thresholds: Thresholds | undefined,
  tiers: Readonly<Record<string, Thresholds>>,
  namesTiers: readonly Tiers[] | undefined,
  observes = false,
): ThresholdPolicy<Tiers> {
  const policy = named(name, (context) => askThresholds(policy, context).action, { on: 'window', thresholds, tiers: Object.freeze({ ...tiers }), namesTiers, observes }) as ThresholdPolicy<Tiers>
  return policy
}

/** What a threshold policy says, with its reason: calling the policy gives the action alone. */
export function askThresholds(policy: ThresholdPolicy<string>, context: EnforcementContext): PolicyResult {
  const own = thresholdsFor(policy, context.userTier)
  if (own === undefined) return { action: EnforcementAction.ALLOW }
  const result = judgeThresholds(own, completeContext(context))
  return policy.observes ? watched(result) : result
}

/** A DEGRADE or BLOCK that is only reported. */
export function watched(result: PolicyResult): PolicyResult & { readonly wouldHave?: EnforcementAction } {
  const { action } = result
  if (action !== 'DEGRADE' && action !== 'BLOCK') return result
  return { action: EnforcementAction.WARN, wouldHave: action, reason: `would have said ${action}${result.reason === undefined ? '' : `: ${result.reason}`}` }
}

/** Throws `InvalidConfigError` for a field that is none of the known ones. */
export function checkKnownFields(value: object, known: readonly string[], field: string): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name))
  if (unknown !== undefined) throw new InvalidConfigError(`${field}.${unknown}: is no known field. Use ${known.join(' or ')}.`)
}

/** A function of the context with a policy's name and data. */
export function named(name: string, evaluate: PolicyFunction, data: object): DefinedPolicy {
  const policy: PolicyFunction = (context) => evaluate(context)
  Object.defineProperty(policy, 'name', { value: name })
  return Object.freeze(Object.assign(policy, { policyName: name, ...data })) as unknown as DefinedPolicy
}
