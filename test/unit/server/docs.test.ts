// The description of the service: a document that tools can read, a page that people can, and both of everything there is.

import { expect, test, describe, afterAll } from 'vitest'
import { ROLES } from '../../../src/server/caller.js'
import type { ApiDocument, ApiOperation, JsonSchema } from '../../../src/server/description/openapi.js'
import { operationsOf } from '../../support/server/arbitrary.js'
import { misfit } from '../../support/server/schema-check.js'
import { EXAMPLES, type AnsweredId } from '../../../src/server/description/docs-examples.js'
import { caller, OPERATOR, testApp } from '../../support/server/app.js'

const world = testApp()
const document = (await world.ask(undefined, 'GET', '/openapi.json')).json as ApiDocument
const operations = operationsOf(document)
const page = await world.ask(undefined, 'GET', '/docs')
afterAll(() => world.close())

/** Every value of a member of that name, however deep. */
function everywhere(value: unknown, name: string): unknown[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, each]) => [...(key === name ? [each] : []), ...everywhere(each, name)])
}

describe('the OpenAPI document', () => {
  test('is one of OpenAPI 3.1, with the version of the package, a key as its security, and no key needed to read it', async () => {
    const { version } = (await import('../../../package.json', { with: { type: 'json' } })).default
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'bursar', version }, servers: [{ url: '/' }], components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } } })
    const answer = await world.ask(undefined, 'GET', '/openapi.json')
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
  })

  test('has every route of the app under /v1', () => {
    const described = new Set(operations.map(({ method, path }) => `${method} ${path.replaceAll(/\{(.+?)\}/g, ':$1')}`))
    const routes = world.app.routes.filter(({ method, path }) => method !== 'ALL' && path.startsWith('/v1/')).map(({ method, path }) => `${method} ${path}`)
    expect(routes.length).toBeGreaterThan(40)
    expect(routes.filter((route) => !described.has(route))).toEqual([])
  })

  test('says of every operation what it is for, who may ask it, and what it may answer', () => {
    const lacking = (isWrong: (operation: ApiOperation, path: string, method: string) => boolean): string[] =>
      operations.filter(({ described, path, method }) => isWrong(described, path, method)).map(({ method, path }) => `${method} ${path}`)
    expect(lacking(({ summary = '' }) => summary === '' || summary.endsWith('.'))).toEqual([])
    expect(lacking(({ tags = [] }) => tags.length !== 1)).toEqual([])
    expect(lacking((operation, path) => path.startsWith('/v1/') && !ROLES.includes(operation['x-role'] as never))).toEqual([])
    expect(lacking((operation) => operation['x-role'] !== undefined && (operation.security ?? []).length === 0)).toEqual([])
    expect(lacking(({ responses }) => !Object.keys(responses).some((status) => /^2\d\d$/.test(status)))).toEqual([])
    expect(lacking(({ responses }, path) => path.startsWith('/v1/') && ['401', '403', '422', '429', '503'].some((status) => responses[status] === undefined))).toEqual([])
    expect(lacking(({ responses }) => Object.values(responses).some(({ description }) => description === ''))).toEqual([])
    expect(lacking(({ parameters = [] }, path) => parameters.filter((each) => each.in === 'path').map(({ name }) => `{${name}}`).toSorted().join() !== (path.match(/\{.+?\}/g) ?? []).toSorted().join())).toEqual([])
  })

  test('names each operation once, and describes each group of them', () => {
    const ids = operations.map(({ described }) => described.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toContain('getUsersByIdBudget')
    expect(ids.filter((id) => !/^[a-z][A-Za-z0-9]+$/.test(id))).toEqual([])
    expect(document.tags.filter(({ name, description }) => name === description)).toEqual([])
    expect(new Set(document.tags.map(({ name }) => name))).toEqual(new Set(operations.flatMap(({ described }) => described.tags ?? [])))
  })

  test('refers to nothing that is not there, and has no schema that nothing fits', () => {
    const refs = everywhere(document, '$ref') as string[]
    expect(refs.length).toBeGreaterThan(0)
    expect(refs.filter((ref) => !ref.startsWith('#/components/schemas/') || document.components.schemas[ref.split('/').at(-1) as string] === undefined)).toEqual([])
    // One schema beside another that allows no more fields than its own is what zod's extend() would become.
    expect(everywhere(document, 'allOf').filter((parts) => (parts as JsonSchema[]).length > 1)).toEqual([])
    expect(everywhere(document, 'required').filter((names) => Array.isArray(names) && new Set(names).size !== names.length)).toEqual([])
  })

  test('gives examples that fit their schemas', () => {
    const find = (ref: string): JsonSchema => document.components.schemas[ref.split('/').at(-1) as string] as JsonSchema
    const wrong = (value: unknown): string[] => {
      if (typeof value !== 'object' || value === null) return []
      const schema = value as JsonSchema
      const own = 'example' in schema && ('type' in schema || 'anyOf' in schema || '$ref' in schema) ? misfit(schema, schema.example, find) : undefined
      return [...(own === undefined ? [] : [own]), ...Object.values(value).flatMap(wrong)]
    }
    expect(wrong(document.components)).toEqual([])
    expect(wrong(document.paths)).toEqual([])
    const misfits = operations.flatMap(({ described }) => [
      ...(described.parameters ?? []).map(({ schema = {}, example }) => (example === undefined ? undefined : misfit(schema, example, find))),
      ...Object.values(described.requestBody?.content ?? {}).map(({ schema = {}, example }) => (example === undefined ? undefined : misfit(schema, example, find))),
    ])
    expect(misfits.filter((each) => each !== undefined)).toEqual([])
    expect(operations.filter(({ described }) => described.requestBody?.required === true && Object.values(described.requestBody.content).some(({ example }) => example === undefined)).map(({ path }) => path)).toEqual([])
  })
})

