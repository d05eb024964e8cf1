import { builtInPolicy } from '../src/enforcement/index.js'

/**
 * Warns from 80 % of a limit and refuses what would exceed it. The default, and the judge of every shared budget that names
 * no policies of its own.
 */
export const strictBudgetEnforcement = builtInPolicy({ name: 'strict', thresholds: { warn: 80, block: 100 } })
