// The smallest limit under which few enough are blocked: a bisection over exact amounts, in which each probe is a replay of the whole log.

import { z } from 'zod'
import { describeIssues } from '../budget/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { formatUsd, parseUsd, toUsd, type Usd } from '../money/index.js'
import type { UsageLog } from './log.js'
import type { ColumnReport } from './report.js'
import { simulate, type Candidate, type SimulateOptions } from './simulate.js'

/** What a limit must achieve: each share that is given, at most. */
export interface LimitTarget {
  /** Of the users, those who are ever blocked, in percent. */
  readonly blockedUsersPct?: number | undefined
  /** Of the requests, those that are blocked, in percent. */
  readonly blockedRequestsPct?: number | undefined
  /** Only users and requests of this tier count. */
  readonly tier?: string | undefined
}

/** Options of {@link findLimit}. */
export interface FindLimitOptions extends Pick<SimulateOptions, 'timeZone' | 'tiers' | 'signal'> {
  /** Must be readable again and again. */
  readonly log: UsageLog
  readonly config: Candidate
  /** Where the limit stands, such as `'tiers.free.daily'`; or a function that gives the configuration with that limit (exact USD). */
  readonly vary: string | ((limit: string) => Candidate)
  readonly target: LimitTarget
  /** USD. Limits are tried from `low` to `high` in multiples of `step`, both included. */
  readonly low: Usd
  readonly high: Usd
  readonly step: Usd
  /** Called after each probe. */
  readonly onProbe?: ((probe: LimitProbe) => void) | undefined
}

/** One limit that was tried. */
export interface LimitProbe {
  readonly limit: number
  readonly exact: { readonly limitMicrocents: number }
  readonly blockedUsersPct: number
  readonly blockedRequestsPct: number
  readonly isEnough: boolean
  readonly spent: number
}

/** What {@link findLimit} resolves with. */
export interface FoundLimit {
  /** USD; absent where even `high` is not enough. */
  readonly limit: number | undefined
  readonly exact: { readonly limitMicrocents: number | undefined }
  /** All that were tried, in ascending order. The one below the found limit is among them, unless that is `low`. */
  readonly probes: readonly LimitProbe[]
  /** False where a higher limit blocked more than a lower one: then a smaller limit than the found one may be enough as well. */
  readonly isMonotone: boolean
  /** The answer in words. */
  readonly message: string
}

const pct = z.number().min(0).max(100).optional()
const target = z.strictObject({ blockedUsersPct: pct, blockedRequestsPct: pct, tier: z.string().min(1).optional() })

/**
 * Finds the smallest limit that meets the target: by bisection, which takes for granted that a higher limit blocks no more. The found limit
 * and the one a step below were both replayed; `isMonotone` says whether any two replays speak against it. Rejects with `InvalidConfigError`
 * or `InvalidAmountError` for options that are none, and with what {@link simulate} rejects with.
 */
export async function findLimit(options: FindLimitOptions): Promise<FoundLimit> {
  const { log, config, vary, low, high, step, onProbe, timeZone, tiers, signal } = options
  const parsed = target.safeParse(options.target)
  if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'target'))
  const wanted = parsed.data as LimitTarget
  if (wanted.blockedUsersPct === undefined && wanted.blockedRequestsPct === undefined) throw new InvalidConfigError('target: says nothing. Give blockedUsersPct or blockedRequestsPct, such as { blockedUsersPct: 1 }.')
  const [least, most, by] = [parseUsd(low, 'low', 'refuse'), parseUsd(high, 'high', 'refuse'), parseUsd(step, 'step', 'refuse')]
  if (by === 0 || most < least) throw new InvalidConfigError(`low, high, step: ${formatUsd(least)} to ${formatUsd(most)} by ${formatUsd(by)} names no limits. Give low ≤ high, and a step above 0.`)
  const withLimit = typeof vary === 'function' ? vary : (limit: string): Candidate => placed(config, vary.split('.'), limit, vary)
  const probes = new Map<number, LimitProbe>()
  const probe = async (index: number): Promise<boolean> => {
    const limitMicrocents = least + index * by
    const known = probes.get(index)
    if (known !== undefined) return known.isEnough
    const { candidates, source } = await simulate({ log, candidates: { probe: withLimit(formatUsd(limitMicrocents)) }, timeZone, tiers, signal, topUsers: 0 })
    assertAnswered(candidates[0] as ColumnReport)
    const found = probeOf(limitMicrocents, candidates[0] as ColumnReport, source.users, wanted)
    probes.set(index, found)
    onProbe?.(found)
    return found.isEnough
  }
  const last = Math.floor((most - least) / by)
  let enough = (await probe(last)) ? last : undefined
  if (enough !== undefined) {
    let below = -1
    while (enough - below > 1) {
      const middle: number = (enough + below) >> 1
      if (await probe(middle)) enough = middle
      else below = middle
    }
  }
  return answer(enough === undefined ? undefined : least + enough * by, [...probes.values()].sort((a, b) => a.exact.limitMicrocents - b.exact.limitMicrocents), wanted, most)
}

