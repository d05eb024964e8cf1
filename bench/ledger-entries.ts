// A million ledger entries of half a year, the same in every run: what a small provider's ledger looks like.

import type { LedgerEntry } from '../src/ledger/index.js'

/** Where they begin and end: January to June. */
export const FIRST_MONTH = Date.UTC(2026, 0, 1)
export const AFTER_LAST_MONTH = Date.UTC(2026, 6, 1)

const TENANTS = Array.from({ length: 50 }, (_, index) => `tenant_${index}`)
const MODELS = ['gpt-4o', 'gpt-4o-mini', 'gpt-5', 'o4-mini', 'claude-opus-4', 'claude-sonnet-4-5', 'claude-haiku-4', 'gemini-2.5-pro', 'gemini-2.5-flash', 'deepseek-chat', 'mistral-large', 'llama-4'] as const
const TIERS = ['free', 'pro', 'enterprise'] as const
const USERS = 20_000

/** Some of `count` entries in the order of time. */
export function* seededEntries(count: number): Generator<LedgerEntry> {
  let state = 42
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
  for (let index = 0; index < count; index += 1) {
    const at = FIRST_MONTH + Math.floor((index / count) * (AFTER_LAST_MONTH - FIRST_MONTH))
    const user = Math.min(below(USERS), below(USERS))
    const userId = `user_${user}`
    const [tenant, model] = [TENANTS[user % TENANTS.length] as string, MODELS[Math.min(below(MODELS.length), below(MODELS.length))] as string]
    const id = `${index.toString(36).padStart(6, '0')}${below(2 ** 31).toString(36)}`
    const dice = below(100)
    const kind = dice < 90 ? 'settled' : dice < 93 ? 'released' : dice < 95 ? 'expired' : 'denied'
    const [inputTokens, outputTokens] = [100 + below(4_000), 20 + below(900)]
    const isCharged = kind === 'settled' || kind === 'expired'
    const microcents = isCharged ? inputTokens * 250 + outputTokens * 1_000 : 0
    const scope = { kind: 'user', tenant, id: userId }
    yield {
      id: `${id}:${kind}`,
      kind,
      at,
      decisionId: id,
      tenant,
      userId,
      tier: TIERS[user % TIERS.length] as string,
      scopes: { team: `team_${user % 200}` },
      provider: model.slice(0, model.indexOf('-')),
      requestedModel: model,
      model,
      microcents,
      tokens: isCharged ? inputTokens + outputTokens : 0,
      estimatedMicrocents: microcents + 50_000,
      estimatedTokens: inputTokens + 1_000,
      openedAt: kind === 'denied' ? undefined : at - 2_000,
      charged: kind === 'denied' ? [] : ['daily/usd', 'weekly/usd', 'monthly/usd'].map((window) => ({ scope, window, startsAt: at - (at % 86_400_000) })),
      details: kind === 'settled' ? { priceVersion: 'p1', usage: { inputTokens, outputTokens }, action: 'ALLOW' } : undefined,
      metadata: { project: `project_${user % 40}`, requestId: id },
    }
  }
}
