import { builtInPolicy } from '../src/enforcement/index.js'

/**
 * Judges by the user's tier: `free` is refused what would exceed its limit, `pro` gets a cheaper model beyond it, `enterprise`
 * is only warned. Any other tier is strict: an unknown plan is never an unlimited one.
 */
export const tierBasedEnforcement = builtInPolicy({
  name: 'tier-based',
  thresholds: { warn: 80, block: 100 },
  tiers: {
    free: { warn: 80, block: 100 },
    pro: { warn: 90, degrade: 100 },
    enterprise: { warn: 90 },
  },
})
