// How the demo looks: its head, its progress, its table and what it concludes. Knows numbers, decides nothing.

import { formatUsd, type EnforcementAction } from 'bursar'
import type { Audit, Row } from './audit.js'
import { IN_WORDS } from './budgets.js'
import { callsIn, Tally, type Counts } from './tally.js'

const ACTIONS: readonly EnforcementAction[] = ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK']
const HEADINGS = ['user', 'tier', 'through', 'calls', ...ACTIONS, 'failed', 'spent $', 'limit $', 'peak', 'stand-in $', '']
/** Calls, actions, failed. */
const COUNTS = 2 + ACTIONS.length
const LEFT_ALIGNED = new Set([0, 1, 2, HEADINGS.length - 1])

/** The plans, in words. */
export function head(): string {
  return aligned(IN_WORDS, () => true)
}

/** Shows how far the demo is: one line that is written over on a terminal, else a line for every quarter. */
export class Progress {
  readonly #total: number
  readonly #actions = { ALLOW: 0, WARN: 0, DEGRADE: 0, BLOCK: 0 }
  #quarters = 0

  constructor(total: number) {
    this.#total = total
  }

  /** Called when a call has been decided on. */
  count(action: EnforcementAction): void {
    this.#actions[action] += 1
    const calls = callsIn({ actions: this.#actions })
    const counted = ACTIONS.map((each) => `${each} ${this.#actions[each]}`).join('  ')
    const line = `  ${String(calls).padStart(String(this.#total).length)} of ${this.#total} calls  ${counted}`
    const quarters = Math.floor((4 * calls) / this.#total)
    if (process.stdout.isTTY) process.stdout.write(`\r${line}`)
    else if (quarters > this.#quarters) console.log(line)
    this.#quarters = quarters
  }

  /** Leaves the line as it is. */
  end(): void {
    if (process.stdout.isTTY) process.stdout.write('\n')
  }
}

/** The table: the users, the shared budgets, and the integrations. */
export function table({ users, shared, integrations }: Audit): string {
  const all = sumOf(users)
  const cells = [...users, ...shared, ...integrations].map((row) => cellsOf(row, row.name === 'everybody' ? all : row.tally))
  const lines = aligned([HEADINGS, ...cells], (column) => LEFT_ALIGNED.has(column)).split('\n')
  const rule = `  ${'-'.repeat(Math.max(...lines.map((line) => line.length)) - 2)}`
  for (const above of [1 + users.length + shared.length, 1 + users.length, 1]) lines.splice(above, 0, rule)
  return lines.join('\n')
}

function cellsOf({ name, tier, sdk, spent, limit, peak, served, agrees }: Row, tally: Counts | undefined): string[] {
  const counts = tally === undefined ? [] : [callsIn(tally), ...ACTIONS.map((action) => tally.actions[action]), tally.failed]
  const cells = Array.from({ length: COUNTS }, (_, column) => String(counts[column] ?? ''))
  // Rounded down: 100.0 % is the limit itself, and never a little less.
  const full = limit === undefined || peak === undefined ? ['', ''] : [formatUsd(limit), `${(Math.floor((peak * 1_000) / limit) / 10).toFixed(1)} %`]
  return [name, tier, sdk ?? '', ...cells, usd(spent), ...full, usd(served), agrees ? 'agree' : 'DIFFER']
}

/** The counts of several users together. */
function sumOf(users: readonly Row[]): Counts {
  const sum = new Tally()
  for (const { tally } of users) if (tally !== undefined) sum.add(tally)
  return sum
}

/** What the comparison comes to: what was found to be true, or what differs. */
export function conclusion({ users, usage, alerts, storeAudit, differences }: Audit, seconds: number): string {
  const { actions, settled, failed, microcents } = sumOf(users)
  const lines = [
    'failed: calls that the stand-in answered with 500',
    'peak: the most that was ever spent and held at once, in percent of the limit',
    '',
  ]
  const took = `(${seconds.toFixed(1)} s)`
  if (differences.length > 0) {
    const verdict = `DIFFER: the counts do not agree, see the ${differences.length} lines above ${took}`
    return [...[...lines, ...differences].map(indented), '', verdict].join('\n')
  }
  lines.push(
    `no limit that blocks was passed: at each of ${actions.ALLOW + actions.WARN + actions.DEGRADE} admissions, spent + held stayed within it`,
    `every cost is the price book's: ${settled} calls were settled at what the provider said was used, none at an estimate`,
    tokensIn(usage),
    'no call cost more than was held for it: none was settled with an overage',
    `nothing is left held: the holds of ${failed} failed calls were released, the others settled`,
    `${alerts} thresholds were crossed, each announced once`,
    storeAudit,
  )
  const verdict = `agree: settlements, budgets, ledger and the stand-in counted the same $${usd(microcents)}, user by user and SDK by SDK ${took}`
  return [...lines.map(indented), '', verdict].join('\n')
}

/** What was used, in words: everything but fresh text has a price of its own somewhere. */
function tokensIn(usage: Audit['usage']): string {
  const of = (field: string): string => (usage[field] ?? 0).toLocaleString('en-US')
  const cache = `${of('cachedInputTokens')} from a cache, ${of('cacheWriteTokens')} written to one, ${of('cacheWrite1hTokens')} of them for an hour`
  return `tokens: ${of('inputTokens')} read (${cache}), ${of('outputTokens')} written (${of('reasoningTokens')} as reasoning)`
}

function indented(line: string): string {
  return line === '' ? '' : `  ${line}`
}

/** Microcents with all eight decimals, so that columns line up to the microcent. */
function usd(microcents: number): string {
  const [whole = '', decimals = ''] = formatUsd(microcents).split('.')
  return `${whole}.${decimals.padEnd(8, '0')}`
}

function aligned(rows: readonly (readonly string[])[], isLeft: (column: number) => boolean): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const padded = (cell: string, column: number): string => (isLeft(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))
  return rows.map((row) => `  ${row.map(padded).join('  ')}`.trimEnd()).join('\n')
}
