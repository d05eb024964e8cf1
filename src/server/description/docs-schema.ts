// JSON schemas for people: the fields of an object, what each may be, and in which unit. Pure; knows nothing of pages.

import type { JsonSchema } from './openapi.js'

/** One field, or one of a field within: `usage.inputTokens`, `items[].id`. */
export interface FieldRow {
  readonly name: string
  /** `string`, `integer ≥ 0`, `"daily" | "weekly"`; names of schemas stand in it as they are. */
  readonly shape: string
  readonly isRequired: boolean
  /** `USD`, `microcents`, `ms`, `%`, `tokens`; empty: none. */
  readonly unit: string
  readonly description: string
  /** The schema of the document that it is, or has. */
  readonly schemaName: string | undefined
}

/** How deep fields within fields are told. What is deeper is told by its shape. */
const DEEPEST = 3

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/microcents$/i, 'microcents'],
  [/(Ms|^ttl|Ttl)$/, 'ms'],
  [/(Pct|_pct)$/, '%'],
  [/(_usd|usd|[cC]ost|overage)$/i, 'USD'],
  [/tokens$/i, 'tokens'],
]

/** The fields of an object, in their order; a list has those of its items. */
export function fieldsOf(schema: JsonSchema, prefix = '', depth = 0): FieldRow[] {
  const { properties = {}, required = [], items } = schema
  if (items !== undefined && items.$ref === undefined && depth < DEEPEST) return fieldsOf(items, `${prefix}[]`, depth + 1)
  const parts = [...(schema.allOf ?? []), ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(({ $ref }) => $ref === undefined)
  const own = Object.entries(properties).flatMap(([name, field]) => {
    const whole = `${prefix}${prefix === '' ? '' : '.'}${name}`
    const row = { name: whole, shape: shapeOf(field), isRequired: required.includes(name), unit: unitOf(name, field), description: field.description ?? '', schemaName: schemaNameOf(field) }
    return depth < DEEPEST ? [row, ...fieldsOf(field, whole, depth + 1)] : [row]
  })
  const rows = [...own, ...parts.flatMap((part) => fieldsOf(part, prefix, depth))]
  return rows.filter(({ name }, index) => rows.findIndex((other) => other.name === name) === index)
}

/** What a value may be, in one line. */
export function shapeOf(schema: JsonSchema): string {
  const { $ref, type, const: constant, enum: values, items, prefixItems, additionalProperties, pattern } = schema
  if ($ref !== undefined) return nameOfRef($ref)
  if (constant !== undefined) return JSON.stringify(constant)
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' | ')
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) return [...new Set(choices.map(shapeOf))].join(' | ')
  if (schema.allOf !== undefined) return schema.allOf.map(shapeOf).join(' & ')
  if (prefixItems !== undefined) return `[${prefixItems.map(shapeOf).join(', ')}]`
  if (items !== undefined) return `list of ${shapeOf(items)}${rangeOf(schema.minItems, schema.maxItems)}`
  const names = type === undefined ? ['anything'] : typeof type === 'string' ? [type] : type
  const bounds = rangeOf(schema.minimum, schema.maximum) + (schema.exclusiveMinimum === undefined ? '' : ` > ${schema.exclusiveMinimum}`) + (schema.exclusiveMaximum === undefined ? '' : ` < ${schema.exclusiveMaximum}`)
  const length = schema.minLength === undefined && schema.maxLength === undefined ? '' : `${rangeOf(schema.minLength, schema.maxLength)} characters`
  const values_ = typeof additionalProperties === 'object' ? ` of ${shapeOf(additionalProperties)}` : ''
  return `${names.join(' | ')}${schema.format === undefined ? '' : ` (${schema.format})`}${bounds}${length}${pattern === undefined || schema.format !== undefined ? '' : `, as ${pattern}`}${values_}`
}

/** `#/components/schemas/Problem` is `Problem`. */
export function nameOfRef(ref: string): string {
  return ref.split('/').at(-1) ?? ref
}

function schemaNameOf(schema: JsonSchema): string | undefined {
  if (schema.$ref !== undefined) return nameOfRef(schema.$ref)
  const inner = [schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].find((each) => each !== undefined && schemaNameOf(each) !== undefined)
  return inner === undefined ? undefined : schemaNameOf(inner)
}

function unitOf(name: string, schema: JsonSchema): string {
  const isNumber = /number|integer/.test(shapeOf(schema))
  return isNumber || /"?string"?/.test(shapeOf(schema)) ? (UNITS.find(([pattern]) => pattern.test(name) && (isNumber || /cost|usd/i.test(name)))?.[1] ?? '') : ''
}

function rangeOf(least: number | undefined, most: number | undefined): string {
  // The bounds that every safe integer has say nothing.
  const [low, high] = [least === undefined || least <= Number.MIN_SAFE_INTEGER ? undefined : least, most === undefined || most >= Number.MAX_SAFE_INTEGER ? undefined : most]
  if (low !== undefined && high !== undefined) return ` ${low} to ${high}`
  if (low !== undefined) return ` ≥ ${low}`
  return high === undefined ? '' : ` ≤ ${high}`
}