describe('the page', () => {
  test('has every operation with its role, answers and a line for a shell', () => {
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    for (const { method, path, described } of operations) {
      const [, article = ''] = page.text.split(`<article id="${described.operationId}">`)
      const own = article.split('</article>')[0] as string
      expect(own).toContain(`>${method}</span> <code>${path}</code>`)
      expect(own).toContain(described['x-role'] === undefined ? 'Needs ' : `the role <b>${described['x-role']}</b>`)
      expect(own).toMatch(EXAMPLES[described.operationId]?.notByHand === undefined ? /<code>curl .*&quot;\$BURSAR_URL\// : /by hand/)
      for (const status of Object.keys(described.responses)) expect(own).toContain(`<th scope="row">${status}</th>`)
      for (const { name } of described.parameters ?? []) expect(own).toContain(`<code>${name}</code>`)
    }
  })

  test('tells the fields of a body with their units', () => {
    const [, article = ''] = page.text.split('<article id="postCheck">')
    const row = /<tr><th scope="row"><code>estimatedCost<\/code>.*<\/tr>/.exec(article)?.[0]
    expect(row).toContain('<td>USD</td>')
  })

  test('has no script, nothing from elsewhere, and no link that leads nowhere', async () => {
    expect(page.text).not.toMatch(/<(script|img|iframe)|javascript:| on\w+="| style="| src="|href="(?![#/])/i)
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; style-src 'self'")
    const ids = new Set([...page.text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id))
    const links = [...page.text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id)
    expect(links.filter((id) => !ids.has(id))).toEqual([])
    expect([...page.text.matchAll(/ id="([^"]+)"/g)]).toHaveLength(ids.size)
    const style = await world.ask(undefined, 'GET', /<link rel="stylesheet" href="([^"]+)">/.exec(page.text)?.[1] as string)
    expect(style).toMatchObject({ status: 200, text: expect.stringContaining('light-dark(') as unknown })
    expect(style.headers.get('content-type')).toMatch(/^text\/css/)
  })

  test('gives lines that are answered as they are printed, one after the other', async () => {
    expect(Object.keys(EXAMPLES).toSorted()).toEqual(operations.map(({ described }) => described.operationId).toSorted())
    const answers = new Map<string, unknown>()
    const refused: string[] = []
    for (const [operationId, { isOfUser = false, isStream = false, params = {}, notByHand }] of Object.entries(EXAMPLES)) {
      if (notByHand !== undefined) continue
      const line = lineOf(operationId)
      const [, method = 'GET'] = / -X ([A-Z]+) /.exec(line) ?? []
      const [, printed = ''] = /"\$BURSAR_URL(\/[^"]*)"/.exec(line) ?? []
      const [, sent] = / -d '(.+)'$/.exec(line) ?? []
      const path = printed.replaceAll(/\$([A-Z_]+)/g, (_, name: string) => String(valueOf(answers, Object.values(params).find((each) => typeof each === 'object' && each.variable === name))))
      expect(line.includes('$USER_KEY')).toBe(isOfUser)
      const who = line.includes('Authorization') ? (isOfUser ? caller(['read'], undefined, 'ada') : OPERATOR) : undefined
      const { status, json, text } = isStream ? await begun(path) : await world.ask(who, method, path, sent?.replaceAll(String.raw`'\''`, "'"))
      answers.set(operationId, json)
      const inside = ((json as { readonly items?: readonly { readonly status?: number }[] } | undefined)?.items ?? []).flatMap((each) => (typeof each?.status === 'number' && each.status >= 404 ? [each.status] : []))
      if (status >= 300 || inside.length > 0) refused.push(`${method} ${path}: ${status} ${text.slice(0, 300)}`)
    }
    expect({ refused, failed: world.logged.filter(({ level }) => level === 'error') }).toEqual({ refused: [], failed: [] })
  })
})

/** The line that the page prints for an operation, as a shell would get it. */
function lineOf(operationId: string): string {
  const [, article = ''] = page.text.split(`<article id="${operationId}">`)
  const [, line = ''] = /<code>(curl .+?)<\/code>/.exec(article.split('</article>')[0] as string) ?? []
  return line.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')
}

/** An answer that goes on, as far as its status. */
async function begun(path: string): Promise<{ readonly status: number; readonly json: undefined; readonly text: string }> {
  const { token } = await world.service.keys.create({ name: 'a listener', roles: ['read'] })
  const { status, body } = await world.app.fetch(new Request(`http://bursar.test${path}`, { headers: { authorization: `Bearer ${token}` } }))
  await body?.cancel()
  return { status, json: undefined, text: '' }
}

/** What an answer has in the place that an example names. */
function valueOf(answers: ReadonlyMap<string, unknown>, from: string | AnsweredId | undefined): unknown {
  if (typeof from !== 'object') return undefined
  return from.member.split('.').reduce<unknown>((value, member) => (value as Record<string, unknown> | undefined)?.[member], answers.get(from.operationId))
}
