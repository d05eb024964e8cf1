// The smallest limit under which few enough are blocked: a bisection over exact amounts, in which each probe is a replay of the whole log.

import { z } from 'zod'
import { describeIssues } from '../budget/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { nextTurn } from '../ledger/index.js'
import { formatUsd, parseUsd, toUsd, type Usd } from '../money/index.js'
import { pctOf } from './column.js'
import type { UsageLog } from './log.js'
import type { ColumnReport } from './report.js'
import { simulate, type Candidate, type SimulateOptions } from './simulate.js'
import { share } from './text.js'

/** What a limit must achieve: each share that is given, at most. A check that fails ends the search: it is neither blocked nor let through. */
export interface LimitTarget {
  /** Of the users, those who are ever blocked, in percent. */
  readonly blockedUsersPct?: number | undefined
  /** Of the requests, those that are blocked, in percent. */
  readonly blockedRequestsPct?: number | undefined
  /** Only requests that asked as this tier count, and the users who made them. */
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
  /** USD. Limits are tried from `low` to `high`, both included, in multiples of `step` from `low` on; the last step may be shorter. At most 10,000,000 steps. */
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
  /** Not rounded; of what the target counts. */
  readonly blockedUsersPct: number
  readonly blockedRequestsPct: number
  /** What the shares are of. */
  readonly counted: { readonly users: number; readonly usersBlocked: number; readonly requests: number; readonly requestsBlocked: number }
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
/** More of them tell no two limits apart that anybody would. */
const MOST_STEPS = 10_000_000

const target = z.strictObject({ blockedUsersPct: pct, blockedRequestsPct: pct, tier: z.string().min(1).optional() })

/**
 * Finds the smallest limit that meets the target: by bisection, which takes for granted that a higher limit blocks no more. The found limit
 * and the one a step below were both replayed; `isMonotone` says whether any two replays speak against it. Rejects with `InvalidConfigError`
 * or `InvalidAmountError` for options that are none, for a target that nobody in the log can meet or miss, and where a request is rejected with
 * an error; with the signal's reason; and with what {@link simulate} rejects with.
 */
export async function findLimit(options: FindLimitOptions): Promise<FoundLimit> {
  const { log, config, vary, low, high, step, onProbe, timeZone, tiers, signal } = options
  const parsed = target.safeParse(options.target)
  if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'target'))
  const wanted = parsed.data as LimitTarget
  if (wanted.blockedUsersPct === undefined && wanted.blockedRequestsPct === undefined) throw new InvalidConfigError('target: says nothing. Give blockedUsersPct or blockedRequestsPct, such as { blockedUsersPct: 1 }.')
  const [least, most, by] = [parseUsd(low, 'low', 'refuse'), parseUsd(high, 'high', 'refuse'), parseUsd(step, 'step', 'refuse')]
  if (by === 0 || most < least) throw new InvalidConfigError(`low, high, step: ${formatUsd(least)} to ${formatUsd(most)} by ${formatUsd(by)} names no limits. Give low ≤ high, and a step above 0.`)
  const last = Math.ceil((most - least) / by)
  if (last > MOST_STEPS) throw new InvalidConfigError(`step: ${formatUsd(least)} to ${formatUsd(most)} by ${formatUsd(by)} are more than ${MOST_STEPS.toLocaleString('en')} steps. Give a step of at least ${formatUsd(Math.ceil((most - least) / MOST_STEPS))}, or look between limits that are closer.`)
  const limitOf = (index: number): number => Math.min(most, least + index * by)
  const withLimit = typeof vary === 'function' ? vary : (limit: string): Candidate => placed(config, vary.split('.'), limit, vary)
  const probes = new Map<number, LimitProbe>()
  const probe = async (index: number): Promise<boolean> => {
    const limitMicrocents = limitOf(index)
    const known = probes.get(index)
    if (known !== undefined) return known.isEnough
    await nextTurn()
    signal?.throwIfAborted()
    const { candidates, source } = await simulate({ log, candidates: { probe: withLimit(formatUsd(limitMicrocents)) }, timeZone, tiers, signal, topUsers: 0 })
    const column = candidates[0] as ColumnReport
    if (probes.size === 0) assertCounted(column, wanted, tierNames(config))
    assertAnswered(column, limitMicrocents)
    const found = probeOf(limitMicrocents, column, source.users, wanted)
    probes.set(index, found)
    onProbe?.(found)
    return found.isEnough
  }
  let enough = (await probe(last)) ? last : undefined
  if (enough !== undefined) {
    let below = -1
    while (enough - below > 1) {
      const middle: number = Math.floor((enough + below) / 2)
      if (await probe(middle)) enough = middle
      else below = middle
    }
  }
  return answer(enough === undefined ? undefined : limitOf(enough), [...probes.values()].sort((a, b) => a.exact.limitMicrocents - b.exact.limitMicrocents), wanted, most)
}

