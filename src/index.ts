// The public door: what an application imports from 'bursar'. Named exports only.

export { Bursar } from './bursar.js'
export type { AmountConfig, BudgetConfig, CalendarConfig, MonthlyAmountConfig, PolicyConfig, ScopeGroups, TierBudgetConfig, UserArgument, UserRef, WindowLimits } from './budget/index.js'
export { bursarConfig, defineConfig, type BursarConfig, type Enrich, type Tokenizer } from './config.js'
export {
  BudgetExceededError,
  SessionBudgetExceeded,
  UncountedCostError,
  type AllowedDecision,
  type BursarEvents,
  type CallOptions,
  type CheckOptions,
  type CheckRequest,
  type Decision,
  type DeniedDecision,
  type Denial,
  type DenialCode,
  type EnforcedBy,
  type Estimate,
  type GuardedCall,
  type GuardedOutcome,
  type IdentifiedRequest,
  type Identity,
  type Outcome,
  type RungView,
  type Settlement,
} from './decision/index.js'
export {
  completeContext,
  definePolicy,
  EnforcementAction,
  EnforcementCallbacks,
  observe,
  type ActionListener,
  type Combine,
  type DefinedPolicy,
  type EnforcementCallbacksOptions,
  type EnforcementContext,
  type EnforcementStats,
  type FunctionPolicyOptions,
  type Logger,
  type PartialContext,
  type Policy,
  type PolicyFunction,
  type PolicyResult,
  type ScopeId,
  type Standing,
  type ThresholdPolicy,
  type ThresholdPolicyOptions,
  type Thresholds,
  type Verdict,
  type WindowView,
} from './enforcement/index.js'
export * from './errors/index.js'
export type { AuditDifference, AuditOptions, AuditReport } from './audit/index.js'
export type { ThresholdEvent, TrackerEvents } from './events/index.js'
export type { CostDetails, LedgerEntry, LedgerKind } from './ledger/index.js'
export { formatUsd, MICROCENTS_PER_USD, parseUsd, toUsd, type Amounts, type Unit, type Usd } from './money/index.js'
export {
  anthropicUsage,
  calculateCost,
  Ladder,
  openaiUsage,
  PriceBook,
  tokensAtMost,
  type CatalogEntry,
  type CostSavings,
  type DatedPrice,
  type EstimateRequest,
  type LadderConfig,
  type LadderPrices,
  type ModelPrice,
  type ModelPrices,
  type Price,
  type PriceCatalog,
  type PriceQuery,
  type PriceQueryAt,
  type PricesConfig,
  type QuantityRate,
  type Rate,
  type RateName,
  type TieredRate,
  type TokenKind,
  type Usage,
  type UsageDetails,
  type UsageType,
} from './pricing/index.js'
export type { SettleQueueConfig } from './outage/index.js'
export type * from './store/auditing.js'
export type * from './store/contract.js'
export type * from './store/directory.js'
export type * from './store/registry.js'
export type { MaybePromise } from './store/maybe-promise.js'
export { memoryStore, type MemoryStoreOptions } from './store/memory/index.js'
export { anthropicReader, openaiReader, type MeteredStream, type StreamCall, type StreamOptions, type StreamReader, type StreamReading } from './stream/index.js'
export type { NestedSessionConfig, Session, SessionConfig, SessionRequest, SessionSummary } from './session/index.js'
export { systemClock, type Clock, type Duration } from './time/index.js'
export {
  CostTracker,
  type BillingUpdate,
  type BudgetOverride,
  type ContextRequest,
  type Instant,
  type CostEntry,
  type CostSum,
  type CostTrackerConfig,
  type CountedCost,
  type PeriodCost,
  type RefundEntry,
  type RefundedCost,
  type Summary,
  type TokenCounts,
  type UserBilling,
  type UserSummary,
} from './tracker/index.js'
