// What is asked of a ledger, in SQL: text and parameters for the databases that keep entries in a table. Decides what the words of a
// filter mean there, and nothing else: connections, tables and what a driver gives back are the drivers'.

import { keyed, type Bound, type BoundedField, type Conditions, type EntryField, type FieldCondition, type NamedField } from './filter.js'
import type { EntrySum } from './source.js'

/** A statement with its parameters. */
export interface Sql {
  readonly text: string
  readonly parameters: readonly (string | number)[]
}

/** Adds a parameter, and gives what stands for it in the text. */
export type AddParameter = (value: string | number) => string

/** In what one database differs from another. */
export interface Dialect {
  /** What stands for a parameter; the first has the number 1. They are added in the order in which they stand in the text. */
  parameter(number: number): string
  /** The JSON text, to the letter as `JSON.stringify` wrote it, of what stands under keys within keys of a column of JSON; NULL where nothing does. */
  jsonAt(column: string, keys: readonly string[], add: AddParameter): string
  /** True where an expression of text, which is not NULL, is one of some texts (at least one). */
  oneOf(expression: string, texts: readonly string[], add: AddParameter): string
  /** The exact sum of a column of integers, as a text. */
  sum(column: string): string
}

/** A query of sums, and which stretches of time its rows speak of. */
export interface SumsSql extends Sql {
  /** What to add to the bucket of a row. */
  readonly firstBucket: number
}

/** A row of a {@link SumsSql}: `bucket` where there are several, `text0`, `text1`, … by field; what is counted as a number or its text. */
export type SumsRow = Readonly<Record<string, unknown>>

const COLUMNS: Readonly<Record<Exclude<NamedField, 'action' | 'priceVersion'> | BoundedField, string>> = {
  id: 'id',
  kind: 'kind',
  decisionId: 'decision_id',
  tenant: 'tenant',
  // Empty for what concerns no user: it has none.
  userId: "nullif(user_id, '')",
  tier: 'tier',
  sessionId: 'session_id',
  provider: 'provider',
  requestedModel: 'requested_model',
  model: 'model',
  reason: 'reason',
  at: 'at',
  openedAt: 'opened_at',
  microcents: 'microcents',
  estimatedMicrocents: 'estimated_microcents',
  tokens: 'tokens',
}

/** Above so many runs of stretches of one length, more than one query is asked. */
const MOST_RUNS = 1_024

/**
 * A query for a page: `columns` of the entries with a `seq` above `after` that match, in the order of `seq`, at most `limit` of them.
 * `table` may say more than a name, such as which index not to use; `until` is the last `seq` that is looked at.
 */
export function pageSql(dialect: Dialect, table: string, columns: string, conditions: Conditions, limit: number, after: number | string, until?: number): Sql {
  const parameters = new Parameters(dialect)
  const where = [`seq > ${parameters.add(after)}`, ...(until === undefined ? [] : [`seq <= ${parameters.add(until)}`]), ...conditionsSql(dialect, conditions, parameters.add)]
  return { text: `SELECT ${columns} FROM ${table} WHERE ${where.join(' AND ')} ORDER BY seq LIMIT ${parameters.add(limit)}`, parameters: parameters.all }
}

/**
 * Queries that together give the sums of the entries that match, and of which `only` (SQL without parameters) is true: each reads the
 * entries of its stretches of time once, and one does for thousands of hours or days: only where the clock changes do they differ in
 * length. None where `boundaries` leave no stretch. What their rows mean: {@link GroupedSums}.
 */
export function sumsSql(dialect: Dialect, table: string, conditions: Conditions, by: readonly EntryField[], boundaries: readonly number[], only?: string): readonly SumsSql[] {
  // An instant is whole: what begins between two of them begins at the later.
  const bounds = boundaries.map(Math.ceil)
  if (bounds.length === 0) return [oneSumsSql(dialect, table, conditions, by, [], [], 0, only)]
  const runs = runsOf(bounds)
  const queries: SumsSql[] = []
  for (let first = 0; first < runs.length; first += MOST_RUNS) {
    const some = runs.slice(first, first + MOST_RUNS)
    const [from, to] = [(some[0] as Run).first, (some.at(-1) as Run).end]
    queries.push(oneSumsSql(dialect, table, conditions, by, bounds.slice(from, to + 1), some, from, only))
  }
  return queries
}

