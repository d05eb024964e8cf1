// A log of its own making, for trying things out: users, models, hours and lengths as applications tend to have them, by a seed.

import { z } from 'zod'
import { describeIssues } from '../budget/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { UsageLog } from './log.js'
import { drawer, seeded } from './spread.js'

/** Options of {@link sampleLog}. */
export interface SampleOptions {
  /** Default 10,000. */
  readonly requests?: number | undefined
  /** Default 200. */
  readonly users?: number | undefined
  /** Default 7. */
  readonly days?: number | undefined
  /** Default 1. The same seed gives the same log. */
  readonly seed?: number | undefined
  /** The first day. Default Monday, 5 January 2026. */
  readonly from?: Date | number | undefined
}

/** One row of a sample, as an application might log it. */
export interface SampleRow {
  readonly time: string
  readonly user: string
  readonly tier: string
  readonly model: string
  readonly input: number
  readonly output: number
  readonly ms: number
}

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const FROM = Date.UTC(2026, 0, 5)
const TIERS = { free: 0.8, pro: 0.17, enterprise: 0.03 }
const MODELS = { 'gpt-4o': 0.45, 'gpt-4o-mini': 0.4, 'claude-sonnet-4-5': 0.15 }
/** How much is asked in each hour of a working day; half of it at weekends. */
const HOURS = [2, 1, 1, 1, 1, 2, 4, 8, 14, 18, 19, 18, 15, 17, 19, 18, 16, 13, 10, 8, 7, 6, 5, 3]

const count = (most: number): z.ZodOptional<z.ZodInt> => z.int().min(1).max(most).optional()
const schema = z.strictObject({ requests: count(100_000_000), users: count(10_000_000), days: count(3_660), seed: z.int().min(0).optional(), from: z.union([z.date(), z.number()]).optional() })

/**
 * A log to try things on: busy and quiet hours, a few users who ask a lot, tiers free, pro and enterprise, models gpt-4o, gpt-4o-mini and
 * claude-sonnet-4-5. Made while it is read, the same each time. Throws `InvalidConfigError` for options that are none.
 */
export function sampleLog(options: SampleOptions = {}): UsageLog {
  const parsed = schema.safeParse(options)
  if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'options'))
  const map = { time: 'time', userId: 'user', tier: 'tier', model: 'model', inputTokens: 'input', outputTokens: 'output', durationMs: 'ms' }
  return new UsageLog(() => sampleRows(options), { map, name: `sample of ${(options.requests ?? 10_000).toLocaleString('en')} requests (seed ${options.seed ?? 1})` })
}

/** The rows of a {@link sampleLog}, in the order of time. */
export function* sampleRows({ requests = 10_000, users = 200, days = 7, seed = 1, from = FROM }: SampleOptions = {}): Iterable<SampleRow> {
  const random = seeded(seed)
  const drawUser = drawer(Array.from({ length: users }, (_, index) => 1 / (index + 1) ** 0.9))
  const drawTier = drawer(Object.values(TIERS))
  const drawModel = drawer(Object.values(MODELS))
  const tiers = Array.from({ length: users }, () => Object.keys(TIERS)[drawTier(random)] as string)
  const begin = new Date(from).getTime()
  const hours = Array.from({ length: 24 * days }, (_, hour) => {
    const weekday = new Date(begin + hour * HOUR_MS).getUTCDay()
    return (HOURS[hour % 24] as number) * (weekday === 0 || weekday === 6 ? 0.5 : 1) * (1 + 0.15 * Math.sin((2 * Math.PI * hour * HOUR_MS) / (3.5 * DAY_MS)))
  })
  const total = hours.reduce((sum, weight) => sum + weight, 0)
  let made = 0
  let passed = 0
  for (const [hour, weight] of hours.entries()) {
    passed += weight
    const until = hour === hours.length - 1 ? requests : Math.round((requests * passed) / total)
    const moments = Array.from({ length: until - made }, () => random()).sort((a, b) => a - b)
    made = until
    for (const moment of moments) {
      const user = drawUser(random)
      const output = lengthOf(random, 220)
      yield {
        time: new Date(begin + Math.floor((hour + moment) * HOUR_MS)).toISOString(),
        user: `user_${String(user + 1).padStart(String(users).length, '0')}`,
        tier: tiers[user] as string,
        model: Object.keys(MODELS)[drawModel(random)] as string,
        input: lengthOf(random, 900),
        output,
        ms: 300 + 12 * output,
      }
    }
  }
}

/** Most are short, some are very long. */
function lengthOf(random: () => number, usual: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return Math.max(1, Math.round(usual * Math.exp(0.9 * normal)))
}
