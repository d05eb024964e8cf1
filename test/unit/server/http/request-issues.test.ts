// What somebody reads whose request does not fit its description: over HTTP, and for schemas of every kind.

import { z } from '@hono/zod-openapi'
import { afterAll, describe, expect, it } from 'vitest'
import { describeRequest } from '../../../../src/server/http/request-issues.js'
import { OPERATOR, testApp } from '../../../support/server/app.js'

const app = testApp()
afterAll(() => app.close())

const detail = async (method: string, path: string, body?: unknown): Promise<string> => {
  const { status, json } = await app.ask(OPERATOR, method, path, body)
  expect(status).toBe(422)
  return json.detail as string
}

function said(schema: z.ZodType, value: unknown, part: 'json' | 'query' = 'json'): string {
  const { error } = schema.safeParse(value)
  return describeRequest(error?.issues ?? [], part)
}

describe('a request that does not fit', () => {
  it('is answered with the field that is wrong, before the one that is missing for it', async () => {
    expect(await detail('POST', '/v1/customers', { id: 'ada', nam: 'Ada' })).toBe('nam: is no known field. Remove it, or correct its name. (And 1 more: name.)')
    expect(await detail('POST', '/v1/customers', { name: 'Ada' })).toBe('id: is missing. Give a text.')
    expect(await detail('POST', '/v1/limits', { scope: { kind: 'global' }, budget: { dayly: 1, hourly: 2 }, expires: '2026-12-01' })).toBe('budget.dayly: is no known field. Remove it, or correct its name. (And 2 more: budget.hourly, expires.)')
    expect(await detail('POST', '/v1/limits', { id: 'a/b', scope: { kind: 'global' }, budget: { daily: 1 } })).toBe('id: must be visible ASCII characters without spaces and without /.')
    expect(await detail('POST', '/v1/limits', { scope: { kind: 'global' }, budget: { daily: { usd: -1 } }, mode: 'stop' })).toBe('budget.daily.usd: is too small. Give at least 0. (And 1 more: mode.)')
    expect(await detail('POST', '/v1/limits', { scope: { kind: 'global' }, budget: { daily: true } })).toBe('budget.daily: has the wrong type. Give a number, or a text, or an object.')
    expect(await detail('POST', '/v1/limits', { scope: { kind: 'global' }, budget: { daily: 1 }, until: 'tomorrow' })).toBe("until: is no point in time. Give a day ('2026-11-01'), a month ('2026-11'), or a time ('2026-11-01T08:30:00Z').")
    expect(await detail('GET', '/v1/customers?limit=1001')).toBe('limit: is too large. Give at most 1000.')
    expect(await detail('GET', '/v1/customers?limit=many')).toBe('limit: is not a number. Give one.')
    expect(await detail('GET', '/v1/customers?q=')).toBe('q: is too short. Give at least 1 character.')
    expect(await detail('POST', '/v1/customers', { id: 'ada', name: 'Ada', email: 'nobody' })).toBe('email: is no e-mail address. Give one such as ada@example.com.')
    expect(await detail('POST', '/v1/customers', [])).toBe('body: is not an object. Give one.')
  })

  it('names what else is wrong, some of many, and each once', () => {
    const schema = z.strictObject({ a: z.string(), b: z.number(), c: z.boolean() })
    expect(said(schema, {})).toBe('a: is missing. Give a text. (And 2 more: b, c.)')
    expect(said(schema, Object.fromEntries(Array.from({ length: 12 }, (_, index) => [`x${index}`, 1])))).toBe('x0: is no known field. Remove it, or correct its name. (And 14 more: x1, x2, x3, x4, x5, ….)')
    expect(said(z.array(z.int()), [0.5, 'x'])).toBe('0: is not a whole number. Give one. (And 1 more: 1.)')
    expect(said(schema, { ['k'.repeat(5_000)]: 1 }).length).toBeLessThan(250)
  })

  it('never speaks as the schema does', () => {
    const schemas: readonly (readonly [z.ZodType, unknown])[] = [
      [z.string(), 5],
      [z.string().min(2), 'a'],
      [z.array(z.string()).min(1), []],
      [z.array(z.string()).max(1), ['a', 'b']],
      [z.number().gt(5), 5],
      [z.number().lt(5), 5],
      [z.enum(['a', 'b']), 'c'],
      [z.enum(['a', 'b']), undefined],
      [z.union([z.string(), z.number()]), undefined],
      [z.union([z.literal('a'), z.string().regex(/^\d+$/)]), 'x'],
      [z.record(z.string().max(2), z.number()), { abc: 1 }],
      [z.record(z.string(), z.number()), { a: 'x' }],
      [z.iso.datetime(), 'x'],
      [z.int(), 0.5],
      [z.boolean(), 'true'],
      [z.null(), 1],
    ]
    for (const [schema, value] of schemas) {
      const text = said(schema, value)
      expect(text).toMatch(/^[\w.]+: .+\. ?.*[.]$/)
      expect(text).not.toMatch(/Invalid|Unrecognized|expected|received|Too (?:small|big)|undefined/)
    }
    expect(said(z.strictObject({}), { more: 1 }, 'query')).toBe('more: is no known parameter. Remove it, or correct its name.')
    expect(describeRequest([], 'query')).toBe('query: is not what it should be.')
  })

  it('may not have a name that schemas leave out without a word', async () => {
    const put = (body: string) => app.ask(OPERATOR, 'PUT', '/v1/users/ada/budget', body)
    expect(await put('{"daily":1,"rolling":{"__proto__":5}}')).toMatchObject({ status: 422, json: { detail: 'rolling.__proto__: is no name of a field. Choose another one.' } })
    expect(await put('{"daily":1,"__proto__":5}')).toMatchObject({ status: 422, json: { detail: expect.stringContaining('__proto__') } })
    expect(await app.ask(OPERATOR, 'POST', '/v1/customers', '{"id":"p","name":"P","metadata":{"__proto__":"x"}}')).toMatchObject({ status: 422 })
    expect(await app.engine.tracker.getUserOverrides('ada')).toEqual([])
  })

  it('may say a day where it says an instant', async () => {
    const until = async (text: string): Promise<unknown> => (await app.ask(OPERATOR, 'PUT', '/v1/users/bob/budget', { daily: 1, until: text })).json?.overrides?.[0]?.until
    expect(await until('2199-12-01')).toBe('2199-12-01T00:00:00.000Z')
    expect(await until('2199-12')).toBe('2199-12-01T00:00:00.000Z')
    expect(await until('2199-12-01T08:30:00+01:00')).toBe('2199-12-01T07:30:00.000Z')
    expect(await app.ask(OPERATOR, 'POST', '/v1/limits', { id: 'l', scope: { kind: 'global' }, budget: { daily: 1 }, until: '2199-12-01' })).toMatchObject({ status: 201, json: { until: '2199-12-01T00:00:00.000Z' } })
    expect(await app.ask(OPERATOR, 'PATCH', '/v1/limits/l', { until: '2199-12-02' })).toMatchObject({ json: { until: '2199-12-02T00:00:00.000Z' } })
    expect((await app.ask(OPERATOR, 'PATCH', '/v1/limits/l', { until: '2199-11-31' })).status).toBe(422)
    expect(await app.ask(OPERATOR, 'POST', '/v1/keys', { name: 'k', roles: ['read'], expiresAt: '2199-12-01' })).toMatchObject({ status: 201, json: { key: { expiresAt: '2199-12-01T00:00:00.000Z' } } })
  })
})
