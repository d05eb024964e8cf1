// A simulation as plain text for people, and as JSON for programs.

import { formatUsd } from '../money/index.js'
import type { ColumnReport, Simulation } from './report.js'

const USD_DIGITS = 4
const LEAST_USD = 1e-4

/** Money as all tables show it: to a hundredth of a cent, so that a column stands under its points; what is less, and not nothing, is said to be. */
export function money(usd: number): string {
  const size = Math.abs(usd)
  const sign = usd < 0 ? '−' : ''
  if (size !== 0 && size < LEAST_USD) return `${usd < 0 ? '>' : '<'} ${sign}$${LEAST_USD}`
  return `${sign}$${size.toLocaleString('en', { minimumFractionDigits: USD_DIGITS, maximumFractionDigits: USD_DIGITS })}`
}

/** A number of things: `1 row`, `2 rows`. */
export function counted(value: number, one: string): string {
  return `${whole(value)} ${one}${value === 1 ? '' : 's'}`
}

/** Which days a report has. */
export function daysRule({ timeZone }: Simulation): string {
  return `The days of this report begin and end in ${timeZone}; the windows of limits begin and end where each configuration says.`
}

/** A count with its thousands apart. */
export function whole(value: number): string {
  return value.toLocaleString('en')
}

/** A part of a whole, in percent. */
export function share(part: number, of: number): string {
  if (of === 0) return '0 %'
  const pct = (100 * part) / of
  return `${pct === 0 ? '0' : pct < 0.01 ? '< 0.01' : pct > 99.9 && part < of ? '> 99.9' : pct.toFixed(pct < 10 ? 2 : 1)} %`
}

/** The rows that compare columns: what is shown, and how it is read from a column. */
export const COMPARED: readonly (readonly [label: string, read: (column: ColumnReport, simulation: Simulation) => string])[] = [
  ['Requests', (column) => whole(column.requests)],
  ['Allowed', (column) => whole(column.allowed)],
  ['Warned', (column) => whole(column.warned)],
  ['Degraded', (column) => whole(column.degraded)],
  ['Blocked', (column) => `${whole(column.blocked)} (${share(column.blocked, column.requests)})`],
  ['Rejected with an error', (column) => whole(column.failed)],
  ['Lost, and not in the log', (column) => (column.savedOnLog === undefined ? '–' : whole(column.lost))],
  ['Users ever warned', (column) => whole(column.usersWarned)],
  ['Users ever degraded', (column) => whole(column.usersDegraded)],
  ['Users ever blocked', (column) => `${whole(column.usersBlocked)} (${share(column.usersBlocked, column.users)})`],
  ['Users ever blocked or rejected', (column) => `${whole(column.usersRefused)} (${share(column.usersRefused, column.users)})`],
  ['Spent', (column) => money(column.spent)],
  ['Saved, beside the log', (column) => (column.savedOnLog === undefined ? '–' : money(column.savedOnLog))],
  ['Saved, beside the first', (column) => (column.savedOnFirst === undefined ? '–' : money(column.savedOnFirst))],
  ['Decided other than in the log', (column) => (column.savedOnLog === undefined ? '–' : whole(column.differences.requests))],
  ['At another cost than in the log', (column) => (column.savedOnLog === undefined ? '–' : whole(column.differences.costs))],
  ['Ended or corrected otherwise', (column) => (column.savedOnLog === undefined ? '–' : whole(column.differences.others))],
]

/** The simulation as text, about 80 to 120 characters wide: all columns side by side, then tiers, errors and what was assumed. */
export function renderTable(simulation: Simulation): string {
  const { source, candidates, log, rules, warnings, speed } = simulation
  const columns = [log, ...candidates]
  const names = columns.map(({ name }) => plain(name))
  const parts: string[] = []
  const when = source.from === undefined || source.until === undefined ? '' : `, ${source.from.toISOString().slice(0, 16)} to ${source.until.toISOString().slice(0, 16)} UTC`
  parts.push(`${plain(source.name)}: ${counted(source.requests, 'request')} of ${counted(source.users, 'user')}${when}`, '')
  parts.push(...aligned([['', ...names], ...COMPARED.map(([label, read]) => [label, ...columns.map((column) => read(column, simulation))])]), '')
  const tiers = [...new Set(columns.flatMap(({ byTier }) => byTier.map(({ tier }) => tier)))]
  const byTier = tiers.flatMap((tier) => {
    const figures = columns.map((column) => column.byTier.find((each) => each.tier === tier))
    return [
      [`${plain(tier) || '(no tier)'}: spent`, ...figures.map((each) => money(each?.spent ?? 0))],
      ['  blocked', ...figures.map((each) => whole(each?.blocked ?? 0))],
      ['  users blocked', ...figures.map((each) => `${whole(each?.usersBlocked ?? 0)} of ${whole(each?.users ?? 0)}`)],
    ]
  })
  parts.push(...aligned([['By tier', ...names], ...byTier]), '')
  for (const column of candidates) {
    for (const { code, count, row, message } of column.errors) parts.push(`${plain(column.name)}: ${whole(count)} × ${code}, first in row ${row}: ${plain(message)}`)
    const [first] = column.affected.filter(({ firstBlockedAt }) => firstBlockedAt !== undefined)
    if (first !== undefined) parts.push(`${plain(column.name)}: ${plain(first.userId)} is blocked most: ${whole(first.blocked)} of ${counted(first.requests, 'request')}, first at ${(first.firstBlockedAt as Date).toISOString()}`)
  }
  if (source.skipped.count > 0) parts.push(`${leftOut(simulation)}: ${source.skipped.first.slice(0, 5).map(({ message }) => plain(message)).join('; ')}${source.skipped.count > 5 ? '; …' : ''}`)
  parts.push(...warnings.map((warning) => `Careful: ${plain(warning)}`))
  parts.push('', ...[...rules, daysRule(simulation)].map((rule) => `- ${plain(rule)}`), '')
  parts.push(`${counted(speed.decisions, 'decision')} in ${(speed.elapsedMs / 1_000).toFixed(1)} s: ${whole(speed.decisionsPerSecond)} a second`)
  return `${parts.join('\n')}\n`
}

/** How many rows were left out, in words. */
export function leftOut({ source }: Simulation): string {
  return `${counted(source.skipped.count, 'row')} ${source.skipped.count === 1 ? 'was' : 'were'} left out`
}

/** The simulation as JSON: times in ISO 8601, USD as exact decimal strings such as `'0.05'`, and microcents as strings of digits under `exact`. */
export function renderJson(simulation: Simulation): string {
  return `${JSON.stringify(simulation, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : withExactUsd(value)), 2)}\n`
}

/** What has amounts beside it in `exact`, as `spentMicrocents` is beside `spent`, says them exactly. */
function withExactUsd(value: unknown): unknown {
  const exact = typeof value === 'object' && value !== null && 'exact' in value ? (value.exact as Readonly<Record<string, bigint | undefined>>) : {}
  const amounts = Object.entries(exact).flatMap(([name, microcents]) => (typeof microcents === 'bigint' ? [[name.replace(/Microcents$/, ''), formatUsd(microcents)]] : []))
  return amounts.length === 0 ? value : { ...(value as object), ...Object.fromEntries(amounts) }
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] as readonly string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  const lines = rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number))).join('  ').trimEnd())
  return [lines[0] as string, '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...lines.slice(1)]
}

/** Text of a log's on one line of a terminal: control characters move no cursor and turn no text round. */
function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/g, ' ')
}
