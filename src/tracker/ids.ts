// Ids and fingerprints: which operation is a repeat of which. Ids for what callers give no id for: unique across processes by a random part, and within one by a count.

import { InvalidRequestError } from '../errors/index.js'

const RADIX = 36
const LAST_DIGITS = Array.from({ length: RADIX * RADIX }, (_, index) => index.toString(RADIX).padStart(2, '0'))
/** With the last two, enough for 78 thousand million ids of equal length: they sort in the order in which they were made. */
const FIRST_DIGITS = 5

let prefix: string | undefined
let head = ''
let rounds = 0
let last = LAST_DIGITS.length

/** A new id. The random part has 96 bits and is drawn once for each process. */
export function newId(): string {
  // Every request takes an id: writing the whole count out each time would take as long as finding its windows.
  if (last === LAST_DIGITS.length) {
    prefix ??= randomPart()
    head = `${prefix}-${rounds.toString(RADIX).padStart(FIRST_DIGITS, '0')}`
    rounds += 1
    last = 0
  }
  const id = head + (LAST_DIGITS[last] as string)
  last += 1
  return id
}

function randomPart(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12))
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_')
}

/**
 * The caller's arguments as one string, whatever the order of their fields: what a repeat with the same id is compared with.
 * Throws `InvalidRequestError` for what cannot be written as JSON.
 */
export function fingerprintOf(operation: string, given: unknown): string {
  try {
    return JSON.stringify([operation, sorted(given)])
  } catch (cause) {
    throw new InvalidRequestError(`metadata: cannot be written as JSON (${String(cause)}). Use plain data.`, { cause })
  }
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || 'toJSON' in value) return value
  if (Array.isArray(value)) return value.map(sorted)
  const inOrder: Record<string, unknown> = {}
  for (const key of Object.keys(value).sort()) {
    const inner = sorted((value as Readonly<Record<string, unknown>>)[key])
    if (key === '__proto__') Object.defineProperty(inOrder, key, { value: inner, enumerable: true })
    else inOrder[key] = inner
  }
  return inOrder
}
