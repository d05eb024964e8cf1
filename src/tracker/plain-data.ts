// Data that travels with a request and is kept: copied and checked at the edge, so that what is stored later can be written, read
// and compared, and nobody changes it from outside.

import { InvalidRequestError } from '../errors/index.js'

/** How deep metadata may be nested; a structure that contains itself is deeper than any. */
const DEEPEST = 16

/**
 * A frozen copy of plain data: strings, finite numbers, booleans, null, arrays and plain objects; dates become ISO 8601 strings.
 * Throws `InvalidRequestError` with the path of anything else.
 */
export function plainData(value: unknown, field: string, depth = 0): unknown {
  if (depth > DEEPEST) throw refused(field, `is nested more than ${DEEPEST} deep, or contains itself`)
  if (value === null || value === undefined || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value
    throw refused(field, `${value} is no finite number`)
  }
  if (typeof value !== 'object') throw refused(field, `is a ${typeof value}`)
  if (value instanceof Date) {
    if (!Number.isNaN(value.getTime())) return value.toISOString()
    throw refused(field, 'is an invalid date')
  }
  if (Array.isArray(value)) return Object.freeze(value.map((inner, index) => plainData(inner, `${field}.${index}`, depth + 1)))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw refused(field, 'is an object of a class')
  if (Object.hasOwn(value, '__proto__')) throw prototypeKey(field)
  const copy = Object.entries(value).map(([key, inner]) => [key, plainData(inner, `${field}.${key}`, depth + 1)])
  return Object.freeze(Object.fromEntries(copy))
}

/**
 * Throws `InvalidRequestError` where `scopes` or `metadata` have a key of their own named `__proto__`: copies would lose it, and what it
 * holds, without a word.
 */
export function assertNoPrototypeKey(request: unknown): void {
  for (const field of ['scopes', 'metadata']) {
    const value: unknown = (request as Readonly<Record<string, unknown>> | null | undefined)?.[field]
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__')) throw prototypeKey(field)
  }
}

function prototypeKey(field: string): InvalidRequestError {
  return new InvalidRequestError(`${field}.__proto__: is no key that can be kept. Use another name.`)
}

function refused(field: string, why: string): InvalidRequestError {
  return new InvalidRequestError(`${field}: ${why}. Use plain data: strings, numbers, booleans, null, arrays and plain objects.`)
}
