// Requests made of the service's own description: such as fit it, and such as almost do. Knows schemas, and nothing of what an operation means.

import fc from 'fast-check'
import type { ApiDocument, ApiOperation, ApiParameter, JsonSchema } from '../../../src/server/description/openapi.js'

/** One operation, and where it is. */
export interface Operation {
  readonly method: string
  /** With `{id}` in it. */
  readonly path: string
  readonly described: ApiOperation
}

/** A request, as far as it does not depend on who sends it. */
export interface FuzzRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** Every operation of a document. */
export function operationsOf({ paths }: ApiDocument): Operation[] {
  return Object.entries(paths).flatMap(([path, item]) => Object.entries(item).map(([method, described]) => ({ method: method.toUpperCase(), path, described })))
}

const LONG = 'x'.repeat(20_000)
const TOO_LARGE = '\u0000number\u0000'

/** Texts that have broken somebody's service before. */
const EVIL_TEXTS = [
  '', ' ', '.', '..', '../../etc/passwd', '..%2f..%2f', '/', '//', '\\', '%', '%00', '%ff', '\u0000', 'a\u0000b', '\r\n', 'a\r\nset-cookie: a=b', '\n', '\t', '*', '?', '#', '&', '=', ';', ':', '{', '[', 'a{b}', '${a}', '{{a}}',
  "' OR 1=1 --", '"; DROP TABLE ledger; --', "');--", '<script>alert(1)</script>', '__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'null', 'undefined', 'NaN', 'Infinity', '-Infinity', '-0', '1e400', '0x10', '1,5', 'true',
  'ünïcödé', '用户', '👩‍👩‍👧', '\ud800', 'a\udfffb', '\u202eabc', 'İ', 'ﷺ', '\ufeff', '١٢٣', 'acme/', '/acme', 'globex/', 'globex%2F', 'globex/../acme', '-1', '0', '1', '99999999999999999999', '1970-01-01', '2026-13-45T99:99:99Z', '+275760-09-13T00:00:00.001Z', '0000-01-01T00:00:00Z',
  LONG, '𝒳'.repeat(300),
] as const

const EVIL_VALUES: readonly unknown[] = [
  null, true, false, 0, -0, -1, 1, 0.1, 1e-300, 1e21, 1.7976931348623157e308, 9007199254740991, 9007199254740992, -9007199254740992, 4294967296, TOO_LARGE, [], {}, [[]], [null], { $ref: '#' }, { toString: 1 }, { then: 1 }, { toJSON: 1 }, { length: 1e9 }, ['a'], Array.from({ length: 2_000 }, () => 0), ...EVIL_TEXTS,
]

/** What a client would give that knows what a field is for. Without it, hardly any request would come past the first field. */
const SENSIBLE: Readonly<Record<string, readonly unknown[]>> = {
  tenant: ['acme', 'acme', 'globex'],
  userId: ['ada', 'ada', 'ann', 'gil'],
  userTier: ['free', 'pro'],
  tier: ['free', 'pro'],
  model: ['gpt-4o'],
  provider: ['openai'],
  estimatedCost: [0, 0.01, '0.02'],
  cost: [0, 0.01, '0.02'],
  maxCost: [0.5, '1'],
  maxTokens: [1_000],
  tokens: [100],
  inputTokens: [10],
  outputTokens: [10],
  maxOutputTokens: [10],
  tokenKinds: [[]],
  usage: [{ inputTokens: 10, outputTokens: 5 }],
  scopes: [{}],
  ttl: ['10m', 60_000],
  holdTtl: ['10m', 60_000],
  from: ['2026-01-01T00:00:00Z'],
  until: ['2031-01-01T00:00:00Z'],
  expiresAt: ['2031-01-01T00:00:00Z'],
  timeZone: ['UTC', 'Europe/Berlin'],
  zone: ['UTC', 'Europe/Berlin'],
  window: ['daily', 'monthly'],
  period: ['daily', 'monthly'],
  kind: ['user', 'tenant'],
  limit: ['10', 10],
  email: ['ada@example.com'],
  format: ['json', 'csv'],
  graceMs: [0, 1_000],
  thresholds: [{ warn: 50 }],
  scope: [{ kind: 'user', id: 'ada' }, { kind: 'tenant', id: 'acme' }],
  budget: [{ monthly: 5 }],
  daily: [1, { usd: '2.5' }],
  weekly: [1],
  monthly: [1, { usd: 3, requests: 10 }],
  total: [100],
  rolling: [{ '5h': 1 }],
  weekStartsOn: [1],
  monthStartsOn: [1],
  id: ['ada', 'new'],
  url: ['http://127.0.0.1:9/hook'],
  sessionId: ['session-1', 'session-2'],
}

