// The built-in policies, one readable file each. They know the policy contract and nothing else.

export { gracefulDegradation } from './graceful.js'
export { modelAccess, type ModelAccess } from './model-access.js'
export { pastDueDegradation } from './past-due.js'
export { strictBudgetEnforcement } from './strict.js'
export { tierBasedEnforcement } from './tier-based.js'
