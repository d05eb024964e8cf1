import { builtInPolicy } from '../src/enforcement/index.js'

/** Warns from 80 % of a limit, asks for a cheaper model from 90 %, and refuses what would exceed it. */
export const gracefulDegradation = builtInPolicy({ name: 'graceful', thresholds: { warn: 80, degrade: 90, block: 100 } })
