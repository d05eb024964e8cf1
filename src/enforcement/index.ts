export { EnforcementAction, isEnforcementAction, mostSevere } from './action.js'
export {
  EnforcementCallbacks,
  isRequestPolicy,
  type ActionListener,
  type EnforcementCallbacksOptions,
  type EnforcementStats,
  type Logger,
} from './callbacks.js'
export {
  completeContext,
  describeScope,
  focus,
  frozenContext,
  frozenCopy,
  fullest,
  fullnessOf,
  isJudgedByPolicies,
  type EnforcementContext,
  type PartialContext,
  type ScopeId,
  type Standing,
  type WindowView,
} from './context.js'
export {
  builtInPolicy,
  checkKnownFields,
  definePolicy,
  isThresholdPolicy,
  judgeThresholds,
  policyName,
  thresholdsFor,
  type DefinedPolicy,
  type FunctionPolicyOptions,
  type Policy,
  type PolicyFunction,
  type PolicyResult,
  type ThresholdPolicy,
  type ThresholdPolicyOptions,
} from './policy.js'
export { observe } from './observe.js'
export { ceilingOf, hits, lowerCeiling, percentOf, type Ceiling, type Thresholds } from './thresholds.js'
export { combineVerdicts, type Combine, type Verdict } from './verdict.js'
export { InvalidConfigError } from '../errors/index.js'
