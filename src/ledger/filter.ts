// Which entries somebody asks for: conditions on any field, checked once, and tried on an entry. Knows no database: a sink that can
// ask its own does what is written here.

import { z } from 'zod'
import { InvalidAmountError, InvalidRequestError } from '../errors/index.js'
import { parseUsd, type Usd } from '../money/index.js'
import { assertInstant } from '../time/index.js'
import { actionOf, type LedgerEntry, type LedgerKind } from './entry.js'

/** The fields of an entry that have a name, and a text to compare. */
export const NAMED_FIELDS = [
  'id', 'kind', 'decisionId', 'tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'action', 'reason', 'priceVersion',
] as const // prettier-ignore

/** The fields that hold several values under keys of the application's own. */
export const KEYED_FIELDS = ['scopes', 'metadata', 'labels'] as const

/** One of {@link NAMED_FIELDS}. */
export type NamedField = (typeof NAMED_FIELDS)[number]

/**
 * A field of an entry by which it is found or summed: a name, or `metadata.project`, `scopes.team`, `labels.cached` (what follows the first
 * dot is the key, dots and all). Its value is a text: numbers and booleans as JSON writes them, objects and lists have none.
 */
export type EntryField = NamedField | `${(typeof KEYED_FIELDS)[number]}.${string}`

/** A point in time: a `Date`, or milliseconds since the epoch. */
export type Moment = Date | number

/** Bounds of an amount, both included. */
export interface AmountRange<Amount = number> {
  readonly atLeast?: Amount | undefined
  readonly atMost?: Amount | undefined
}

/** Which entries: all conditions must hold. */
export interface EntryFilter {
  /** By when it was written; `from` is included, `until` is not. */
  readonly from?: Moment | undefined
  readonly until?: Moment | undefined
  /** By when its hold was opened; what has no hold is left out. */
  readonly openedFrom?: Moment | undefined
  readonly openedUntil?: Moment | undefined
  /** By field: a text, one of several, or `null` for entries without that field. */
  readonly where?: { readonly [field in EntryField]?: string | null | readonly (string | null)[] | undefined } | undefined
  /** What was charged, in USD. Refunds are negative, and below every bound. */
  readonly cost?: AmountRange<Usd> | undefined
  /** What had been held, in USD. */
  readonly estimatedCost?: AmountRange<Usd> | undefined
  readonly tokens?: AmountRange | undefined
}

/** One condition on a field: it has one of the texts, or (`orNone`) none. */
export interface FieldCondition {
  readonly field: EntryField
  readonly texts: readonly string[]
  readonly orNone: boolean
}

/** The numbers of an entry that a filter can bound. */
export type BoundedField = 'at' | 'openedAt' | 'microcents' | 'estimatedMicrocents' | 'tokens'

/** One bound, included: what has no such number is left out. */
export interface Bound {
  readonly field: BoundedField
  readonly least: number
  readonly most: number
}

/** A filter that was checked: a list of conditions, in integers. */
export interface Conditions {
  readonly fields: readonly FieldCondition[]
  readonly bounds: readonly Bound[]
}

/** Everything. */
export const ALL_ENTRIES: Conditions = Object.freeze({ fields: Object.freeze([]), bounds: Object.freeze([]) })

/** The texts that some fields have, and no others. */
const KNOWN_TEXTS: { readonly [field in EntryField]?: readonly string[] } = {
  kind: ['settled', 'released', 'expired', 'recorded', 'corrected', 'denied', 'configured'] satisfies LedgerKind[],
  action: ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'] satisfies ReturnType<typeof actionOf>[],
}

const moment = z.union([z.date(), z.number()])
const amount = z.union([z.number(), z.string()])
const range = z.strictObject({ atLeast: amount.optional(), atMost: amount.optional() })
const text = z.union([z.string(), z.null()])
const schema = z.strictObject({
  from: moment.optional(),
  until: moment.optional(),
  openedFrom: moment.optional(),
  openedUntil: moment.optional(),
  where: z.record(z.string(), z.union([text, z.array(text)]).optional()).optional(),
  cost: range.optional(),
  estimatedCost: range.optional(),
  tokens: range.optional(),
})

