// How the demo looks: its head, its progress and its table. Knows numbers, decides nothing.

import { formatUsd, type EnforcementAction } from 'bursar'
import type { Audit, Row } from './audit.js'
import { IN_WORDS } from './budgets.js'
import type { Tally } from './tally.js'

const ACTIONS: readonly EnforcementAction[] = ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']
const HEADINGS = ['user', 'tier', 'calls', ...ACTIONS, 'failed', 'spent $', 'limit $', 'peak', 'stand-in $', '']
/** Calls, actions, failed. */
const COUNTS = 2 + ACTIONS.length
const LEFT_ALIGNED = new Set([0, 1, HEADINGS.length - 1])

/** The plans, in words. */
export function head(): string {
  return aligned(IN_WORDS, () => true)
}

/** Shows how far the demo is: one line that is written over on a terminal, else a line for every quarter. */
export class Progress {
  readonly #total: number
  #quarters = 0

  constructor(total: number) {
    this.#total = total
  }

  /** Called when a call has ended. */
  show(tallies: Iterable<Tally>): void {
    const { requests, actions } = sumOf(tallies)
    const counted = ACTIONS.map((action) => `${action} ${actions[action]}`).join('  ')
    const line = `  ${String(requests).padStart(String(this.#total).length)} of ${this.#total} calls  ${counted}`
    const quarters = Math.floor((4 * requests) / this.#total)
    if (process.stdout.isTTY) process.stdout.write(`\r${line}`)
    else if (quarters > this.#quarters) console.log(line)
    this.#quarters = quarters
  }

  /** Leaves the line as it is. */
  end(): void {
    if (process.stdout.isTTY) process.stdout.write('\n')
  }
}

/** The table: the users, all of them together, and the shared budgets. */
export function table({ users, shared }: Audit): string {
  const all = sumOf(users.flatMap(({ tally }) => tally ?? []))
  const cells = [...users, ...shared].map((row) => cellsOf(row, row.name === 'everybody' ? all : row.tally))
  const lines = aligned([HEADINGS, ...cells], (column) => LEFT_ALIGNED.has(column)).split('\n')
  const rule = `  ${'-'.repeat(Math.max(...lines.map((line) => line.length)) - 2)}`
  lines.splice(1 + users.length, 0, rule)
  lines.splice(1, 0, rule)
  return lines.join('\n')
}

function cellsOf({ name, tier, spent, limit, peak, served, agrees }: Row, tally: Counts | undefined): string[] {
  const counts = tally === undefined ? [] : [tally.requests, ...ACTIONS.map((action) => tally.actions[action]), tally.failed]
  const cells = Array.from({ length: COUNTS }, (_, column) => String(counts[column] ?? ''))
  // Rounded down: 100.0 % is the limit itself, and never a little less.
  const percent = `${(Math.floor((peak * 1_000) / limit) / 10).toFixed(1)} %`
  return [name, tier, ...cells, usd(spent), formatUsd(limit), percent, usd(served), agrees ? 'agree' : 'DIFFER']
}

type Counts = Pick<Tally, 'requests' | 'actions' | 'failed' | 'microcents'>

/** The counts of several users together. */
export function sumOf(tallies: Iterable<Counts>): Counts {
  const sum = { requests: 0, failed: 0, microcents: 0, actions: { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 } }
  for (const { requests, failed, microcents, actions } of tallies) {
    sum.requests += requests
    sum.failed += failed
    sum.microcents += microcents
    for (const action of ACTIONS) sum.actions[action] += actions[action]
  }
  return sum
}

/** Microcents with all eight decimals, so that columns line up to the microcent. */
export function usd(microcents: number): string {
  const [whole = '', decimals = ''] = formatUsd(microcents).split('.')
  return `${whole}.${decimals.padEnd(8, '0')}`
}

function aligned(rows: readonly (readonly string[])[], isLeft: (column: number) => boolean): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const padded = (cell: string, column: number): string => (isLeft(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))
  return rows.map((row) => `  ${row.map(padded).join('  ')}`.trimEnd()).join('\n')
}
