// A service on each store whose file or memory one process has, on a clock that a test sets, with a feed that remembers what it was told. What
// it answers is always compared with its own description.

import { memoryStore } from '../../../src/store/memory/index.js'
import { sqliteStore } from '../../../src/store/sqlite/index.js'
import type { BursarConfig } from '../../../src/config.js'
import { describeApp, type ApiDocument, type JsonSchema } from '../../../src/server/description/openapi.js'
import { temporaryFiles } from '../sqlite/temporary-files.js'
import { caller, PLAIN_OPTIONS, testApp, type TestApp } from './app.js'
import { misfit } from './schema-check.js'

/** The stores that administration is tested on. */
export const STORES = ['memory', 'sqlite'] as const

/** A tenant's admin, and those who may not do what it does. */
export const ACME = caller(['admin'], 'acme')
export const ACME_READER = caller(['read'], 'acme')
export const ACME_CHECKER = caller(['check'], 'acme')
export const GLOBEX = caller(['admin'], 'globex')
/** A user's key: of ada of acme. */
export const ADA = caller(['check', 'read'], 'acme', 'ada')
/** A user of no tenant. */
export const SOLO = caller(['read'], undefined, 'solo')

/** Noon of a Tuesday. */
export const NOON = Date.parse('2026-03-10T12:00:00.000Z')

/** What a test works with. */
export interface Administered extends TestApp {
  /** Where the clock of the store and the service stands. */
  now: number
  /** What the feed was told. */
  readonly changes: (readonly [what: string, tenant: string | undefined])[]
}

/** Opens services whose tenants manage their budgets, unless `options` say otherwise; close them after each test. */
export function administration(): { open(store: (typeof STORES)[number], config?: BursarConfig, options?: Partial<typeof PLAIN_OPTIONS>): Administered; closeAll(): Promise<void> } {
  const files = temporaryFiles()
  const opened: Administered[] = []
  return {
    open(store, config = {}, options = {}) {
      const clock = (): number => app.now
      const of = { path: files.path(), clock: () => app?.now ?? NOON }
      const app: Administered = Object.assign({ now: NOON, changes: [] as Administered['changes'] }, {} as TestApp)
      Object.assign(app, testApp({ config: { clock, store: store === 'memory' ? memoryStore({ clock: of.clock }) : sqliteStore(of), ...config }, options: { ...PLAIN_OPTIONS, tenantsManageBudgets: true, ...options } }))
      const { ask } = app
      app.ask = async (as, method, path, ...rest) => {
        const answered = await ask(as, method, path, ...rest)
        const wrong = undescribed((description ??= describeApp(app.app)), method, path, answered)
        if (wrong !== undefined) throw new Error(`${method} ${path}: ${wrong}`)
        return answered
      }
      app.service.feed.changed = (what, tenant) => void app.changes.push([what, tenant])
      opened.push(app)
      return app
    },
    async closeAll() {
      for (const app of opened.splice(0)) await app.close()
      files.removeAll()
    },
  }
}

let description: ApiDocument | undefined

/** What of an answer its operation's description does not say. */
function undescribed({ paths, components }: ApiDocument, method: string, path: string, { status, json }: { readonly status: number; readonly json?: unknown }): string | undefined {
  const [pathname = ''] = path.split('?')
  const fitting = Object.keys(paths).filter((template) => new RegExp(`^${template.replaceAll(/\{.+?\}/g, '[^/]+')}$`).test(pathname))
  // A path without parameters comes first.
  const operation = fitting.sort((one, other) => one.split('{').length - other.split('{').length).map((template) => paths[template]?.[method.toLowerCase() as 'get'])[0]
  if (operation === undefined) return 'is not described'
  // What nobody foresaw is nowhere described.
  if (status === 500) return undefined
  const answer = operation.responses[String(status)]
  if (answer === undefined) return `${status} is not described`
  const schema = answer.content?.['application/json']?.schema
  if (schema === undefined) return undefined
  return misfit(schema, json, (ref) => components.schemas[ref.slice(ref.lastIndexOf('/') + 1)] as JsonSchema)
}
