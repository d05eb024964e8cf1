// The options of `bursar simulate`, read into what a simulation takes. Each is checked before anything is opened.

import { InvalidArgumentError } from 'commander'
import { InvalidRequestError } from '../errors/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import type { ColumnMap, ColumnReport, Field, LimitTarget, ReadLogOptions, SampleOptions, SpreadOptions, Weights } from '../simulate/index.js'

/** The options as they were written. */
export interface SimulateOptions {
  readonly map?: ColumnMap | undefined
  readonly separator?: string | undefined
  readonly skipBadRows?: boolean | undefined
  readonly lookAhead?: string | undefined
  readonly maxOutputTokens?: number | undefined
  readonly headroom?: number | undefined
  readonly candidate?: readonly (readonly [string, string])[] | undefined
  readonly repeat?: number | undefined
  readonly over?: string | undefined
  readonly businessHours?: boolean | undefined
  readonly users?: number | undefined
  readonly zipf?: number | undefined
  readonly seed?: number | undefined
  readonly models?: Weights | undefined
  readonly tiers?: Weights | undefined
  readonly sample?: number | true | undefined
  readonly days?: number | undefined
  readonly directoryTiers?: boolean | undefined
  readonly topUsers?: number | undefined
  readonly find?: string | undefined
  readonly blockedUsers?: number | undefined
  readonly blockedRequests?: number | undefined
  readonly ofTier?: string | undefined
  readonly low: string
  readonly high: string
  readonly step: string
  readonly againstLog?: boolean | undefined
  readonly failOn?: readonly Bound[] | undefined
  readonly html?: string | undefined
  readonly title?: string | undefined
  readonly force?: boolean | undefined
  readonly json?: boolean | undefined
}

/** What no candidate may pass. */
export interface Bound {
  readonly what: 'blocked-users' | 'blocked-requests'
  readonly pct: number
}

/** Percentages have up to six decimals. */
const PCT_SCALE = 1_000_000n

/** How many requests a sample has that is asked for without a number. */
export const SAMPLE_REQUESTS = 10_000

/** All of them: one that is missing here does not compile. */
const FIELDS: Readonly<Record<Field, true>> = {
  time: true, endedAt: true, durationMs: true, durationSeconds: true, userId: true, tenant: true, tier: true, model: true, provider: true, sessionId: true, action: true,
  inputTokens: true, outputTokens: true, maxOutputTokens: true, cost: true, estimatedCost: true,
} // prettier-ignore

/** What a column can stand for, in words. */
export const MAPPED = `Fields: ${Object.keys(FIELDS).join(', ')}, scopes.team, metadata.project and the like.`

/** Reads `time=TIMESTAMP,userId=user`; given again, more of them. */
export function mapArgument(text: string, before: ColumnMap = {}): ColumnMap {
  const map: Record<string, string> = { ...(before as Record<string, string>) }
  for (const part of text.split(',')) {
    const at = part.indexOf('=')
    const [field, column] = [part.slice(0, at).trim(), part.slice(at + 1).trim()]
    if (at < 1 || column === '') throw new InvalidArgumentError(`${JSON.stringify(part)} maps nothing. Write field=column, such as time=TIMESTAMP,userId=user. ${MAPPED}`)
    if (Object.hasOwn(map, field)) throw new InvalidArgumentError(`${field} is mapped twice.`)
    map[field] = column
  }
  return map as ColumnMap
}

/** Reads `free:0.9,pro:0.1`. Names may have colons. */
export function weightsArgument(text: string): Weights {
  const weights: Record<string, number> = {}
  for (const part of text.split(',')) {
    const [, name = '', weight = ''] = /^\s*(.+):(\d+(?:\.\d+)?)\s*$/.exec(part) ?? []
    if (name === '') throw new InvalidArgumentError(`${JSON.stringify(part)} has no weight. Write name:weight, such as free:0.9,pro:0.1.`)
    if (Object.hasOwn(weights, name)) throw new InvalidArgumentError(`${name} is given twice.`)
    weights[name] = Number(weight)
  }
  return weights
}

/** Reads `1%` or `1`. */
export function percentArgument(text: string): number {
  const [, number] = /^(\d{1,3}(?:\.\d{1,6})?)\s*%?$/.exec(text) ?? []
  if (number === undefined || Number(number) > 100) throw new InvalidArgumentError('Give a percentage from 0 to 100, with up to six decimals.')
  return Number(number)
}

/** Reads `blocked-users=1%`; given again, more of them. */
export function boundArgument(text: string, before: readonly Bound[] = []): readonly Bound[] {
  const [, what, pct] = /^(blocked-users|blocked-requests)=(.+)$/.exec(text) ?? []
  if (what === undefined || pct === undefined) throw new InvalidArgumentError('Write blocked-users=1% or blocked-requests=1%.')
  return [...before, { what: what as Bound['what'], pct: percentArgument(pct) }]
}

/** A whole number from 0 up. */
export function wholeArgument(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('Give a whole number from 0 up.')
  return Number(text)
}

