// What is asked of a database: the text itself, for what a test of answers would not see.

import { describe, expect, it } from 'vitest'
import { ALL_ENTRIES, parseFilter, type EntryField, type EntryFilter } from '../../../src/ledger/index.js'
import { conditionsSql, pageSql, sumsOfRows, sumsSql, type Dialect, type SumsSql } from '../../../src/ledger/sql.js'

/** Parameters by number, JSON by a function. */
const dialect: Dialect = {
  parameter: (number) => `$${number}`,
  jsonAt: (column, keys, add) => `at_keys(${[column, ...keys.map(add)].join(', ')})`,
  oneOf: (expression, texts, add) => `${expression} = ANY(${texts.map(add).join(', ')})`,
  sum: (column) => `exact(${column})`,
}

const SUMS =
  "count(*) AS entries, sum(CASE WHEN calls IS NOT NULL THEN calls ELSE CASE kind WHEN 'settled' THEN 1 WHEN 'recorded' THEN 1 WHEN 'expired' THEN 1 ELSE 0 END END) AS calls, " +
  "count(CASE kind WHEN 'denied' THEN 1 END) AS denials, exact(tokens) AS tokens, exact(microcents) AS microcents"

function conditions(filter: EntryFilter): { sql: string[]; parameters: unknown[] } {
  const parameters: unknown[] = []
  return { sql: conditionsSql(dialect, parseFilter(filter), (value) => dialect.parameter(parameters.push(value))), parameters }
}

function sums(by: readonly EntryField[], boundaries: readonly number[]): readonly SumsSql[] {
  return sumsSql(dialect, 'entry', ALL_ENTRIES, by, boundaries)
}

describe('conditions', () => {
  it('are parameters, whatever they say', () => {
    expect(conditions({ where: { tenant: "'; DROP TABLE entry; --" } })).toEqual({ sql: ['(tenant = ANY($1))'], parameters: ["'; DROP TABLE entry; --"] })
    expect(conditions({ where: { [`metadata.a'b`]: 'x' } })).toEqual({ sql: ['(at_keys(metadata, $1) = ANY($2))'], parameters: ["a'b", '"x"'] })
  })

  it.each([
    ['a bound on each side', { from: 5, until: 9 }, ['at >= $1 AND at <= $2'], [5, 8]],
    ['a bound on one side', { openedFrom: 5 }, ['opened_at >= $1'], [5]],
    ['amounts in microcents', { cost: { atLeast: '0.00000001' }, tokens: { atMost: 3 } }, ['microcents >= $1', 'tokens <= $2'], [1, 3]],
    ['no text at all', { where: { model: [] } }, ['1 = 0'], []],
    ['none of it', { where: { model: null } }, ['(model IS NULL)'], []],
    ['none or some', { where: { model: ['a', null, 'a', 'b'] } }, ['(model IS NULL OR model = ANY($1, $2))'], ['a', 'b']],
    ['a user, of whom there may be none', { where: { userId: [null, 'ann'] } }, ["(nullif(user_id, '') IS NULL OR nullif(user_id, '') = ANY($1))"], ['ann']],
    ['a text that a number has, too', { where: { 'labels.a.b': '1e+21' } }, ['(at_keys(details, $1, $2) = ANY($3, $4))'], ['labels', 'a.b', '"1e+21"', '1e+21']],
    ['a text that a boolean has, too', { where: { 'scopes.team': 'true' } }, ['(at_keys(scopes, $1) = ANY($2, $3))'], ['team', '"true"', 'true']],
    ['a text that no number has', { where: { priceVersion: ['1E21', '-0', 'null', ''] } }, ['(at_keys(details, $1) = ANY($2, $3, $4, $5))'], ['priceVersion', '"1E21"', '"-0"', '"null"', '""']],
    ['an action', { where: { action: 'BLOCK' } }, [`(CASE WHEN kind = 'denied' THEN '"BLOCK"' ELSE at_keys(details, $1) END = ANY($2))`], ['action', '"BLOCK"']],
  ] as const)('on %s', (_what, filter, sql, parameters) => {
    expect(conditions(filter as EntryFilter)).toEqual({ sql, parameters })
  })

  it('without bounds only ask that there is a number', () => {
    expect(conditionsSql(dialect, { fields: [], bounds: [{ field: 'openedAt', least: -Infinity, most: Infinity }] }, String)).toEqual(['opened_at IS NOT NULL'])
    expect(conditionsSql(dialect, { fields: [], bounds: [{ field: 'at', least: Infinity, most: Infinity }] }, String)).toEqual(['1 = 0'])
    expect(conditionsSql(dialect, { fields: [], bounds: [{ field: 'at', least: 1.5, most: 3.5 }] }, String)).toEqual(['at >= 2 AND at <= 3'])
  })
})

describe('a page', () => {
  it('goes on behind a number, in the order of numbers', () => {
    expect(pageSql(dialect, 'entry', 'seq, id', parseFilter({ where: { tier: 'pro' } }), 11, 7)).toEqual({
      text: 'SELECT seq, id FROM entry WHERE seq > $1 AND (tier = ANY($2)) ORDER BY seq LIMIT $3',
      parameters: [7, 'pro', 11],
    })
  })
})

