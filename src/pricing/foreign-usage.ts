// Reading what a provider's own usage object says: counts by name, absent where the provider is silent, refused where they are none.

import { InvalidAmountError, InvalidRequestError } from '../errors/index.js'
import { parseCount } from '../money/index.js'

/** An object of a provider's, by the path that it is shown under. */
export interface Foreign {
  readonly path: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** The object; throws `InvalidRequestError` with `remedy` for anything else. */
export function foreignObject(value: unknown, path: string, remedy: string): Foreign {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidRequestError(`${path}: ${value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value} is no usage. ${remedy}`)
  }
  return { path, fields: value as Record<string, unknown> }
}

/** An object inside it, empty where it is absent or null. */
export function inside({ path, fields }: Foreign, name: string): Foreign {
  const value = fields[name] ?? undefined
  return value === undefined ? { path: `${path}.${name}`, fields: {} } : foreignObject(value, `${path}.${name}`, 'Give the object as the provider gave it.')
}

/** A count; `undefined` where it is absent or null. Throws `InvalidAmountError`. */
export function count({ path, fields }: Foreign, name: string): number | undefined {
  const value = fields[name] ?? undefined
  return value === undefined ? undefined : parseCount(value, `${path}.${name}`)
}

/** A count that has to be there. Throws `InvalidRequestError` where it is not. */
export function neededCount(foreign: Foreign, name: string, remedy: string): number {
  const found = count(foreign, name)
  if (found === undefined) throw new InvalidRequestError(`${foreign.path}.${name}: is missing. ${remedy}`)
  return found
}

/** The sum of counts. Throws `InvalidAmountError` where it is not an exact integer. */
export function sum(path: string, ...counts: readonly number[]): number {
  const total = counts.reduce((a, b) => a + b, 0)
  if (!Number.isSafeInteger(total)) throw new InvalidAmountError(`${path}: the counts come to more than 2^53 − 1. Give the usage of a single call.`)
  return total
}

/** Only the fields that are there. */
export function present<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields
}