function oneSumsSql(dialect: Dialect, table: string, conditions: Conditions, by: readonly EntryField[], bounds: readonly number[], runs: readonly Run[], firstBucket: number, only: string | undefined): SumsSql {
  const parameters = new Parameters(dialect)
  const groups: string[] = []
  if (bounds.length > 2) groups.push(`${searchSql(runs, firstBucket, 0, runs.length)} AS bucket`)
  for (const [index, field] of by.entries()) groups.push(`${textSql(dialect, field, parameters.add)} AS text${index}`)
  const sums = [
    'count(*) AS entries',
    // One comparison for most entries: a list would be looked through for each.
    "sum(CASE WHEN calls IS NOT NULL THEN calls ELSE CASE kind WHEN 'settled' THEN 1 WHEN 'recorded' THEN 1 WHEN 'expired' THEN 1 ELSE 0 END END) AS calls",
    "count(CASE kind WHEN 'denied' THEN 1 END) AS denials",
    `${dialect.sum('tokens')} AS tokens`,
    `${dialect.sum('microcents')} AS microcents`,
  ]
  const where = conditionsSql(dialect, conditions, parameters.add)
  // Where `only` says which entries are looked at, it is by that an index finds them.
  const at = only === undefined ? 'at' : '+at'
  if (bounds.length > 0) where.unshift(`${at} >= ${bounds[0]} AND ${at} < ${bounds.at(-1)}`)
  if (only !== undefined) where.unshift(only)
  const whereSql = where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`
  // By number: an expression with parameters is not the same when it stands in two places.
  const groupSql = groups.length === 0 ? ' HAVING count(*) > 0' : ` GROUP BY ${groups.map((_, index) => index + 1).join(', ')}`
  return { text: `SELECT ${[...groups, ...sums].join(', ')} FROM ${table}${whereSql}${groupSql}`, parameters: parameters.all, firstBucket }
}

/** What the rows of queries say, by the same `by` that they were made for. */
export function sumsOfRows(by: readonly EntryField[], answers: Iterable<readonly [query: SumsSql, rows: readonly SumsRow[]]>): readonly EntrySum[] {
  const sums = new GroupedSums(by)
  for (const [query, rows] of answers) sums.add(query, rows)
  return sums.all
}

/** Rows of queries by the same `by`, group by group: those of one group, whichever queries gave them, are one sum. */
export class GroupedSums {
  readonly #isJson: readonly boolean[]
  readonly #sums = new Map<string, EntrySum>()

  constructor(by: readonly EntryField[]) {
    this.#isJson = by.map(isJson)
  }

  add({ firstBucket }: SumsSql, rows: readonly SumsRow[]): void {
    for (const row of rows) {
      const bucket = firstBucket + Number(row['bucket'] ?? 0)
      const texts = this.#isJson.map((json, index) => textOfColumn(row[`text${index}`], json))
      const sum = {
        bucket, texts, entries: Number(row['entries']), calls: Number(row['calls']), denials: Number(row['denials']),
        tokens: BigInt(row['tokens'] as string), microcents: BigInt(row['microcents'] as string),
      } // prettier-ignore
      const key = JSON.stringify([bucket, ...texts.map((text) => text ?? null)])
      const known = this.#sums.get(key)
      // The number 5 and the text '5' are one text, and two groups of a database's.
      this.#sums.set(key, known === undefined ? sum : both(known, sum))
    }
  }

  get all(): readonly EntrySum[] {
    return [...this.#sums.values()]
  }
}

function both(one: EntrySum, other: EntrySum): EntrySum {
  return {
    ...one, entries: one.entries + other.entries, calls: one.calls + other.calls, denials: one.denials + other.denials,
    tokens: one.tokens + other.tokens, microcents: one.microcents + other.microcents,
  } // prettier-ignore
}

/** What must be true of an entry that matches. */
export function conditionsSql(dialect: Dialect, { fields, bounds }: Conditions, add: AddParameter): string[] {
  return [...bounds.map((bound) => boundSql(bound, add)), ...fields.map((condition) => fieldSql(dialect, condition, add))]
}

function boundSql({ field, least, most }: Bound, add: AddParameter): string {
  const column = COLUMNS[field]
  const all = [
    ...(Number.isFinite(least) ? [`${column} >= ${add(Math.ceil(least))}`] : []),
    ...(Number.isFinite(most) ? [`${column} <= ${add(Math.floor(most))}`] : []),
  ]
  if (least === Infinity || most === -Infinity) return '1 = 0'
  return all.length === 0 ? `${column} IS NOT NULL` : all.join(' AND ')
}

function fieldSql(dialect: Dialect, { field, texts, orNone }: FieldCondition, add: AddParameter): string {
  const wanted = [...new Set(isJson(field) ? texts.flatMap(jsonTexts) : texts)]
  const any = [
    ...(orNone ? [`${textSql(dialect, field, add)} IS NULL`] : []),
    ...(wanted.length > 0 ? [dialect.oneOf(valueSql(dialect, field, add), wanted, add)] : []),
  ]
  return any.length === 0 ? '1 = 0' : `(${any.join(' OR ')})`
}

/** The value of a field: its text, or of what is kept in JSON its JSON, which need not be a text. */
function valueSql(dialect: Dialect, field: EntryField, add: AddParameter): string {
  switch (field) {
    case 'action':
      return `CASE WHEN kind = 'denied' THEN '"BLOCK"' ELSE ${dialect.jsonAt('details', ['action'], add)} END`
    case 'priceVersion':
      return dialect.jsonAt('details', ['priceVersion'], add)
    default: {
      if (!isJson(field)) return COLUMNS[field as 'tenant']
      const [name, key] = keyed(field)
      return name === 'labels' ? dialect.jsonAt('details', ['labels', key], add) : dialect.jsonAt(name, [key], add)
    }
  }
}

/** The same, NULL where it is no text. */
function textSql(dialect: Dialect, field: EntryField, add: AddParameter): string {
  const value = valueSql(dialect, field, add)
  // Objects, lists and null have none.
  return isJson(field) ? `CASE WHEN substr(${value}, 1, 1) IN ('{', '[', 'n') THEN NULL ELSE ${valueSql(dialect, field, add)} END` : value
}

/** True for a field that is kept in JSON. */
function isJson(field: EntryField): boolean {
  return field === 'action' || field === 'priceVersion' || field.includes('.')
}

/** What JSON has a text: that of a string, and that of a number or boolean which is written like that. */
function jsonTexts(text: string): string[] {
  const string = JSON.stringify(text)
  const number = Number(text)
  return text === 'true' || text === 'false' || (Number.isFinite(number) && String(number) === text) ? [string, text] : [string]
}

function textOfColumn(value: unknown, json: boolean): string | undefined {
  if (value === null || value === undefined) return undefined
  const text = value as string
  return json && text.startsWith('"') ? (JSON.parse(text) as string) : text
}

/** Stretches of one length that follow one another: those with the numbers from `first` up to `end`, not included. */
interface Run {
  readonly first: number
  readonly end: number
  readonly startsAt: number
  readonly length: number
}

function runsOf(bounds: readonly number[]): readonly Run[] {
  const runs: Run[] = []
  for (let first = 0; first < bounds.length - 1; ) {
    const startsAt = bounds[first] as number
    const length = (bounds[first + 1] as number) - startsAt
    let end = first + 1
    // An empty stretch is a run of its own: nothing is divided by nought.
    const isIn = (index: number): boolean => length > 0 && bounds[index] === startsAt + (index - first) * length
    while (end < bounds.length - 1 && isIn(end + 1)) end += 1
    runs.push({ first, end, startsAt, length })
    first = end
  }
  return runs
}

/** Which stretch, counted from `firstBucket`, an instant within some runs is in: the run by as few comparisons as can be, in it by division. */
function searchSql(runs: readonly Run[], firstBucket: number, low: number, high: number): string {
  const middle = (low + high) >>> 1
  const { first, end, startsAt, length } = runs[middle] as Run
  if (high - low > 1) return `CASE WHEN at < ${startsAt} THEN ${searchSql(runs, firstBucket, low, middle)} ELSE ${searchSql(runs, firstBucket, middle, high)} END`
  const number = first - firstBucket
  if (end - first === 1) return String(number)
  return `${number === 0 ? '' : `${number} + `}(at - ${minus(startsAt)}) / ${length}`
}

/** A number that something can be taken from without beginning a comment. */
function minus(amount: number): string {
  return amount < 0 ? `(${amount})` : String(amount)
}

class Parameters {
  readonly all: (string | number)[] = []
  readonly #dialect: Dialect

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  readonly add: AddParameter = (value) => {
    this.all.push(value)
    return this.#dialect.parameter(this.all.length)
  }
}
