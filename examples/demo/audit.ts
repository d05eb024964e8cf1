// Compares what was counted independently of one another, as integers: the application's settlements, bursar's windows,
// summaries and ledger, and the stand-in's own bill. Every difference becomes a sentence.

import { parseUsd, type WindowView } from 'bursar'
import { ONLY_WARNED, type DemoBursar } from './budgets.js'
import type { ServedBill } from './stand-in-process.js'
import { limitKey, type Peaks, type Tally } from './tally.js'
import type { User } from './traffic.js'

/** One user, or one shared budget, with what was counted. Money is microcents. */
export interface Row {
  readonly name: string
  readonly tier: string
  readonly tally: Tally | undefined
  readonly spent: number
  readonly limit: number
  readonly peak: number
  readonly served: number
  /** All counts of this row are the same. */
  readonly agrees: boolean
}

/** The rows of the table, and a sentence for everything that is not as it must be. */
export interface Audit {
  readonly users: readonly Row[]
  readonly shared: readonly Row[]
  readonly differences: readonly string[]
}

/** What there is to compare. */
export interface Evidence {
  readonly bursar: DemoBursar
  readonly users: readonly User[]
  readonly tallies: ReadonlyMap<string, Tally>
  readonly peaks: Peaks
  readonly bill: ServedBill
}

interface LedgerCount {
  microcents: number
  settled: number
  released: number
}

/** Compares all counts. No call may be running any more. */
export async function audit(evidence: Evidence): Promise<Audit> {
  const { bursar, users, peaks, bill } = evidence
  const differences: string[] = []
  const ledger = await countLedger(bursar)
  const rows: Row[] = []
  const shared = new Map<string, { window: WindowView; members: Row[] }>()
  for (const user of users) {
    const scopes = user.team === undefined ? {} : { scopes: { team: user.team } }
    const { windows } = await bursar.tracker.context({ userId: user.id, userTier: user.tier, ...scopes })
    const limited = windows.filter(({ limit }) => limit !== null)
    const own = limited.find(({ scope }) => scope.kind === 'user') as WindowView
    const row = await auditUser(user, own, ledger.get(user.id) ?? nothing(), evidence, differences)
    rows.push(row)
    for (const window of limited.filter(({ scope }) => scope.kind !== 'user')) {
      const known = shared.get(limitKey(window)) ?? { window, members: [] }
      known.members.push(row)
      shared.set(limitKey(window), known)
    }
  }
  const sharedRows = [...shared.values()].map(({ window, members }) => auditShared(window, members, peaks, differences))
  const { totalCost } = await bursar.tracker.getSummary()
  const totals = { 'the stand-in': bill.total.microcents, 'the summary': parseUsd(totalCost, 'totalCost', 'refuse') }
  compare('in total', 'microcents', totals, differences)
  for (const { name, tier, spent, limit, peak } of [...rows, ...sharedRows]) {
    const most = Math.max(spent, peak)
    if (most <= limit || ONLY_WARNED.has(tier)) continue
    differences.push(`${name}: ${grouped(most)} microcents were spent or held, above the limit of ${grouped(limit)}`)
  }
  return { users: rows, shared: sharedRows, differences }
}

async function auditUser({ id, tier }: User, window: WindowView, written: LedgerCount, evidence: Evidence, differences: string[]): Promise<Row> {
  const { bursar, tallies, peaks, bill } = evidence
  const before = differences.length
  const tally = tallies.get(id) as Tally
  const served = bill.users[id] ?? { requests: 0, failed: 0, microcents: 0 }
  const { limit, spent, held } = window.exact
  const { totalCost } = await bursar.tracker.getUserSummary(id, tier)
  const counts = {
    settlements: tally.microcents,
    'the budget': spent,
    'the summary': parseUsd(totalCost, 'totalCost', 'refuse'),
    'the ledger': written.microcents,
    'the stand-in': served.microcents,
  }
  compare(id, 'microcents', counts, differences)
  const { settled, failed, overageMicrocents } = tally
  compare(id, 'answered calls', { settlements: settled, 'the ledger': written.settled, 'the stand-in': served.requests }, differences)
  compare(id, 'failed calls', { releases: failed, 'the ledger': written.released, 'the stand-in': served.failed }, differences)
  if (held !== 0) differences.push(`${id}: ${grouped(held)} microcents are still held`)
  if (overageMicrocents !== 0) differences.push(`${id}: calls cost ${grouped(overageMicrocents)} microcents more than was held for them`)
  const agrees = differences.length === before
  return { name: id, tier, tally, spent, limit: limit as number, peak: peaks.of(limitKey(window)), served: served.microcents, agrees }
}

function auditShared(window: WindowView, members: readonly Row[], peaks: Peaks, differences: string[]): Row {
  const before = differences.length
  const { scope, exact } = window
  const { spent, held } = exact
  const name = scope.kind === 'global' ? 'everybody' : `${scope.kind} ${scope.id}`
  const served = members.reduce((sum, row) => sum + row.served, 0)
  compare(name, 'microcents', { 'the budget': spent, 'the stand-in': served }, differences)
  if (held !== 0) differences.push(`${name}: ${grouped(held)} microcents are still held`)
  const agrees = differences.length === before
  return { name, tier: 'shared', tally: undefined, spent, limit: exact.limit as number, peak: peaks.of(limitKey(window)), served, agrees }
}

/** Writes a sentence for each count that is not the same as the first. */
function compare(who: string, what: string, counts: Readonly<Record<string, number>>, differences: string[]): void {
  const [[firstName, first] = ['', 0], ...rest] = Object.entries(counts)
  for (const [name, count] of rest) {
    if (count === first) continue
    const [difference, word] = [grouped(Math.abs(count - first)), count > first ? 'more' : 'fewer']
    differences.push(`${who}: ${name} counted ${grouped(count)} ${what}, ${difference} ${word} than ${firstName} (${grouped(first)})`)
  }
}

async function countLedger(bursar: DemoBursar): Promise<Map<string, LedgerCount>> {
  const counts = new Map<string, LedgerCount>()
  for await (const { userId, kind, microcents } of bursar.tracker.entries()) {
    const count = counts.get(userId) ?? nothing()
    count.microcents += microcents
    if (kind === 'settled' || kind === 'released') count[kind] += 1
    counts.set(userId, count)
  }
  return counts
}

function nothing(): LedgerCount {
  return { microcents: 0, settled: 0, released: 0 }
}

/** An integer with its thousands apart. */
function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