/** A number from 0 up. */
export function numberArgument(text: string): number {
  if (!/^\d{1,9}(?:\.\d+)?$/.test(text)) throw new InvalidArgumentError('Give a number from 0 up.')
  return Number(text)
}

/** How a log is read. */
export function readingOf(options: SimulateOptions, zone: string): ReadLogOptions {
  const { map, separator, skipBadRows, lookAhead, maxOutputTokens, headroom } = options
  const spread = spreadOf(options)
  return {
    timeZone: zone,
    ...(map !== undefined && { map }),
    ...(separator !== undefined && { separator: separator === '\\t' ? '\t' : separator }),
    ...(skipBadRows === true && { onBadRow: 'skip' as const }),
    ...(lookAhead !== undefined && { lookAhead: durationOf(lookAhead, '--look-ahead') }),
    ...(maxOutputTokens !== undefined && { maxOutputTokens }),
    ...(headroom !== undefined && { headroom }),
    ...(spread !== undefined && { spread }),
  }
}

/** How a sample is made. Throws `InvalidRequestError` for options that are of logs. */
export function samplingOf(options: SimulateOptions): SampleOptions {
  const { sample, users, days, seed } = options
  const others = ['map', 'separator', 'skipBadRows', 'lookAhead', 'maxOutputTokens', 'headroom', 'repeat', 'over', 'models', 'tiers', 'zipf', 'businessHours'] as const
  const other = others.find((name) => options[name] !== undefined)
  if (other !== undefined) throw new InvalidRequestError(`--${dashed(other)}: is of a log, and a sample is made. Leave it out, or give a log.`)
  return { requests: sample === true || sample === undefined ? SAMPLE_REQUESTS : sample, ...(users !== undefined && { users }), ...(days !== undefined && { days }), ...(seed !== undefined && { seed }) }
}

/** What a limit that is looked for must achieve. Throws `InvalidRequestError` where nothing is said. */
export function targetOf({ blockedUsers, blockedRequests, ofTier }: SimulateOptions): LimitTarget {
  if (blockedUsers === undefined && blockedRequests === undefined) throw new InvalidRequestError('--find: needs to know what is enough. Give --blocked-users 1% or --blocked-requests 1%.')
  return { ...(blockedUsers !== undefined && { blockedUsersPct: blockedUsers }), ...(blockedRequests !== undefined && { blockedRequestsPct: blockedRequests }), ...(ofTier !== undefined && { tier: ofTier }) }
}

/** Options that mean something only beside another. Throws `InvalidRequestError`. */
export function assertTogether(options: SimulateOptions): void {
  const needs = [['over', 'repeat'], ['businessHours', 'repeat'], ['zipf', 'users'], ['blockedUsers', 'find'], ['blockedRequests', 'find'], ['ofTier', 'find'], ['title', 'html'], ['days', 'sample']] as const
  for (const [one, other] of needs) if (options[one] !== undefined && options[other] === undefined) throw new InvalidRequestError(`--${dashed(one)}: means something only with --${dashed(other)}. Give both, or neither.`)
  if (options.repeat !== undefined && options.over === undefined) throw new InvalidRequestError('--repeat: needs to know over which time. Give --over 30d.')
  const clash = (['html', 'againstLog', 'failOn'] as const).find((name) => options.find !== undefined && options[name] !== undefined)
  if (clash !== undefined) throw new InvalidRequestError(`--${dashed(clash)}: is of a comparison, and --find looks for a limit. Give one of the two.`)
}

/** The bounds that a candidate passes, in words. Counts are compared, not rounded shares; a request that failed was let through for nobody. */
export function passedBy({ name, users, usersRefused, refused, requests, failed }: ColumnReport, bounds: readonly Bound[]): readonly string[] {
  const counts = { 'blocked-users': [usersRefused, users], 'blocked-requests': [refused, requests] } as const
  return bounds.flatMap(({ what, pct }) => {
    const [count, of] = counts[what]
    if (BigInt(count) * 100n * PCT_SCALE <= BigInt(Math.round(pct * Number(PCT_SCALE))) * BigInt(of)) return []
    const failures = failed === 0 ? '' : ` ${failed} ${failed === 1 ? 'request' : 'requests'} failed with an error, which counts as blocked.`
    return [`${name}: ${count} of ${of} ${what === 'blocked-users' ? 'users' : 'requests'} are blocked, more than ${pct} %.${failures}`]
  })
}

function spreadOf({ seed, users, zipf, tiers, models, repeat, over, businessHours }: SimulateOptions): SpreadOptions | undefined {
  const spread: SpreadOptions = {
    ...(users !== undefined && { users: { count: users, ...(zipf !== undefined && { exponent: zipf }) } }),
    ...(tiers !== undefined && { tiers }),
    ...(models !== undefined && { models }),
    ...(repeat !== undefined && over !== undefined && { repeat: { times: repeat, over: durationOf(over, '--over'), ...(businessHours === true && { starts: 'business-hours' as const }) } }),
  }
  return Object.keys(spread).length === 0 ? undefined : { ...spread, ...(seed !== undefined && { seed }) }
}

function durationOf(text: string, field: string): Duration {
  parseDuration(text, field)
  return text as Duration
}

function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
