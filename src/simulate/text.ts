// A simulation as plain text for people, and as JSON for programs.

import type { ColumnReport, Simulation } from './report.js'

/** Money as a table shows it: cents for what is large, more digits for what is small. */
export function money(usd: number): string {
  const size = Math.abs(usd)
  const digits = size >= 1 || size === 0 ? 2 : size >= 0.01 ? 4 : 6
  return `${usd < 0 ? '−' : ''}$${size.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`
}

/** A count with its thousands apart. */
export function whole(value: number): string {
  return value.toLocaleString('en')
}

/** A part of a whole, in percent. */
export function share(part: number, of: number): string {
  if (of === 0) return '0 %'
  const pct = (100 * part) / of
  return `${pct === 0 ? '0' : pct < 0.01 ? '< 0.01' : pct.toFixed(pct < 10 ? 2 : 1)} %`
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
  ['Users ever blocked', (column) => `${whole(column.usersBlocked)} (${column.usersBlockedPct} %)`],
  ['Spent', (column) => money(column.spent)],
  ['Saved, beside the log', (column) => (column.savedOnLog === undefined ? '–' : money(column.savedOnLog))],
  ['Saved, beside the first', (column) => (column.savedOnFirst === undefined ? '–' : money(column.savedOnFirst))],
  ['Other than in the log', (column) => (column.savedOnLog === undefined ? '–' : whole(column.differences.requests))],
]

/** The simulation as text, about 80 to 120 characters wide: all columns side by side, then tiers, errors and what was assumed. */
export function renderTable(simulation: Simulation): string {
  const { source, candidates, log, rules, speed, timeZone } = simulation
  const columns = [log, ...candidates]
  const names = columns.map(({ name }) => plain(name))
  const parts: string[] = []
  const when = source.from === undefined || source.until === undefined ? '' : `, ${source.from.toISOString().slice(0, 16)} to ${source.until.toISOString().slice(0, 16)} UTC`
  parts.push(`${plain(source.name)}: ${whole(source.requests)} requests of ${whole(source.users)} users${when}`, '')
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
    if (first !== undefined) parts.push(`${plain(column.name)}: ${plain(first.userId)} is blocked most: ${whole(first.blocked)} of ${whole(first.requests)} requests, first at ${(first.firstBlockedAt as Date).toISOString()}`)
  }
  if (source.skipped.count > 0) parts.push(`${whole(source.skipped.count)} rows were left out: ${source.skipped.first.slice(0, 5).map(({ message }) => plain(message)).join('; ')}${source.skipped.count > 5 ? '; …' : ''}`)
  parts.push('', ...rules.map((rule) => `- ${plain(rule)}`), `- Days begin and end in ${timeZone}.`, '')
  parts.push(`${whole(speed.decisions)} decisions in ${(speed.elapsedMs / 1_000).toFixed(1)} s: ${whole(speed.decisionsPerSecond)} a second`)
  return `${parts.join('\n')}\n`
}

/** The simulation as JSON: times in ISO 8601, exact amounts as decimal strings. */
export function renderJson(simulation: Simulation): string {
  return `${JSON.stringify(simulation, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 2)}\n`
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] as readonly string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  const lines = rows.map((row) => row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number))).join('  ').trimEnd())
  return [lines[0] as string, '─'.repeat(widths.reduce((sum, width) => sum + width + 2, -2)), ...lines.slice(1)]
}

/** Text of a log's on one line of a terminal: control characters move no cursor. */
function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ')
}
