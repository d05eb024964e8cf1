export { describeIssues } from './issues.js'
export { BudgetPlan, type CompiledBudget, type Override, type Overrides, type PlanConfig, type PlannedScope, type Spender } from './plan.js'
export {
  budgetConfigSchema,
  calendarFields,
  idSchema,
  isId,
  overrideSchema,
  policyConfigSchema,
  scopeGroupsSchema,
  type AmountConfig,
  type BudgetConfig,
  type CalendarConfig,
  type PolicyConfig,
  type ScopeGroups,
  type WindowLimits,
} from './schema.js'
export { assertId, parseUserKey, scopeKey, toUserRef, userScope, type UserArgument, type UserRef } from './scope.js'
export { periodsOf, type BudgetWindow, type Limits, type WindowPeriod } from './window.js'
