// The chain of policies: turns a context into an action. It holds policies and counts, never money, and asks nobody else.

import { InvalidConfigError } from '../errors/index.js'
import { EnforcementAction, isEnforcementAction } from './action.js'
import { completeContext, type EnforcementContext, type PartialContext } from './context.js'
import { policyName, type DefinedPolicy, type Policy } from './policy.js'
import { ask, combineVerdicts, type Combine, type Verdict } from './verdict.js'

/** Where log lines go: the shape of `console`, pino and most loggers. */
export interface Logger {
  debug(message: string): void
  warn(message: string): void
}

/** Options of {@link EnforcementCallbacks}. */
export interface EnforcementCallbacksOptions {
  /** What counts when a policy throws or returns no action. Default `'BLOCK'`. */
  readonly onPolicyError?: EnforcementAction | undefined
  /** Default `'most-severe'`: the order of registration does not matter. */
  readonly combine?: Combine | undefined
  /** Writes each verdict to the logger. */
  readonly verbose?: boolean | undefined
  /** Default: `console`. */
  readonly logger?: Logger | undefined
}

/** How often a chain gave each action, since it was made or cleared. */
export interface EnforcementStats {
  readonly checks: number
  readonly actions: Readonly<Record<EnforcementAction, number>>
  readonly policyErrors: number
  readonly policies: readonly string[]
}

/** Called with the context after the action is decided. What it throws or rejects with changes nothing and is logged. */
export type ActionListener = (context: EnforcementContext) => unknown

/**
 * A chain of enforcement policies. `check(context)` asks every registered policy and gives the most severe action; an empty
 * chain says ALLOW. It only judges: a context read a moment ago is not a hold, so use `Bursar.check` where a budget must not be
 * overspent.
 */
export class EnforcementCallbacks {
  /** Called after ALLOW. */
  onAllow: ActionListener | undefined
  /** Called after WARN. */
  onWarn: ActionListener | undefined
  /** Called after DEGRADE. */
  onDegrade: ActionListener | undefined
  /** Called after BLOCK. */
  onBlock: ActionListener | undefined

  readonly onPolicyError: EnforcementAction
  readonly combine: Combine
  readonly verbose: boolean
  readonly logger: Logger
  #policies: readonly Policy<string>[] = Object.freeze([])
  #actions: Record<EnforcementAction, number> = { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 }
  #policyErrors = 0

  constructor(options: EnforcementCallbacksOptions = {}) {
    for (const name of Object.keys(options)) {
      if (!['onPolicyError', 'combine', 'verbose', 'logger'].includes(name)) throw new InvalidConfigError(`${name}: is no option of EnforcementCallbacks. Use onPolicyError, combine, verbose or logger.`)
    }
    const { onPolicyError = EnforcementAction.BLOCK, combine = 'most-severe' } = options
    if (!isEnforcementAction(onPolicyError)) throw new InvalidConfigError(`onPolicyError: ${JSON.stringify(onPolicyError)} is no action. Use 'BLOCK' (the default), 'DEGRADE', 'WARN' or 'ALLOW'.`)
    if (combine !== 'most-severe' && combine !== 'first-match') throw new InvalidConfigError(`combine: ${JSON.stringify(combine)} is unknown. Use 'most-severe' (the default) or 'first-match'.`)
    this.onPolicyError = onPolicyError
    this.combine = combine
    this.verbose = options.verbose ?? false
    this.logger = options.logger ?? console
  }

  /** The registered policies, in order. The list is replaced, never changed: its identity tells whether anything changed. */
  get policies(): readonly Policy<string>[] {
    return this.#policies
  }

  /** Adds a policy. Throws `InvalidConfigError` if it is no function or is registered already. */
  register(policy: Policy<string>): this {
    if (typeof policy !== 'function') throw new InvalidConfigError(`policy: ${JSON.stringify(policy)} is no function. Give a function of the context, or one made by definePolicy().`)
    if (this.#policies.includes(policy)) throw new InvalidConfigError(`policy: "${policyName(policy)}" is registered already. Register each policy once.`)
    this.#policies = Object.freeze([...this.#policies, policy])
    return this
  }

  /** Removes a policy; false if it was not registered. */
  unregister(policy: Policy<string>): boolean {
    const rest = this.#policies.filter((registered) => registered !== policy)
    const found = rest.length < this.#policies.length
    if (found) this.#policies = Object.freeze(rest)
    return found
  }

  /** Removes every policy and starts the counts anew. */
  clear(): void {
    this.#policies = Object.freeze([])
    this.#actions = { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 }
    this.#policyErrors = 0
  }

  /**
   * Decides a context: asks every policy, combines what they say, counts it and calls the listener of that action. Synchronous.
   * A context made by hand needs only what {@link completeContext} asks for; throws `InvalidRequestError` if even that is missing.
   */
  check(context: PartialContext): EnforcementAction {
    const complete = completeContext(context)
    const { action } = this.explain(complete)
    this.announce(action, { context: complete })
    return action
  }

  /** Every policy's verdict on a context, none skipped, and the action they combine to. Calls no listener but counts failures. */
  explain(context: PartialContext): { readonly action: EnforcementAction; readonly verdicts: readonly Verdict[] } {
    const complete = completeContext(context)
    const verdicts = Object.freeze(this.#policies.map((policy) => this.ask(policy, complete)))
    return Object.freeze({ action: combineVerdicts(verdicts, this.combine), verdicts })
  }

  /** Asks one policy under this chain's `onPolicyError`, and logs the verdict where `verbose` is set. */
  ask(policy: Policy<string>, context: EnforcementContext): Verdict {
    const verdict = Object.freeze(ask(policy, context, this.onPolicyError))
    if (verdict.error !== undefined) this.#policyErrors += 1
    if (this.verbose) this.#log('debug', `bursar: ${verdict.policy} says ${verdict.action} for ${context.userId}${verdict.reason === undefined ? '' : ` (${verdict.reason})`}`)
    return verdict
  }

  /** Counts a decided action and calls its listener. */
  announce(action: EnforcementAction, decided: { readonly context: EnforcementContext }): void {
    this.#actions[action] += 1
    const listener = action === 'ALLOW' ? this.onAllow : action === 'WARN' ? this.onWarn : action === 'DEGRADE' ? this.onDegrade : this.onBlock
    if (listener === undefined) return
    const failed = (error: unknown): void => this.#log('warn', `bursar: the listener for ${action} failed: ${String(error)}`)
    try {
      const returned: unknown = listener(decided.context)
      if (returned instanceof Promise) returned.catch(failed)
    } catch (error) {
      failed(error)
    }
  }

  /** A logger that fails is nobody's failure but its own. */
  #log(level: 'debug' | 'warn', message: string): void {
    try {
      this.logger[level](message)
    } catch {
      // There is nowhere left to say it.
    }
  }

  /** How often each action was given, and how often a policy failed. */
  getStats(): EnforcementStats {
    const actions = { ...this.#actions }
    const checks = actions.ALLOW + actions.WARN + actions.DEGRADE + actions.BLOCK
    return { checks, actions, policyErrors: this.#policyErrors, policies: this.#policies.map((policy) => policyName(policy)) }
  }
}

/** True for a policy that runs before the windows are asked. */
export function isRequestPolicy(policy: Policy<string>): boolean {
  return (policy as Partial<DefinedPolicy>).on === 'request'
}