describe('sums', () => {
  it('read what is asked for once, by the columns alone', () => {
    expect(sums(['tenant', 'model'], [100, 200])).toEqual([
      { text: `SELECT tenant AS text0, model AS text1, ${SUMS} FROM entry WHERE at >= 100 AND at < 200 GROUP BY 1, 2`, parameters: [], firstBucket: 0 },
    ])
  })

  it('of everything are one row, or none', () => {
    expect(sums([], [])).toEqual([{ text: `SELECT ${SUMS} FROM entry HAVING count(*) > 0`, parameters: [], firstBucket: 0 }])
    expect(sums([], [100])).toEqual([])
  })

  it('of keys leave out what is no text, and name parameters in their order', () => {
    const [query] = sumsSql(dialect, 'entry', parseFilter({ where: { tenant: 't' } }), ['metadata.p'], [])
    expect(query?.text).toContain("SELECT CASE WHEN substr(at_keys(metadata, $1), 1, 1) IN ('{', '[', 'n') THEN NULL ELSE at_keys(metadata, $2) END AS text0")
    expect(query?.text).toContain('WHERE (tenant = ANY($3)) GROUP BY 1')
    expect(query?.parameters).toEqual(['p', 'p', 't'])
  })

  it('by stretches of one length divide, and by others compare as few times as can be', () => {
    expect(sums([], [-10, -5, 0, 5])[0]?.text).toMatch(/^SELECT \(at - \(-10\)\) \/ 5 AS bucket, .* WHERE at >= -10 AND at < 5 GROUP BY 1$/)
    expect(sums([], [0, 10, 30, 60, 100])[0]?.text).toMatch(
      /^SELECT CASE WHEN at < 30 THEN CASE WHEN at < 10 THEN 0 ELSE 1 END ELSE CASE WHEN at < 60 THEN 2 ELSE 3 END END AS bucket,/,
    )
    expect(sums([], [0, 0, 0])[0]?.text).toContain('CASE WHEN at < 0 THEN 0 ELSE 1 END AS bucket')
    expect(sums([], [0.5, 10.5, 20.5])[0]?.text).toContain('(at - 1) / 10 AS bucket')
  })

  it('by stretches of few lengths divide in each run of one length: all hours of years in which the clock changes are one query', () => {
    expect(sums([], [0, 10, 20, 30, 35, 45, 55])[0]?.text).toMatch(/^SELECT CASE WHEN at < 30 THEN \(at - 0\) \/ 10 ELSE CASE WHEN at < 35 THEN 3 ELSE 4 \+ \(at - 35\) \/ 10 END END AS bucket,/)
    const hours = Array.from({ length: 40_000 }, (_, hour) => hour * 60 - (hour > 20_000 ? 30 : 0))
    expect(sums([], hours)).toHaveLength(1)
  })

  it('of a part only say so beside everything else', () => {
    expect(sumsSql(dialect, 'entry', ALL_ENTRIES, [], [1, 2], 'seq > 5')[0]?.text).toContain('WHERE seq > 5 AND +at >= 1 AND +at < 2 HAVING')
  })

  it('by very many uneven stretches are asked for in parts, which meet', () => {
    const boundaries = Array.from({ length: 2_500 }, (_, index) => index * index)
    const queries = sums([], boundaries)
    expect(queries.map(({ firstBucket }) => firstBucket)).toEqual([0, 1_024, 2_048])
    expect(queries.map(({ text }) => /WHERE (.*) GROUP/.exec(text)?.[1])).toEqual([`at >= 0 AND at < ${1_024 ** 2}`, `at >= ${1_024 ** 2} AND at < ${2_048 ** 2}`, `at >= ${2_048 ** 2} AND at < ${2_499 ** 2}`])
    expect(sums([], Array.from({ length: 100_001 }, (_, index) => index * 10))).toHaveLength(1)
  })
})

describe('rows of sums', () => {
  const query = (firstBucket: number): SumsSql => ({ text: '', parameters: [], firstBucket })
  const row = { entries: '2', calls: 1, denials: '1', tokens: '9007199254740993', microcents: '-1' }

  it('are read as numbers and texts, their buckets counted from the first', () => {
    const sum = { entries: 2, calls: 1, denials: 1, tokens: 9_007_199_254_740_993n, microcents: -1n }
    expect(sumsOfRows(['tenant', 'labels.a'], [[query(10), [{ ...row, bucket: '3', text0: '"t"', text1: '"\\ud83d\\n"' }, { ...row, bucket: 4, text0: null, text1: null }]]])).toEqual([
      { bucket: 13, texts: ['"t"', '\ud83d\n'], ...sum },
      { bucket: 14, texts: [undefined, undefined], ...sum },
    ])
  })

  it('of a number and of a text that read the same are one', () => {
    const rows = [{ ...row, text0: '5' }, { ...row, text0: '"5"' }, { ...row, text0: '"6"' }]
    const found = sumsOfRows(['metadata.n'], [[query(0), rows]])
    expect(found.map(({ texts, entries, tokens, microcents }) => [texts, entries, tokens, microcents])).toEqual([
      [['5'], 4, 18_014_398_509_481_986n, -2n],
      [['6'], 2, 9_007_199_254_740_993n, -1n],
    ])
  })
})
