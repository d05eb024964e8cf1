// What a server may be told, checked whole before anything is made of it.

import { z } from 'zod'
import type { Bursar } from '../bursar.js'
import { describeIssues } from '../budget/index.js'
import { InvalidConfigError } from '../errors/index.js'
import type { StripeWebhook } from '../stripe/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import type { Engine, ServerLog, ServerMetrics, ServerOptions } from './service.js'

/** Configuration of `createServer`. */
export interface ServerConfig {
  /** The engine that decides. It is the server's from now on: closing the server closes it, and its store. */
  readonly bursar: Bursar<any, any> // oxlint-disable-line typescript/no-explicit-any
  /** A `stripeWebhook({ … })`: then `POST /webhooks/stripe` takes Stripe's events. */
  readonly stripe?: StripeWebhook<any> | undefined // oxlint-disable-line typescript/no-explicit-any
  /** Requests a second that one key may make, and how many at once. Default 500 and 1,000; `null`: no such limit. */
  readonly rateLimit?: { readonly perSecond: number; readonly burst: number } | null | undefined
  /** The largest body, in bytes. Default 1 MiB; batches have four times as much. */
  readonly maxBodyBytes?: number | undefined
  /** Groups of `scopes` that keys of tenants may name: their budgets are shared by all who name them. Default: none. */
  readonly tenantScopes?: readonly string[] | undefined
  /** Whether a tenant's own admin may give its users tiers and budgets, and refund costs: what lets them spend more. Default false: the operator's keys alone. */
  readonly tenantsManageBudgets?: boolean | undefined
  /** Whether webhooks may be sent to addresses of a private network. Default false. */
  readonly allowPrivateWebhooks?: boolean | undefined
  /** An operator's key that stands in no store: at least 16 visible ASCII characters. */
  readonly adminKey?: string | undefined
  /** Where the server writes what happens: pino fits. Default: nowhere. */
  readonly log?: ServerLog | undefined
  /** What measures, in the place of the server's own. */
  readonly metrics?: ServerMetrics | undefined
  /** How long requests that are under way may take when the server is closed; then they are cut off. Default 10 seconds. */
  readonly drain?: Duration | undefined
}

/** The same with everything that has a default. */
export interface CheckedConfig {
  readonly engine: Engine
  readonly stripe: StripeWebhook | undefined
  readonly adminKey: string | undefined
  readonly log: ServerLog
  readonly metrics: ServerMetrics | undefined
  readonly drainMs: number
  readonly options: ServerOptions
}

const MOST_PER_SECOND = 1_000_000
const MOST_BODY_BYTES = 64 * 1024 * 1024
const SILENT: ServerLog = Object.freeze({ info: () => {}, warn: () => {}, error: () => {} })

function having<T>(what: string, ...methods: readonly string[]): z.ZodType<T> {
  return z.custom<T>((value) => typeof value === 'object' && value !== null && methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function'), `must be ${what}`)
}

/** What plain data can say: of `createServer`, and of a configuration file. */
export const serverFields = {
  rateLimit: z
    .strictObject({ perSecond: z.number().positive().max(MOST_PER_SECOND), burst: z.int().min(1).max(MOST_PER_SECOND) })
    .nullable()
    .optional(),
  maxBodyBytes: z.int().min(1_024).max(MOST_BODY_BYTES).optional(),
  tenantScopes: z.array(z.string().min(1).max(256)).optional(),
  tenantsManageBudgets: z.boolean().optional(),
  allowPrivateWebhooks: z.boolean().optional(),
  // Its value is a secret, and stands in no message.
  adminKey: z
    .custom<string>((value) => typeof value === 'string' && /^[\x21-\x7e]{16,512}$/.test(value), 'must be 16 to 512 visible ASCII characters, without spaces')
    .optional(),
  drain: z.custom<Duration>((value) => typeof value === 'string' || typeof value === 'number', "must be a duration such as '10s', or milliseconds").optional(),
}

const serverConfig = z.strictObject({
  ...serverFields,
  bursar: having<Engine>('a Bursar: new Bursar({ … })', 'check', 'settle', 'release', 'explain', 'close'),
  stripe: z.custom<StripeWebhook>((value) => typeof value === 'function' && typeof (value as Partial<StripeWebhook>).handle === 'function', 'must be an endpoint: stripeWebhook({ … })').optional(),
  log: having<ServerLog>('a log with info(), warn() and error()', 'info', 'warn', 'error').optional(),
  metrics: having<ServerMetrics>('an object with answered() and exposition()', 'answered', 'exposition').optional(),
})

/** Reads the configuration of a server. Throws `InvalidConfigError` with the path of what is wrong. */
export function checkServerConfig(config: ServerConfig): CheckedConfig {
  const parsed = serverConfig.safeParse(config)
  if (!parsed.success) throw new InvalidConfigError(describeIssues(parsed.error, 'config'))
  const { bursar, stripe, rateLimit = { perSecond: 500, burst: 1_000 }, maxBodyBytes = 1_048_576, tenantScopes = [], tenantsManageBudgets = false, allowPrivateWebhooks = false, adminKey, log = SILENT, metrics, drain = '10s' } = parsed.data
  return { engine: bursar, stripe, adminKey, log, metrics, drainMs: parseDuration(drain, 'config.drain'), options: { rateLimit, maxBodyBytes, tenantScopes, tenantsManageBudgets, allowPrivateWebhooks, mayBeOpen: true } }
}