/** Of nobody, every share is as small as anybody wants. */
function assertCounted({ requests, byTier }: ColumnReport, { tier }: LimitTarget, configured: readonly string[]): void {
  if (requests === 0) throw new InvalidConfigError('log: has no requests, so every limit would be enough. Give a log in which somebody asks.')
  if (tier === undefined || byTier.some((each) => each.tier === tier && each.requests > 0)) return
  const logged = byTier.filter((each) => each.requests > 0).map((each) => each.tier || 'no tier')
  const isConfigured = configured.includes(tier)
  throw new InvalidConfigError(`target.tier: nobody in the log asks as ${JSON.stringify(tier)}${isConfigured ? '' : ', and the configuration has no such tier either'}, so every limit would be enough. The tiers in the log are ${logged.join(', ')}${isConfigured ? '' : `; in the configuration ${configured.join(', ') || 'none'}`}.`)
}

/** A request that is rejected with an error is not blocked by any limit, and not let through either. */
function assertAnswered({ failed, failedEndings, requests, errors }: ColumnReport, limitMicrocents: number): void {
  const count = failed + failedEndings
  if (count === 0) return
  const first = errors.reduce((one, other) => (other.row < one.row ? other : one))
  const what = failed === requests ? 'every request of the log is' : `${count.toLocaleString('en')} of ${requests.toLocaleString('en')} requests of the log ${count === 1 ? 'is' : 'are'}`
  throw new InvalidConfigError(`config: ${what} rejected with an error at $${formatUsd(limitMicrocents)}, so no limit can be said to be enough. The first, ${first.code} in row ${first.row}: ${first.message}`)
}

function tierNames({ tiers }: Candidate): readonly string[] {
  return typeof tiers === 'object' && tiers !== null ? Object.keys(tiers as object) : []
}

function probeOf(limitMicrocents: number, column: ColumnReport, users: number, { tier, blockedUsersPct, blockedRequestsPct }: LimitTarget): LimitProbe {
  const { usersBlocked, requests, blocked, ...figures } = tier === undefined ? { ...column, users } : (column.byTier.find((each) => each.tier === tier) ?? { users: 0, usersBlocked: 0, requests: 0, blocked: 0 })
  const ofUsers = pctOf(usersBlocked, figures.users)
  const ofRequests = pctOf(blocked, requests)
  const isEnough = (blockedUsersPct === undefined || ofUsers <= blockedUsersPct) && (blockedRequestsPct === undefined || ofRequests <= blockedRequestsPct)
  const counted = { users: figures.users, usersBlocked, requests, requestsBlocked: blocked }
  return { limit: toUsd(limitMicrocents), exact: { limitMicrocents }, blockedUsersPct: ofUsers, blockedRequestsPct: ofRequests, counted, isEnough, spent: column.spent }
}

function answer(limitMicrocents: number | undefined, probes: readonly LimitProbe[], { blockedUsersPct, blockedRequestsPct, tier }: LimitTarget, most: number): FoundLimit {
  const isMonotone = probes.every((probe, index) => {
    const lower = probes[index - 1]
    return lower === undefined || (probe.blockedUsersPct <= lower.blockedUsersPct && probe.blockedRequestsPct <= lower.blockedRequestsPct)
  })
  const whose = tier === undefined ? '' : ` of tier ${tier}`
  const goals = [blockedUsersPct === undefined ? [] : `at most ${blockedUsersPct} % of users${whose} are ever blocked`, blockedRequestsPct === undefined ? [] : `at most ${blockedRequestsPct} % of requests${whose} are blocked`].flat()
  const high = probes.at(-1)
  const missed = high === undefined ? [] : [
    ...(blockedUsersPct !== undefined && high.blockedUsersPct > blockedUsersPct ? [`${of(high.counted.usersBlocked, high.counted.users)} users${whose} are blocked, and at most ${blockedUsersPct} % may be`] : []),
    ...(blockedRequestsPct !== undefined && high.blockedRequestsPct > blockedRequestsPct ? [`${of(high.counted.requestsBlocked, high.counted.requests)} requests${whose} are blocked, and at most ${blockedRequestsPct} % may be`] : []),
  ] // prettier-ignore
  const found = limitMicrocents === undefined ? `Even $${formatUsd(most)} is not enough: with it, ${missed.join(' and ')}.` : `$${formatUsd(limitMicrocents)} is the smallest limit at which ${goals.join(' and ')}.`
  const doubt = isMonotone ? '' : ' A higher limit blocked more than a lower one in some replay, so a smaller limit may be enough as well.'
  return { limit: limitMicrocents === undefined ? undefined : toUsd(limitMicrocents), exact: { limitMicrocents }, probes, isMonotone, message: `${found}${doubt}` }
}

function of(part: number, whole: number): string {
  return `${part.toLocaleString('en')} of ${whole.toLocaleString('en')} (${share(part, whole)})`
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
