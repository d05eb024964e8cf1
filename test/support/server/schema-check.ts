// Whether a value is what a JSON schema of the service's description says. A small checker of its own: it must not be the code that made
// the description.

import type { JsonSchema } from '../../../src/server/description/openapi.js'

/** Gives a schema of the document by the name that a `$ref` has. */
export type FindSchema = (ref: string) => JsonSchema

/** What is wrong: `items.0.cost: is "1", and should be number`; `undefined`: nothing. */
export function misfit(schema: JsonSchema, value: unknown, find: FindSchema, path = ''): string | undefined {
  const wrong = (should: string): string => `${path === '' ? 'the body' : path}: is ${JSON.stringify(value)?.slice(0, 200)}, and should be ${should}`
  if (schema.$ref !== undefined) return misfit(find(schema.$ref), value, find, path)
  if (schema.allOf !== undefined) for (const part of schema.allOf) {
    const found = misfit(part, value, find, path)
    if (found !== undefined) return found
  }
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) {
    const found = choices.map((choice) => misfit(choice, value, find, path))
    if (found.every((each) => each !== undefined)) return found.join('; or ')
  }
  if (schema.const !== undefined && value !== schema.const) return wrong(JSON.stringify(schema.const))
  if (schema.enum !== undefined && !schema.enum.includes(value)) return wrong(`one of ${JSON.stringify(schema.enum)}`)
  const types = schema.type === undefined ? undefined : typeof schema.type === 'string' ? [schema.type] : schema.type
  if (types !== undefined && !types.some((type) => isOfType(type, value))) return wrong(types.join(' or '))
  if (typeof value === 'number') return misfitNumber(schema, value) ? wrong(`within ${schema.minimum ?? schema.exclusiveMinimum} and ${schema.maximum ?? schema.exclusiveMaximum}`) : undefined
  if (typeof value === 'string') return misfitText(schema, value) ? wrong(`a text of ${schema.minLength ?? 0} to ${schema.maxLength ?? 'any'} characters ${schema.pattern ?? ''} ${schema.format ?? ''}`) : undefined
  if (Array.isArray(value)) {
    if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? Infinity)) return wrong(`a list of ${schema.minItems ?? 0} to ${schema.maxItems ?? 'any'}`)
    return firstOf(value.entries(), ([index, item]) => misfit(schema.prefixItems?.[index] ?? schema.items ?? {}, item, find, inside(path, index)))
  }
  if (typeof value === 'object' && value !== null) return misfitObject(schema, value as Record<string, unknown>, find, path)
  return undefined
}

function misfitObject({ properties = {}, required = [], additionalProperties }: JsonSchema, value: Readonly<Record<string, unknown>>, find: FindSchema, path: string): string | undefined {
  const missing = required.find((name) => !Object.hasOwn(value, name))
  if (missing !== undefined) return `${inside(path, missing)}: is missing`
  return firstOf(Object.entries(value), ([name, item]) => {
    const known = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (known !== undefined) return misfit(known, item, find, inside(path, name))
    if (additionalProperties === false) return `${inside(path, name)}: is in no description`
    return typeof additionalProperties === 'object' ? misfit(additionalProperties, item, find, inside(path, name)) : undefined
  })
}

function isOfType(type: string, value: unknown): boolean {
  if (type === 'null') return value === null
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
  if (type === 'integer') return Number.isInteger(value)
  return typeof value === type
}

function misfitNumber({ minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity }: JsonSchema, value: number): boolean {
  return value < minimum || value > maximum || value <= exclusiveMinimum || value >= exclusiveMaximum
}

function misfitText({ minLength = 0, maxLength = Infinity, pattern, format }: JsonSchema, value: string): boolean {
  if (value.length < minLength || value.length > maxLength) return true
  if (format === 'date-time') return !/^\d{4,}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(value)
  return pattern !== undefined && !new RegExp(pattern, 'u').test(value)
}

function firstOf<Item>(items: Iterable<Item>, ask: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const found = ask(item)
    if (found !== undefined) return found
  }
  return undefined
}

function inside(path: string, name: string | number): string {
  return path === '' ? String(name) : `${path}.${name}`
}
