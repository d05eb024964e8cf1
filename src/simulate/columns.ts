// Which columns of somebody else's log mean what: cells by name, checked one by one, and the row named where one is none.

import { isId } from '../budget/index.js'
import { InvalidConfigError, InvalidRowError } from '../errors/index.js'
import { parseUsd } from '../money/index.js'
import { instantOfNumber, instantOfText } from './instants.js'
import type { LoggedAction } from './logged-call.js'

/** The fields that a column can stand for. */
export const FIELDS = [
  'time', 'endedAt', 'durationMs', 'durationSeconds', 'userId', 'tenant', 'tier', 'model', 'provider', 'sessionId', 'action',
  'inputTokens', 'outputTokens', 'maxOutputTokens', 'cost', 'estimatedCost',
] as const // prettier-ignore

/** One of {@link FIELDS}. */
export type Field = (typeof FIELDS)[number]

/** Columns by what they mean: the names in the header of a CSV, or the keys of JSON objects (`a.b` for the key b of the object a). */
export type ColumnMap = { readonly [field in Field | `scopes.${string}` | `metadata.${string}`]?: string }

/** What one row of somebody else's log says. */
export interface ForeignRow {
  readonly row: number
  readonly at: number
  readonly durationMs: number
  readonly userId: string | undefined
  readonly tenant: string | undefined
  readonly tier: string | undefined
  readonly model: string | undefined
  readonly provider: string | undefined
  readonly sessionId: string | undefined
  readonly action: LoggedAction | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly maxOutputTokens: number | undefined
  readonly microcents: number | undefined
  readonly estimatedMicrocents: number | undefined
  readonly scopes: Readonly<Record<string, string>> | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined
}

type Values = Partial<Record<Field, unknown>>
type Keyed = readonly (readonly [group: 'scopes' | 'metadata', key: string, column: string])[]

const ACTIONS: readonly string[] = ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']

/** Reads rows by a map of columns. */
export class Columns {
  readonly map: ColumnMap
  readonly #timeZone: string
  readonly #named: readonly (readonly [Field, string])[]
  readonly #keyed: Keyed

  /** Throws `InvalidConfigError` for a field that no request has, and for a map without `time`. */
  constructor(map: ColumnMap, timeZone: string) {
    this.map = map
    this.#timeZone = timeZone
    const named: [Field, string][] = []
    const keyed: ['scopes' | 'metadata', string, string][] = []
    for (const [field, column] of Object.entries(map)) {
      if (column === undefined) continue
      const [, group, key] = /^(scopes|metadata)\.(.+)$/.exec(field) ?? []
      if (group !== undefined && key !== undefined) keyed.push([group as 'scopes', key, column])
      else if ((FIELDS as readonly string[]).includes(field)) named.push([field as Field, column])
      else throw new InvalidConfigError(`map.${field}: is no field of a request. Use ${FIELDS.join(', ')}, or scopes.team, metadata.project and the like.`)
    }
    if (map.time === undefined) throw new InvalidConfigError('map.time: is missing. Name the column that says when a request was made.')
    this.#named = named
    this.#keyed = keyed
  }

  /** A reader of CSV rows under that header. Throws `InvalidConfigError` for a column that the header lacks. */
  under(header: readonly string[]): (row: number, cells: readonly string[]) => ForeignRow {
    const places = this.#named.map(([field, column]) => [field, placeOf(header, column, field)] as const)
    const keyed = this.#keyed.map(([group, key, column]) => [group, key, placeOf(header, column, `${group}.${key}`)] as const)
    const width = header.length
    return (row, cells) => {
      if (cells.length !== width) throw new InvalidRowError(row, `has ${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}, and the header has ${width}. The file may have been cut off, or a separator not quoted.`)
      const values: Values = {}
      for (const [field, place] of places) {
        const cell = (cells[place] as string).trim()
        if (cell !== '') values[field] = cell
      }
      return this.#read(row, values, (group) => gathered(keyed, group, (place) => cells[place] || undefined))
    }
  }

  /** Reads an object. */
  ofObject(row: number, object: Readonly<Record<string, unknown>>): ForeignRow {
    const values: Values = {}
    for (const [field, column] of this.#named) {
      const value = at(object, column)
      if (value !== undefined && value !== null && value !== '') values[field] = value
    }
    return this.#read(row, values, (group) => gathered(this.#keyed, group, (column) => at(object, column)))
  }