/** Ids of what an address is about, by its first word behind the version. */
const IDS: Readonly<Record<string, readonly string[]>> = {
  users: ['ada', 'gil'],
  customers: ['ada', 'gil'],
  tenants: ['acme', 'globex', 'new'],
  holds: ['hold-1', 'settled-1'],
  decisions: ['hold-1', 'settled-1', 'denied-1'],
  limits: ['limit-1', 'op-limit', 'op-global'],
}

/** How requests are made. */
export interface Fuzzing {
  readonly document: ApiDocument
  /** Ids and names that there are, or may be: what somebody would guess. */
  readonly guesses: () => readonly string[]
  /** Ids that nobody chooses, by the first word of the address that they are for. */
  readonly ids: Readonly<Record<string, readonly string[]>>
  /** True: nothing is wrong with the requests but, now and then, what they ask for. */
  readonly isTame: boolean
}

/** Requests to one operation: of those that are not tame, half are wrong in one place or more. */
export function requestTo({ method, path, described }: Operation, fuzzing: Fuzzing): fc.Arbitrary<FuzzRequest> {
  const { parameters = [], requestBody } = described
  const { isTame } = fuzzing
  const json = requestBody?.content['application/json']?.schema
  return fc
    .record({
      values: fc.tuple(...parameters.map((parameter) => parameterValue(parameter, path, fuzzing))),
      strange: rarely(isTame ? 1 : 15, fc.tuple(fc.constantFrom('', 'x', '__proto__', 'tenant', 'userId', 'limit', 'cursor'), evilText())),
      doubled: isTame ? fc.constant(1) : fc.integer({ min: 0, max: 20 }),
      idempotencyKey: rarely(2, idText(fuzzing)),
      body: json === undefined ? rarely(isTame ? 1 : 20, fc.constantFrom('{}', '[', 'null', 'x')) : bodyText(json, fuzzing),
      type: fc.oneof({ weight: 30, arbitrary: fc.constant('application/json') }, { weight: isTame ? 0 : 1, arbitrary: fc.constantFrom('text/plain', 'application/json; charset=utf-16', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/problem+json', '') }),
    })
    .map(({ values, strange, doubled, idempotencyKey, body, type }) => {
      let filled = path
      const query: string[] = []
      const headers: Record<string, string> = {}
      for (const [index, parameter] of parameters.entries()) {
        const value = values[index]
        if (value === undefined && parameter.in !== 'path') continue
        if (parameter.in === 'path') filled = filled.replace(`{${parameter.name}}`, () => segment(value ?? 'x'))
        else if (parameter.in === 'header') setHeader(headers, parameter.name, value ?? '')
        else query.push(`${encodeText(parameter.name)}=${encodeText(value ?? '')}`)
      }
      if (strange !== undefined) query.push(`${encodeText(strange[0])}=${encodeText(strange[1])}`)
      if (doubled === 0 && query.length > 0) query.push(query[0] as string)
      if (idempotencyKey !== undefined && method !== 'GET') setHeader(headers, 'idempotency-key', idempotencyKey)
      const sent = method === 'GET' || method === 'HEAD' ? undefined : body
      if (sent !== undefined) headers['content-type'] = type
      return { method, path: `${filled}${query.length === 0 ? '' : `?${query.join('&')}`}`, headers, body: sent }
    })
}

/** Values that fit a schema; texts are often those that somebody would guess. */
export function fitting(schema: JsonSchema, fuzzing: Fuzzing, depth = 0): fc.Arbitrary<unknown> {
  const again = (inner: JsonSchema): fc.Arbitrary<unknown> => fitting(inner, fuzzing, depth + 1)
  if (depth > 6) return fc.constant(null)
  if (schema.$ref !== undefined) return again(fuzzing.document.components.schemas[schema.$ref.split('/').at(-1) as string] ?? {})
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return fc.oneof(...choices.map(again))
  if (schema.allOf !== undefined) return fc.tuple(...schema.allOf.map(again)).map((parts) => Object.assign({}, ...(parts as object[])) as object)
  const type = Array.isArray(schema.type) ? (schema.type as readonly string[]).find((each) => each !== 'null') : (schema.type as string | undefined)
  const own = fittingType(type, schema, again, fuzzing)
  return Array.isArray(schema.type) && schema.type.includes('null') ? fc.oneof({ weight: 4, arbitrary: own }, { weight: 1, arbitrary: fc.constant(null) }) : own
}

function fittingType(type: string | undefined, schema: JsonSchema, again: (inner: JsonSchema) => fc.Arbitrary<unknown>, fuzzing: Fuzzing): fc.Arbitrary<unknown> {
  switch (type) {
    case 'object': {
      const { properties = {}, required = [], additionalProperties } = schema
      const known = fc.record(Object.fromEntries(Object.entries(properties).map(([name, inner]) => [name, member(name, again(inner), required.includes(name), fuzzing)]))).map(withoutAbsent)
      if (typeof additionalProperties !== 'object') return known
      return fc.tuple(known, fc.dictionary(fc.constantFrom('a', 'daily', 'monthly', '5h', 'team', 'tenant', 'global'), again(additionalProperties), { maxKeys: 2 })).map(([one, other]) => ({ ...other, ...one }))
    }
    case 'array':
      return fc.array(again(schema.items ?? {}), { minLength: Math.min(schema.minItems ?? 0, 20), maxLength: Math.min(schema.maxItems ?? 3, Math.max(3, schema.minItems ?? 0)) })
    case 'integer':
      return fc.oneof(fc.integer({ min: Math.max(schema.minimum ?? 0, -1_000_000), max: Math.min(schema.maximum ?? 1_000, 1_000_000) }), fc.maxSafeInteger())
    case 'number':
      return fc.oneof(fc.constantFrom(0, 0.01, 0.5, 1, 10), fc.double({ min: Math.max(schema.minimum ?? 0, -1e6), max: Math.min(schema.maximum ?? 100, 1e6), noNaN: true }))
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'string':
      return fittingText(schema, fuzzing)
    default:
      return fc.oneof(fc.constantFrom(0.01, 'ada', true, null), fc.jsonValue({ maxDepth: 2 }))
  }
}

/** The value of a field, in most cases one that makes sense; what is optional is there once in three times. */
function member(name: string, fits: fc.Arbitrary<unknown>, isRequired: boolean, { isTame }: Fuzzing): fc.Arbitrary<unknown> {
  const sensible = SENSIBLE[name]
  const value = sensible === undefined ? fits : fc.oneof({ weight: 7, arbitrary: fc.constantFrom(...sensible) }, { weight: isTame ? 0 : 1, arbitrary: fits })
  return isRequired ? value : rarely(isTame ? 5 : 3, value)
}

function withoutAbsent(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined))
}

function fittingText({ format, pattern, minLength = 0, maxLength = 64 }: JsonSchema, fuzzing: Fuzzing): fc.Arbitrary<string> {
  if (format === 'date-time' || format === 'date') return fc.date({ noInvalidDate: true, min: new Date('2020-01-01'), max: new Date('2035-01-01') }).map((date) => (format === 'date' ? date.toISOString().slice(0, 10) : date.toISOString()))
  if (format === 'uri' || format === 'url') return fc.constantFrom('http://127.0.0.1:9/hook', 'https://[::1]:9/x', 'https://example.invalid/hook')
  if (pattern !== undefined && !pattern.includes('(?')) return fc.oneof({ weight: 2, arbitrary: fc.stringMatching(new RegExp(pattern)) }, { weight: 1, arbitrary: idText(fuzzing) })
  const plain = fc.string({ minLength, maxLength: Math.min(maxLength, Math.max(minLength, 24)), unit: 'grapheme-ascii' })
  return fc.oneof({ weight: 6, arbitrary: idText(fuzzing) }, { weight: 2, arbitrary: plain }, { weight: 1, arbitrary: fc.constantFrom('0.01', '1', 'daily', '5h', '10m') })
}

/** The text of a body: of a value that fits, or of one with something wrong in it, or of none. */
function bodyText(schema: JsonSchema, fuzzing: Fuzzing): fc.Arbitrary<string> {
  const fits = fitting(schema, fuzzing)
  if (fuzzing.isTame) return fits.map(textOf)
  const mutated = fc.tuple(fits, fc.array(fc.tuple(fc.nat(), fc.nat(3), evilValue()), { minLength: 1, maxLength: 3 })).map(([value, changes]) => textOf(changes.reduce((changed, [place, how, evil]) => mutate(changed, place, how, evil), value)))
  const broken = fc.tuple(fits, fc.nat()).map(([value, at]) => {
    const text = textOf(value)
    return text.slice(0, at % Math.max(1, text.length))
  })
  return fc.oneof(
    { weight: 10, arbitrary: fits.map(textOf) },
    { weight: 12, arbitrary: mutated },
    { weight: 1, arbitrary: broken },
    { weight: 1, arbitrary: evilValue().map(textOf) },
    { weight: 1, arbitrary: fc.constantFrom('', '{', '[]', 'null', '"x"', '{"a":1,"a":2}', '\ufeff{}', '[['.repeat(5_000), `{"a":${'{"a":'.repeat(2_000)}1${'}'.repeat(2_001)}`, '{"__proto__":{"isAdmin":true}}', '\u0000') },
  )
}

/** One more thing wrong: a member replaced, taken away, added, or wrapped. */
function mutate(value: unknown, place: number, how: number, evil: unknown): unknown {
  if (typeof value !== 'object' || value === null || how === 3) return evil
  const names = Object.keys(value)
  const name = names[place % Math.max(1, names.length)]
  if (name === undefined || how === 2) return Array.isArray(value) ? [...(value as unknown[]), evil] : { ...value, [['extra', 'tenant', 'userTier', 'userId', 'scopes', 'id'][place % 6] as string]: evil }
  if (how === 1 && !Array.isArray(value)) return Object.fromEntries(Object.entries(value).filter(([each]) => each !== name))
  const inner = (value as Record<string, unknown>)[name]
  const changed = typeof inner === 'object' && inner !== null && place % 3 > 0 ? mutate(inner, Math.floor(place / 3), how, evil) : evil
  return Array.isArray(value) ? (value as unknown[]).map((each, index) => (String(index) === name ? changed : each)) : { ...value, [name]: changed }
}

function textOf(value: unknown): string {
  return (JSON.stringify(value) ?? 'null').replaceAll(JSON.stringify(TOO_LARGE), '1e999')
}

function parameterValue({ name, required = false, schema = {}, in: place }: ApiParameter, path: string, fuzzing: Fuzzing): fc.Arbitrary<string | undefined> {
  const fits = fitting(schema, fuzzing).map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)))
  const about = path.split('/')[2] as string
  const sensible = name === 'session' ? ['session-1'] : ((place === 'path' ? (IDS[about] ?? fuzzing.ids[about]) : undefined) ?? SENSIBLE[name]?.map(String))
  const good = sensible === undefined ? fits : fc.constantFrom(...sensible)
  if (fuzzing.isTame) return required || place === 'path' ? good : rarely(5, good)
  const some = fc.oneof({ weight: 8, arbitrary: good }, { weight: 3, arbitrary: fits }, { weight: 1, arbitrary: evilText() }, { weight: 2, arbitrary: idText(fuzzing) })
  return required || place === 'path' ? some : rarely(3, some)
}

