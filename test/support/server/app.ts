// A whole service without a socket, for tests of its routes: an engine of its own, and callers by the name of their token.

import type { BursarConfig } from '../../../src/config.js'
import { Bursar } from '../../../src/bursar.js'
import { createApp, type ServerApp } from '../../../src/server/app.js'
import { Caller, type CallerFacts, type Role } from '../../../src/server/caller.js'
import { Feed } from '../../../src/server/seeing/feed.js'
import { KeyBook } from '../../../src/server/keys/index.js'
import type { Service } from '../../../src/server/service.js'
import { UnheldDecisions } from '../../../src/server/decisions/unheld-decisions.js'
import { Webhooks } from '../../../src/server/webhooks/index.js'

/** What a test may ask for. */
export interface TestAppOptions extends Partial<Omit<Service, 'engine'>> {
  readonly config?: BursarConfig
  readonly options?: Service['options']
}

/** The app and the engine behind it. */
export interface TestApp {
  readonly app: ServerApp
  readonly engine: Service['engine']
  readonly service: Service
  /** What the log was told. */
  readonly logged: { readonly level: string; readonly fields: object; readonly message: string }[]
  /** Asks as somebody; `undefined`: without a key. A body that is no string is sent as JSON. */
  ask(as: CallerFacts | undefined, method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string; readonly json: any }> // oxlint-disable-line typescript/no-explicit-any
  close(): Promise<void>
}

/** Options as a server has them by default, without a rate limit. */
export const PLAIN_OPTIONS: Service['options'] = { rateLimit: null, maxBodyBytes: 1_048_576, tenantScopes: [], tenantsManageBudgets: false, allowPrivateWebhooks: true, mayBeOpen: false }

/** A caller's facts in short. */
export function caller(roles: readonly Role[], tenant?: string, userId?: string): CallerFacts {
  return { keyId: `key-of-${tenant ?? 'operator'}-${userId ?? 'all'}-${roles.join('-')}`, name: 'a test', roles, ...(tenant !== undefined && { tenant }), ...(userId !== undefined && { userId }) }
}

/** The operator. */
export const OPERATOR = caller(['admin'])

/** A service of its own. Close it. */
export function testApp({ config = {}, ...parts }: TestAppOptions = {}): TestApp {
  const engine = new Bursar<string, string>({ tiers: { free: { daily: 1 }, pro: { daily: 10, monthly: 100 } }, defaultTier: 'free', ...config } as never)
  const { clock } = engine.tracker
  const logged: TestApp['logged'] = []
  const note = (level: string) => (fields: object, message: string) => void logged.push({ level, fields, message })
  const log = { info: note('info'), warn: note('warn'), error: note('error') }
  const keys = new KeyBook({ registry: engine.tracker.registry, clock, mayBeOpen: false })
  const known = new Map<string, CallerFacts>()
  const real = keys.authenticate.bind(keys)
  keys.authenticate = async (token) => {
    const facts = token === undefined ? undefined : known.get(token)
    return facts === undefined ? real(token) : new Caller(facts)
  }
  const options = parts.options ?? PLAIN_OPTIONS
  const webhooks = new Webhooks({ engine, clock, log, allowPrivate: options.allowPrivateWebhooks })
  const feed = new Feed(engine)
  const metrics = { answered: () => {}, exposition: async () => ({ contentType: 'text/plain', text: '' }) }
  const service: Service = { engine, keys, webhooks, feed, metrics, clock, log, unheld: new UnheldDecisions(clock), ...parts, options }
  const app = createApp(service)
  return {
    app,
    engine,
    service,
    logged,
    async ask(as, method, path, body, headers = {}) {
      const token = as && `test-${JSON.stringify(as)}`.replaceAll(' ', '_')
      if (as !== undefined) known.set(token as string, as)
      const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
      const response = await app.fetch(
        new Request(`http://bursar.test${path}`, { method, ...sent, headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers } }),
      )
      const text = await response.text()
      const isJson = /json/.test(response.headers.get('content-type') ?? '')
      return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
    },
    async close() {
      feed.close()
      await webhooks.close()
      await engine.close()
    },
  }
}
