// What the routes work with: one engine, the keys, the webhooks, the feed of what happens, and a log. Made once for a server; a route takes
// from it what it needs.

import type { Bursar } from '../bursar.js'
import type { Clock } from '../time/index.js'
import type { StripeWebhook } from '../stripe/index.js'
import type { Caller } from './caller.js'
import type { Feed } from './seeing/feed.js'
import type { KeyBook } from './keys/index.js'
import type { UnheldDecisions } from './decisions/unheld-decisions.js'
import type { Webhooks } from './webhooks/index.js'

/** An engine whose tiers and groups nobody knows when this is compiled. */
export type Engine = Bursar<string, string>

/** Where a server writes what happens: pino fits. Fields never have a key, a secret or a body in them. */
export interface ServerLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What a server may be told, beside its engine. */
export interface ServerOptions {
  /** Requests a second that one key may make, and how many at once. Default 500 and 1,000; `null`: no such limit. */
  readonly rateLimit: { readonly perSecond: number; readonly burst: number } | null
  /** The largest body, in bytes. Default 1 MiB; batches have four times as much. */
  readonly maxBodyBytes: number
  /** Groups of `scopes` that keys of tenants may name: their budgets are shared by all who name them. Default: none. */
  readonly tenantScopes: readonly string[]
  /** Whether a tenant's own admin may give its users tiers and budgets, and refund costs: what lets them spend more. Default false. */
  readonly tenantsManageBudgets: boolean
  /** Whether webhooks may be sent to addresses of a private network. Default false. */
  readonly allowPrivateWebhooks: boolean
  /** True where no key is needed: while there is none, and the server listens on the loopback alone. */
  readonly mayBeOpen: boolean
}

/** Who is behind a request: by its header fields. */
export interface Authenticator {
  /** The caller; `undefined` for a key that is unknown, revoked or expired. `token` absent: the request has none. */
  authenticate(token: string | undefined): Promise<Caller | undefined>
}

/** What is measured. */
export interface ServerMetrics {
  /** One answered request: by the pattern of its route, never by its path. */
  answered(route: string, method: string, status: number, seconds: number): void
  /** The text that Prometheus scrapes. */
  exposition(): Promise<{ readonly contentType: string; readonly text: string }>
}

/** What a route works with. */
export interface Service {
  readonly engine: Engine
  readonly keys: KeyBook
  readonly webhooks: Webhooks
  readonly feed: Feed
  readonly metrics: ServerMetrics
  /** Where Stripe is configured. */
  readonly stripe?: StripeWebhook | undefined
  readonly clock: Clock
  readonly log: ServerLog
  readonly options: ServerOptions
  /** What was let through while the store was away, for whoever ends it by its id. */
  readonly unheld: UnheldDecisions
}

/** What a service is made of; what nobody has to bring is made for it. */
export type ServiceParts = Omit<Service, 'unheld'> & Partial<Pick<Service, 'unheld'>>

/** What the middleware sets for a route. */
export interface Variables {
  caller: Caller
  /** The id under which the log knows this request. */
  requestId: string
  /** What the body of a request under /v1 says, as JSON; `undefined` where it has none. */
  body: unknown
  /** Counts so many more requests of this caller: for batches. Throws a 429 where they are too many. */
  charge: (requests: number) => void
}

/** For `OpenAPIHono<Env>`. */
export interface Env {
  Variables: Variables
}