/** Once in so many times, else nothing; 1: never. */
function rarely<Value>(times: number, arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  return times === 1 ? fc.constant(undefined) : fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
}

function idText({ guesses }: Fuzzing): fc.Arbitrary<string> {
  // What there is to be guessed grows while requests are made.
  return fc.nat().map((at) => {
    const known = guesses()
    return known[at % known.length] as string
  })
}

function evilText(): fc.Arbitrary<string> {
  return fc.oneof({ weight: 3, arbitrary: fc.constantFrom<string>(...EVIL_TEXTS) }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) })
}

function evilValue(): fc.Arbitrary<unknown> {
  return fc.constantFrom(...EVIL_VALUES)
}

function encodeText(text: string): string {
  // A lone surrogate has no bytes in UTF-8: what a client sends then are bytes that are no text.
  return text.isWellFormed() ? encodeURIComponent(text) : '%ed%a0%80'
}

/** A segment of a path: dots alone, also encoded ones, are taken out by whoever reads an address, which makes it another operation's. */
function segment(text: string): string {
  if (text === '') return '%20'
  return /^\.{1,2}$/.test(text) ? `${text}%2f` : encodeText(text)
}

function setHeader(headers: Record<string, string>, name: string, value: string): void {
  try {
    // What no client can send is sent over a socket of its own.
    new Headers({ [name]: value })
    headers[name] = value
  } catch {
    headers[name] = 'x'
  }
}
