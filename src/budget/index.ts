export { standingAt, type Billing, type PassedOver } from './billing.js'
export { describeIssues, joinPath } from './issues.js'
export { BudgetPlan, overrideKey, type CompiledBudget, type Override, type Overrides, type PlanConfig, type Spender } from './plan.js'
export {
  budgetConfigSchema,
  calendarFields,
  countSchema,
  idSchema,
  limitBudgetSchema,
  isId,
  overrideSchema,
  policyConfigSchema,
  scopeGroupsSchema,
  tierBudgetConfigSchema,
  usdSchema,
  type AmountConfig,
  type BudgetConfig,
  type CalendarConfig,
  type LimitBudget,
  type MonthlyAmountConfig,
  type PolicyConfig,
  type ScopeGroups,
  type TierBudgetConfig,
  type WindowLimits,
} from './schema.js'
export { limitBudget } from './limit.js'
export { assertId, limitOf, limitScope, parseScopeKey, parseUserKey, scopeKey, sessionOf, sessionScope, toUserRef, userScope, type UserArgument, type UserRef } from './scope.js'
export { sessionBudget, type SessionCaps } from './session.js'
export { calendarOf, canonicalPeriod, periodOf, periodsOf, type BudgetWindow, type WindowPeriod } from './window.js'
