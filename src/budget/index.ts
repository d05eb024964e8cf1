export { standingAt, type Billing, type PassedOver } from './billing.js'
export { describeIssues } from './issues.js'
export { BudgetPlan, overrideKey, type CompiledBudget, type Override, type Overrides, type PlanConfig, type Spender } from './plan.js'
export {
  budgetConfigSchema,
  calendarFields,
  countSchema,
  idSchema,
  isId,
  overrideSchema,
  policyConfigSchema,
  scopeGroupsSchema,
  tierBudgetConfigSchema,
  usdSchema,
  type AmountConfig,
  type BudgetConfig,
  type CalendarConfig,
  type MonthlyAmountConfig,
  type PolicyConfig,
  type ScopeGroups,
  type TierBudgetConfig,
  type WindowLimits,
} from './schema.js'
export { assertId, parseScopeKey, parseUserKey, scopeKey, sessionOf, sessionScope, toUserRef, userScope, type UserArgument, type UserRef } from './scope.js'
export { sessionBudget, type SessionCaps } from './session.js'
export { canonicalPeriod, periodOf, periodsOf, type BudgetWindow, type WindowPeriod } from './window.js'
