// Small worlds for properties: configurations with tiny limits in all units and kinds of windows, in which boundaries are hit all
// the time, and the rules by which they are judged, written a second time for the evaluator.

import fc from 'fast-check'
import { gracefulDegradation, modelAccess, strictBudgetEnforcement, tierBasedEnforcement } from '../../policies/index.js'
import { definePolicy, observe, type BursarConfig, type CheckRequest, type EnforcementContext, type Policy, type ScopeId } from '../../src/index.js'

export const ZONES = ['UTC', 'America/New_York', 'Europe/Berlin', 'Pacific/Auckland'] as const
export const TIERS = ['free', 'pro', 'enterprise'] as const
export const USERS = ['ann', 'bob', 'cem'] as const
export const TENANTS = ['acme', 'zen'] as const
export const TEAMS = ['search', 'ads', 'ops', 'lab'] as const
export const MODELS = ['large', 'medium', 'small', 'foreign'] as const

/** Where a trace begins: near a change of clocks, the end of a month, or nothing special. */
export const STARTS = [
  '2026-01-15T12:00:00Z',
  '2026-01-31T23:59:50Z',
  '2026-03-08T06:30:00Z',
  '2026-03-28T22:59:00Z',
  '2026-10-25T00:30:00Z',
  '2028-02-29T10:59:58Z',
] as const

/** Thresholds as the evaluator reads them. */
export interface Table {
  readonly warn?: number
  readonly degrade?: number
  readonly block?: number
}

/** How a world judges, apart from its numbers. */
export interface Rules {
  /** The registered threshold policies, as thresholds by tier. */
  readonly own: readonly ((tier: string | undefined) => Table)[]
  readonly shared: (scope: ScopeId) => readonly ((tier: string | undefined) => Table)[]
  readonly functions: readonly ((context: EnforcementContext) => string)[]
  readonly refuses: (tier: string | undefined, model: string | undefined) => boolean
  readonly laddered: boolean
  readonly blocksWithoutCheaper: boolean
}

/** A configuration (without store and clock) and its rules. */
export interface World {
  readonly config: BursarConfig
  readonly rules: Rules
  readonly start: string
}

const STRICT: Table = { warn: 80, block: 100 }
const GRACEFUL: Table = { warn: 80, degrade: 90, block: 100 }
const BY_TIER: Record<string, Table> = { free: STRICT, pro: { warn: 90, degrade: 100 }, enterprise: { warn: 90 } }
const byTier = (tier: string | undefined): Table => BY_TIER[tier ?? ''] ?? STRICT
const CUSTOM: Table = { warn: 33.34, degrade: 66.67, block: 90.01 }

const customPolicy = definePolicy({ name: 'custom', thresholds: CUSTOM })
const watchful = definePolicy({ name: 'watchful', thresholds: { warn: 50, block: 60 } })
const noSmallTeams = (context: EnforcementContext): 'ALLOW' | 'BLOCK' | 'DEGRADE' =>
  context.estimatedCost > 0.00000025 ? 'BLOCK' : context.windows.some((window) => window.scope.kind === 'team' && window.usedPct > 50) ? 'DEGRADE' : 'ALLOW'

interface Chain {
  readonly policies: readonly Policy<string>[]
  readonly own: Rules['own']
  readonly functions?: Rules['functions']
  readonly refuses?: Rules['refuses']
}

const CHAINS: readonly Chain[] = [
  { policies: [strictBudgetEnforcement], own: [() => STRICT] },
  { policies: [gracefulDegradation], own: [() => GRACEFUL] },
  { policies: [tierBasedEnforcement], own: [byTier] },
  { policies: [tierBasedEnforcement, gracefulDegradation], own: [byTier, () => GRACEFUL] },
  { policies: [customPolicy], own: [() => CUSTOM] },
  { policies: [observe(watchful) as Policy<string>, tierBasedEnforcement], own: [() => ({ warn: 50 }), byTier] },
  { policies: [gracefulDegradation, noSmallTeams], own: [() => GRACEFUL], functions: [noSmallTeams] },
  {
    policies: [gracefulDegradation, modelAccess({ free: { deny: ['large'] }, pro: { allow: ['large', 'small', 'foreign'] } }) as Policy<string>],
    own: [() => GRACEFUL],
    refuses: (tier, model) => (tier === 'free' && model === 'large') || (tier === 'pro' && !['large', 'small', 'foreign'].includes(model ?? '')),
  },
]

