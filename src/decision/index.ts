export { Checks } from './checks.js'
export { UncountedCostError } from './uncounted-cost.js'
export { AllowedDecision, DeniedDecision, type Decision, type EnforcedBy, type Outcome, type Release, type RungView, type Settlement } from './decision.js'
export type { Denial, DenialCode } from './denial.js'
export { DecisionLog, type DecisionLogConfig } from './decision-log.js'
export type {
  Arithmetic,
  ExplainedCeiling,
  ExplainedRung,
  ExplainedVerdict,
  ExplainedWindow,
  Explanation,
  Objection,
  ThresholdKind,
  WouldHaveFitted,
} from './explanation.js'
export { explainText } from './explanation-text.js'
export { BudgetExceededError, SessionBudgetExceeded } from './exceeded.js'
export { assertEventName, type BursarEvents } from './events.js'
export { Holds } from './holds.js'
export { Identities, parseIdentity, type Identity } from './identity.js'
export { OutcomeReader } from './outcome.js'
export { parseRequest, type CheckRequest, type IdentifiedRequest, type ParsedRequest } from './request.js'
export type { Estimate } from './rungs.js'
export { Tariff } from './tariff.js'
export { assertCalls, assertMayCall, checkAndCall, parseTimeout, signalsOf } from './guarding.js'
export { assertTelemetry, Instruments, type CheckAsked, type CheckedCall, type EndingAsked, type SettledCall, type Telemetry, type Watch } from './telemetry.js'
export { StoreFailures } from './store-failures.js'
export type { CallOptions, CheckOptions, GuardedCall, GuardedOutcome } from './guarded.js'
export { fittingText } from './refusal-text.js'