/** Checks a filter. Throws `InvalidRequestError` or `InvalidAmountError` with the field, the value and what would be right. */
export function parseFilter(filter: EntryFilter = {}): Conditions {
  const parsed = schema.safeParse(filter)
  if (!parsed.success) {
    const { path = [], message = 'is no filter' } = parsed.error.issues[0] ?? {}
    const value = path.reduce<unknown>((of, key) => (of as Readonly<Record<PropertyKey, unknown>> | undefined)?.[key], filter)
    throw new InvalidRequestError(`${['filter', ...path].join('.')}: ${shown(value)} is refused (${message}). ${remedyFor(path)}.`)
  }
  const { from, until, openedFrom, openedUntil, where = {}, cost, estimatedCost, tokens } = filter
  const fields: FieldCondition[] = []
  for (const [field, wanted] of Object.entries(where)) {
    if (wanted === undefined) continue
    const all: readonly (string | null)[] = Array.isArray(wanted) ? wanted : [wanted as string | null]
    const texts = all.filter((each) => each !== null)
    fields.push({ field: parseField(field, `filter.where.${field}`), texts: knownTexts(field as EntryField, texts), orNone: all.includes(null) })
  }
  const bounds: Bound[] = []
  const bound = (field: BoundedField, least: number | undefined, most: number | undefined): void => {
    if (least !== undefined || most !== undefined) bounds.push({ field, least: least ?? -Infinity, most: most ?? Infinity })
  }
  bound('at', ...timeRange(from, until, 'filter.from', 'filter.until'))
  bound('openedAt', ...timeRange(openedFrom, openedUntil, 'filter.openedFrom', 'filter.openedUntil'))
  bound('microcents', ...amountRange(cost, 'filter.cost', usdOf))
  bound('estimatedMicrocents', ...amountRange(estimatedCost, 'filter.estimatedCost', usdOf))
  bound('tokens', ...amountRange(tokens, 'filter.tokens', countOf))
  return fields.length === 0 && bounds.length === 0 ? ALL_ENTRIES : { fields, bounds }
}

/** Checks the name of a field. Throws `InvalidRequestError` for one that no entry has. */
export function parseField(name: unknown, what = 'field'): EntryField {
  if (typeof name === 'string') {
    if ((NAMED_FIELDS as readonly string[]).includes(name)) return name as EntryField
    const [field, key] = keyed(name)
    if (key !== '' && (KEYED_FIELDS as readonly string[]).includes(field)) return name as EntryField
  }
  throw new InvalidRequestError(`${what}: ${JSON.stringify(name)} is no field of an entry. Use ${NAMED_FIELDS.join(', ')}, or a key such as ${KEYED_FIELDS.map((field) => `${field}.name`).join(', ')}.`)
}

/** A point in time in whole milliseconds, rounded up: entries are at whole ones, and a bound between two lies above the lower. Throws `InvalidRequestError` for what is none. */
export function momentOf(value: Moment | undefined, what: string): number | undefined {
  if (value === undefined) return undefined
  const instant = value instanceof Date ? value.getTime() : value
  try {
    return assertInstant(Math.ceil(instant), what)
  } catch (cause) {
    throw new InvalidRequestError(`${what}: ${String(value)} is no point in time. Give a Date, or milliseconds since the epoch.`, { cause })
  }
}

/** The part before the first dot, and the key after it (empty where there is none). */
export function keyed(field: string): readonly [field: string, key: string] {
  const dot = field.indexOf('.')
  return dot < 0 ? [field, ''] : [field.slice(0, dot), field.slice(dot + 1)]
}