const LADDER = { large: ['medium', 'small'], medium: 'small' }
const SHARE: Readonly<Record<string, number>> = { large: 4, medium: 2, small: 1, foreign: 3 }

/** What a request is expected to cost on a model, in USD: a part of what it said itself. */
export function estimateOn({ estimatedCost, model: asked }: CheckRequest, model: string | undefined): { cost: string; tokens?: number } {
  const microcents = Math.round(Number(estimatedCost ?? 0) * 1e8)
  const cost = Math.ceil((microcents * (SHARE[model ?? ''] ?? 4)) / (SHARE[asked ?? ''] ?? 4))
  return { cost: usd(cost), ...(model === 'small' && { tokens: 1 }) }
}

/** Microcents as an exact decimal string. */
export function usd(microcents: number): string {
  return (BigInt(microcents) / 100_000_000n).toString() + '.' + (BigInt(microcents) % 100_000_000n).toString().padStart(8, '0')
}

const limit = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 5, max: 40 }) }, { weight: 1, arbitrary: fc.nat({ max: 4 }) }).map(usd)
const wide = fc.integer({ min: 20, max: 200 }).map(usd)
const count = fc.integer({ min: 0, max: 12 })
const zone = fc.constantFrom(...ZONES)
const sharedPolicies = fc.constantFrom<[string[] | undefined, readonly Rules['own'][number][]][]>([undefined, [() => STRICT]], [['graceful'], [() => GRACEFUL]], [['tier-based'], [byTier]])

/** Any world. */
export const worlds: fc.Arbitrary<World> = fc
  .record({
    chain: fc.constantFrom(...CHAINS),
    zones: fc.tuple(zone, zone, zone),
    anchor: fc.constantFrom(1, 15, 31),
    weekStart: fc.constantFrom<(0 | 1)[]>(0, 1),
    limits: fc.tuple(limit, limit, wide, wide, limit, wide, limit, limit),
    counts: fc.tuple(count, count),
    tokens: fc.integer({ min: 0, max: 60 }),
    shared: sharedPolicies,
    laddered: fc.boolean(),
    blocksWithoutCheaper: fc.boolean(),
    expiry: fc.constantFrom('charge' as const, 'release' as const),
    start: fc.constantFrom(...STARTS),
  })
  .map(({ chain, zones, anchor, weekStart, limits, counts, tokens, shared, laddered, blocksWithoutCheaper, expiry, start }) => {
    const [policies, sharedOwn] = shared
    const config = {
      timeZone: zones[0],
      weekStartsOn: weekStart,
      monthStartsOn: anchor,
      tiers: {
        free: { daily: limits[0], rolling: { '1m': { requests: counts[0] }, '1h': limits[1] } },
        pro: { daily: limits[2], weekly: limits[3], monthly: { usd: limits[3], tokens }, rolling: { '1h': { usd: limits[2], tokens } }, timeZone: zones[1] },
        enterprise: { monthly: limits[2], total: { usd: usd(500), requests: 200 }, timeZone: zones[2] },
      },
      defaultTier: 'free',
      global: { daily: limits[5], ...(policies !== undefined && { policies }) },
      scopes: {
        tenant: { acme: { monthly: limits[5] }, '*': { rolling: { '10m': limits[6] } } },
        tier: { free: { daily: { usd: limits[3], requests: 40 } } },
        team: { search: { rolling: { '1h': limits[7] }, daily: limits[4], ...(policies !== undefined && { policies }) }, '*': { rolling: { '1m': { usd: limits[6], requests: counts[1] } } } },
      },
      policies: chain.policies,
      onHoldExpiry: expiry,
      onNoCheaperModel: blocksWithoutCheaper ? 'block' : 'allow',
      ...(laddered && { ladder: LADDER, estimate: estimateOn }),
      logger: { debug: () => {}, warn: () => {} },
    }
    const judges = ({ kind, id }: ScopeId): Rules['own'] => (kind === 'global' || (kind === 'team' && id === 'search') ? sharedOwn : [() => STRICT])
    const rules = { own: chain.own, shared: judges, functions: chain.functions ?? [], refuses: chain.refuses ?? (() => false), laddered, blocksWithoutCheaper }
    return { config: config as unknown as BursarConfig, rules, start }
  })

/** The models of a ladder below one. */
export function below(model: string): readonly string[] {
  return model === 'large' ? ['medium', 'small'] : model === 'medium' ? ['small'] : []
}
