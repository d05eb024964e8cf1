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
  usdSchema,
  type AmountConfig,
  type BudgetConfig,
  type CalendarConfig,
  type PolicyConfig,
  type ScopeGroups,
  type WindowLimits,
} from './schema.js'
export { assertId, parseScopeKey, parseUserKey, scopeKey, toUserRef, userScope, type UserArgument, type UserRef } from './scope.js'
export { canonicalPeriod, periodOf, periodsOf, type BudgetWindow, type WindowPeriod } from './window.js'
