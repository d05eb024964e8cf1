// The files of the dashboard. They are read once, so that no path of a request ever reaches the file system; what they may do in a browser
// their content security policy says.

import type { OpenAPIHono } from '@hono/zod-openapi'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { routes } from '../route.js'
import type { Env, Service } from '../service.js'

interface ServedFile {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
  /** Its name has a hash of its content in it. */
  readonly isHashed: boolean
}

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  md: 'text/plain; charset=utf-8',
  svg: 'image/svg+xml',
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Beside this file when it is built; in `dist` when it runs from its source. */
const FOLDERS = ['../../dashboard/app/', '../../../dist/src/dashboard/app/'].map((path) => fileURLToPath(new URL(path, import.meta.url)))

let known: ReadonlyMap<string, ServedFile> | undefined

/** The files of the dashboard: its page at `/`, what the page needs below `/assets/`, and its icon. */
export function dashboardRoutes(_service: Service): OpenAPIHono<Env> {
  known ??= filesOf(FOLDERS.find((folder) => existsSync(join(folder, 'index.html'))))
  return routesOf(known)
}

/** As {@link dashboardRoutes}, from the files of a folder; `undefined`: it was never built. */
export function dashboardFrom(folder: string | undefined): OpenAPIHono<Env> {
  return routesOf(filesOf(folder))
}

function routesOf(files: ReadonlyMap<string, ServedFile> | undefined): OpenAPIHono<Env> {
  const app = routes()
  if (files === undefined) {
    app.get('/', (context) => context.text('The dashboard is not built. Run `npm run build`, then start the server again.\n', 503, { 'cache-control': 'no-store' }))
    return app
  }
  for (const [path, { bytes, type, isHashed }] of files) {
    const headers = {
      'content-type': type,
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    }
    app.get(path, () => new Response(bytes, { headers }))
  }
  return app
}

function filesOf(folder: string | undefined): ReadonlyMap<string, ServedFile> | undefined {
  if (folder === undefined) return undefined
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = names.map((entry) => join(entry.parentPath, entry.name).slice(folder.length).replaceAll('\\', '/').replace(/^\//, ''))
  return new Map(
    files.map((file) => {
      const type = TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
      return [file === 'index.html' ? '/' : `/${file}`, { bytes: new Uint8Array(readFileSync(join(folder, file))), type, isHashed: file.startsWith('assets/') }]
    }),
  )
}