/** A limit under which every check fails blocks nobody, and lets nobody through either. */
function assertAnswered({ requests, errors }: ColumnReport): void {
  const [first] = errors
  if (first === undefined || errors.reduce((sum, { count }) => sum + count, 0) < requests) return
  throw new InvalidConfigError(`config: every request of the log is rejected, so no limit can be found. The first: ${first.message}`)
}

function probeOf(limitMicrocents: number, column: ColumnReport, users: number, { tier, blockedUsersPct, blockedRequestsPct }: LimitTarget): LimitProbe {
  const figures = tier === undefined ? { ...column, users } : (column.byTier.find((each) => each.tier === tier) ?? { users: 0, usersBlocked: 0, requests: 0, blocked: 0 })
  const ofUsers = figures.users === 0 ? 0 : (100 * figures.usersBlocked) / figures.users
  const ofRequests = figures.requests === 0 ? 0 : (100 * figures.blocked) / figures.requests
  const isEnough = (blockedUsersPct === undefined || ofUsers <= blockedUsersPct) && (blockedRequestsPct === undefined || ofRequests <= blockedRequestsPct)
  return { limit: toUsd(limitMicrocents), exact: { limitMicrocents }, blockedUsersPct: ofUsers, blockedRequestsPct: ofRequests, isEnough, spent: column.spent }
}

function answer(limitMicrocents: number | undefined, probes: readonly LimitProbe[], { blockedUsersPct, blockedRequestsPct, tier }: LimitTarget, most: number): FoundLimit {
  const isMonotone = probes.every((probe, index) => {
    const lower = probes[index - 1]
    return lower === undefined || (probe.blockedUsersPct <= lower.blockedUsersPct && probe.blockedRequestsPct <= lower.blockedRequestsPct)
  })
  const whose = tier === undefined ? '' : ` of tier ${tier}`
  const goals = [blockedUsersPct === undefined ? [] : `at most ${blockedUsersPct} % of users${whose} are ever blocked`, blockedRequestsPct === undefined ? [] : `at most ${blockedRequestsPct} % of requests${whose} are blocked`].flat()
  const found = limitMicrocents === undefined ? `Even $${formatUsd(most)} is not enough: no limit was found at which ${goals.join(' and ')}.` : `$${formatUsd(limitMicrocents)} is the smallest limit at which ${goals.join(' and ')}.`
  const doubt = isMonotone ? '' : ' A higher limit blocked more than a lower one in some replay, so a smaller limit may be enough as well.'
  return { limit: limitMicrocents === undefined ? undefined : toUsd(limitMicrocents), exact: { limitMicrocents }, probes, isMonotone, message: `${found}${doubt}` }
}

function placed(config: unknown, [key = '', ...rest]: readonly string[], limit: string, path: string): Candidate {
  if (typeof config !== 'object' || config === null || Array.isArray(config) || (rest.length > 0 && !Object.hasOwn(config, key))) {
    throw new InvalidConfigError(`vary: ${JSON.stringify(path)} leads nowhere in the configuration. Give the path of a limit, such as 'tiers.free.daily', or a function.`)
  }
  const inner = (config as Readonly<Record<string, unknown>>)[key]
  if (rest.length > 0) return { ...config, [key]: placed(inner, rest, limit, path) }
  // The limits of other units stay.
  return { ...config, [key]: typeof inner === 'object' && inner !== null ? { ...inner, usd: limit } : limit }
}
