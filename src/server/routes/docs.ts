// The description of the service: as OpenAPI, and as a page to read. No key is needed: it says what can be asked, and nothing of what is there.

import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi'
import { docsPage, STYLE_PATH } from '../description/docs-page.js'
import { DOCS_STYLE } from '../description/docs-style.js'
import { describeApp } from '../description/openapi.js'
import { json, routes } from '../route.js'
import type { Env, Service } from '../service.js'

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
}

const documentSchema = z.looseObject({ openapi: z.string(), info: z.looseObject({ title: z.string(), version: z.string() }), paths: z.looseObject({}) })

const openapi = createRoute({ method: 'get', path: '/openapi.json', tags: ['Operation'], summary: 'This description, as OpenAPI 3.1', responses: { 200: json(documentSchema, 'The document.') } })
const page = createRoute({
  method: 'get',
  path: '/docs',
  tags: ['Operation'],
  summary: 'This description, to read',
  responses: { 200: { description: 'The page.', content: { 'text/html': { schema: z.string() } } } },
})

/** `/openapi.json` and `/docs`. `whole` gives the app that they describe, when all its routes are mounted. */
export function docsRoutes(_service: Service, whole: () => OpenAPIHono<Env>): OpenAPIHono<Env> {
  let described: { readonly text: string; readonly html: string } | undefined
  const describe = (): { readonly text: string; readonly html: string } => {
    if (described === undefined) {
      const document = describeApp(whole())
      described = { text: JSON.stringify(document), html: docsPage(document) }
    }
    return described
  }
  const app = routes()
    .openapi(openapi, (context) => context.body(describe().text, 200, { 'content-type': 'application/json' }) as never)
    .openapi(page, (context) => context.body(describe().html, 200, PAGE_HEADERS) as never)
  app.get(STYLE_PATH, (context) => context.body(DOCS_STYLE, 200, { 'content-type': 'text/css; charset=utf-8', 'x-content-type-options': 'nosniff' }))
  return app
}