/** The text of a field of an entry; `undefined` where it has none. */
export function textOf(entry: LedgerEntry, field: EntryField): string | undefined {
  switch (field) {
    case 'action':
      return actionOf(entry)
    case 'priceVersion':
      return entry.details?.priceVersion
    case 'userId':
      return entry.userId === '' ? undefined : entry.userId
    default: {
      if (!field.includes('.')) return entry[field as 'tenant']
      const [name, key] = keyed(field)
      const holder = name === 'labels' ? entry.details?.labels : (entry[name as 'scopes' | 'metadata'] as Readonly<Record<string, unknown>> | undefined)
      const value = holder !== undefined && Object.hasOwn(holder, key) ? holder[key] : undefined
      if (typeof value === 'string') return value
      return (typeof value === 'number' && Number.isFinite(value)) || typeof value === 'boolean' ? String(value) : undefined
    }
  }
}

/** True for an entry of which all conditions hold. */
export function matches(entry: LedgerEntry, { fields, bounds }: Conditions): boolean {
  for (const { field, least, most } of bounds) {
    const value = entry[field]
    if (value === undefined || value < least || value > most) return false
  }
  return fields.every(({ field, texts, orNone }) => {
    const found = textOf(entry, field)
    return found === undefined ? orNone : texts.includes(found)
  })
}

/** A value as a message names it. */
export function shown(value: unknown): string {
  if (typeof value === 'string' || (typeof value === 'object' && value !== null && !(value instanceof Date))) {
    try {
      return JSON.stringify(value)
    } catch {
      return 'an object'
    }
  }
  return String(value)
}

function remedyFor([field, within]: readonly PropertyKey[]): string {
  switch (field) {
    case 'from':
    case 'until':
    case 'openedFrom':
    case 'openedUntil':
      return 'Give a Date, or milliseconds since the epoch'
    case 'cost':
    case 'estimatedCost':
    case 'tokens':
      return 'Give { atLeast, atMost }, or one of them'
    case 'where':
      return within === undefined ? "Give texts by field: { tenant: 'acme' }" : 'Give a text, several, or null for entries without that field'
    default:
      return 'Use from, until, openedFrom, openedUntil, where, cost, estimatedCost and tokens'
  }
}

function knownTexts(field: EntryField, texts: readonly string[]): readonly string[] {
  const known = KNOWN_TEXTS[field]
  const other = known && texts.find((each) => !known.includes(each))
  if (other !== undefined) throw new InvalidRequestError(`filter.where.${field}: ${shown(other)} is none that an entry has. Use ${known?.join(', ')}.`)
  return texts
}

/** From the first instant to the last one before the end. */
function timeRange(from: Moment | undefined, until: Moment | undefined, first: string, end: string): readonly [number | undefined, number | undefined] {
  const [least, most] = [momentOf(from, first), momentOf(until, end)]
  if (least !== undefined && most !== undefined && least >= most) {
    throw new InvalidRequestError(`${end}: ${new Date(most).toISOString()} is not after ${first}, ${new Date(least).toISOString()}. Give an end that comes later; it is not included.`)
  }
  return [least, most === undefined ? undefined : most - 1]
}

function amountRange<Amount>(bounds: AmountRange<Amount> | undefined, what: string, read: (value: Amount | undefined, what: string) => number | undefined): readonly [number | undefined, number | undefined] {
  const [least, most] = [read(bounds?.atLeast, `${what}.atLeast`), read(bounds?.atMost, `${what}.atMost`)]
  if (least !== undefined && most !== undefined && least > most) {
    throw new InvalidRequestError(`${what}.atMost: ${shown(bounds?.atMost)} is less than ${what}.atLeast, ${shown(bounds?.atLeast)}. Give a bound that is not lower; both are included.`)
  }
  return [least, most]
}

function usdOf(value: Usd | undefined, what: string): number | undefined {
  return value === undefined ? undefined : parseUsd(value, what, 'refuse')
}

function countOf(value: unknown, what: string): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isSafeInteger(value))) return value
  throw new InvalidAmountError(`${what}: ${JSON.stringify(value)} is no count of tokens. Give a whole number.`)
}