  #read(row: number, values: Values, keyed: (group: 'scopes' | 'metadata') => Record<string, unknown> | undefined): ForeignRow {
    const time = this.#instant(row, values, 'time')
    if (time === undefined) throw this.#wrong(row, 'time', undefined, 'is missing')
    const endedAt = this.#instant(row, values, 'endedAt')
    if (endedAt !== undefined && endedAt < time) throw this.#wrong(row, 'endedAt', values.endedAt, 'is before the request was made')
    const seconds = this.#duration(row, values, 'durationSeconds')
    const durationMs = endedAt === undefined ? (this.#duration(row, values, 'durationMs') ?? (seconds === undefined ? 0 : seconds * 1_000)) : endedAt - time
    const scopes = this.#keyed.length === 0 ? undefined : keyed('scopes')
    for (const [kind, id] of Object.entries(scopes ?? {})) if (!isId(id)) throw new InvalidRowError(row, `scopes.${kind}: ${JSON.stringify(id)} is no id. Ids are 1 to 256 visible characters.`)
    return {
      row,
      at: time,
      durationMs: Math.round(durationMs),
      userId: this.#id(row, values, 'userId'),
      tenant: this.#id(row, values, 'tenant'),
      tier: this.#id(row, values, 'tier'),
      model: this.#id(row, values, 'model'),
      provider: this.#id(row, values, 'provider'),
      sessionId: this.#id(row, values, 'sessionId'),
      action: this.#action(row, values),
      inputTokens: this.#count(row, values, 'inputTokens'),
      outputTokens: this.#count(row, values, 'outputTokens'),
      maxOutputTokens: this.#count(row, values, 'maxOutputTokens'),
      microcents: this.#usd(row, values, 'cost'),
      estimatedMicrocents: this.#usd(row, values, 'estimatedCost'),
      scopes: scopes as Record<string, string> | undefined,
      metadata: this.#keyed.length === 0 ? undefined : keyed('metadata'),
    }
  }

  #instant(row: number, values: Values, field: 'time' | 'endedAt'): number | undefined {
    const value = values[field]
    if (value === undefined) return undefined
    const instant = typeof value === 'string' ? instantOfText(value, this.#timeZone) : typeof value === 'number' ? instantOfNumber(value) : undefined
    if (instant !== undefined) return instant
    throw this.#wrong(row, field, value, 'is no time', "Give ISO 8601 such as '2026-01-31T18:15:46Z' or '2026-01-31 18:15:46.25+01:00' (zones by offset only), or seconds or milliseconds since 1970.")
  }

  #id(row: number, values: Values, field: Field): string | undefined {
    const value = values[field]
    if (value === undefined) return undefined
    const text = typeof value === 'number' ? String(value) : value
    if (isId(text)) return text
    throw this.#wrong(row, field, value, 'is no id', 'Ids are 1 to 256 visible characters.')
  }

  #count(row: number, values: Values, field: Field): number | undefined {
    const value = values[field]
    if (value === undefined) return undefined
    const count = typeof value === 'string' && /^\d+(\.0+)?$/.test(value) ? Number(value) : value
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) return count
    throw this.#wrong(row, field, value, 'is no count', 'Give a whole number of at least 0.')
  }

  #duration(row: number, values: Values, field: Field): number | undefined {
    const value = values[field]
    if (value === undefined) return undefined
    const length = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value
    if (typeof length === 'number' && length >= 0 && length < Infinity) return length
    throw this.#wrong(row, field, value, 'is no length of time', 'Give a number of at least 0.')
  }

  #usd(row: number, values: Values, field: Field): number | undefined {
    const value = values[field]
    if (value === undefined) return undefined
    try {
      return parseUsd(typeof value === 'string' ? value.replace(/^\$/, '') : value, field, 'round-up')
    } catch (cause) {
      throw this.#wrong(row, field, value, 'is no cost in USD', "Give a number of at least 0, such as '0.0125'.", cause)
    }
  }

  #action(row: number, values: Values): LoggedAction | undefined {
    const value = values.action
    if (value === undefined) return undefined
    if (typeof value === 'string' && ACTIONS.includes(value.toUpperCase())) return value.toUpperCase() as LoggedAction
    throw this.#wrong(row, 'action', value, 'is no action', `Use ${ACTIONS.join(', ')}.`)
  }

  #wrong(row: number, field: Field, value: unknown, why: string, remedy = 'Correct it, or leave such rows out with onBadRow: \'skip\'.', cause?: unknown): InvalidRowError {
    const column = this.map[field] as string
    return new InvalidRowError(row, `${field}${column === field ? '' : ` (column "${column}")`}: ${value === undefined ? '' : `${shown(value)} `}${why}. ${remedy}`, { cause })
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function placeOf(header: readonly string[], column: string, field: string): number {
  const place = header.findIndex((name) => name.trim() === column)
  if (place >= 0) return place
  throw new InvalidConfigError(`map.${field}: there is no column "${column}". The columns are ${header.map((name) => name.trim()).join(', ')}.`)
}

function gathered<Place>(keyed: readonly (readonly [group: string, key: string, place: Place])[], wanted: string, read: (place: Place) => unknown): Record<string, unknown> | undefined {
  let found: Record<string, unknown> | undefined
  for (const [group, key, place] of keyed) {
    const value = group === wanted ? read(place) : undefined
    if (value === undefined || value === null || value === '') continue
    found ??= {}
    found[key] = group === 'scopes' ? String(value) : value
  }
  return found
}

function at(object: Readonly<Record<string, unknown>>, path: string): unknown {
  if (Object.hasOwn(object, path)) return object[path]
  const dot = path.indexOf('.')
  if (dot < 0) return undefined
  const inner = Object.hasOwn(object, path.slice(0, dot)) ? object[path.slice(0, dot)] : undefined
  return typeof inner === 'object' && inner !== null ? at(inner as Record<string, unknown>, path.slice(dot + 1)) : undefined
}
