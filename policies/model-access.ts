import { checkKnownFields, definePolicy, EnforcementAction, InvalidConfigError, type DefinedPolicy } from '../src/enforcement/index.js'

/** What one tier may call: every model but those of `deny`, or none but those of `allow`. Model names match exactly. */
export interface ModelAccess {
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
}

/**
 * Refuses models to tiers: `modelAccess({ free: { deny: ['gpt-4', 'gpt-4o'] } })`. It runs before the windows are asked, for
 * each model of the ladder, so a denied model can become a cheaper one. A tier without an entry may call everything; a request
 * that names no model is refused where only some are allowed. Throws `InvalidConfigError` for an entry that is neither.
 */
export function modelAccess<const Tiers extends string>(rules: { readonly [tier in Tiers]: ModelAccess }): DefinedPolicy<Tiers> {
  const access = new Map<string, { readonly allow: ReadonlySet<string> | undefined; readonly deny: ReadonlySet<string> | undefined }>()
  for (const [tier, rule] of Object.entries<ModelAccess>(rules)) {
    checkKnownFields(rule, ['allow', 'deny'], `modelAccess.${tier}`)
    access.set(tier, { allow: listed(tier, rule.allow), deny: listed(tier, rule.deny) })
  }
  return definePolicy({
    name: 'model-access',
    on: 'request',
    namesTiers: [...access.keys()] as Tiers[],
    evaluate: ({ userTier, model }) => {
      const own = userTier === undefined ? undefined : access.get(userTier)
      if (own === undefined) return EnforcementAction.ALLOW
      const allowed = model === undefined ? own.allow === undefined : (own.allow?.has(model) ?? true) && !own.deny?.has(model)
      if (allowed) return EnforcementAction.ALLOW
      return { action: EnforcementAction.BLOCK, reason: `tier ${userTier} may not call ${model ?? 'a model without a name'}` }
    },
  })
}

function listed(tier: string, models: readonly string[] | undefined): ReadonlySet<string> | undefined {
  if (models === undefined) return undefined
  if (!Array.isArray(models) || models.some((model) => typeof model !== 'string' || model === '')) {
    throw new InvalidConfigError(`modelAccess.${tier}: ${JSON.stringify(models)} is no list of models. Give { allow: [...] } or { deny: [...] }.`)
  }
  return new Set(models)
}
