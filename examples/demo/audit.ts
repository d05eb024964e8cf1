// Compares what was counted independently of one another, as integers: the settlements that were announced, bursar's windows,
// summaries and ledger, and the stand-in's own bill. Every difference becomes a sentence.

import { parseUsd, type WindowView } from 'bursar'
import { ONLY_WARNED, thresholdsOf, type DemoBursar } from './budgets.js'
import { apiKeyOf, nameOf } from './identity.js'
import { countLedger, NOTHING_WRITTEN, sumOf, type LedgerCount } from './ledger.js'
import type { ServedBill, ServedCount } from './stand-in-process.js'
import { limitKey, Tally, type Books, type Counts } from './tally.js'
import { SDKS, USERS, type Sdk, type User } from './traffic.js'

/** One user, one shared budget, or one integration, with what was counted. Money is microcents. */
export interface Row {
  readonly name: string
  readonly tier: string
  /** Which integration a user's calls went through. */
  readonly sdk?: Sdk
  readonly tally?: Counts
  readonly spent: number
  /** Absent for an integration. */
  readonly limit?: number
  /** The most that was spent and held at once: as decisions saw it, and at least what the ledger shows. */
  readonly peak?: number
  readonly served: number
  /** All counts of this row are the same. */
  readonly agrees: boolean
}

/** The rows of the table, and a sentence for everything that is not as it must be. */
export interface Audit {
  readonly users: readonly Row[]
  readonly shared: readonly Row[]
  readonly integrations: readonly Row[]
  /** What all calls used, as the ledger has it, by the fields of bursar's usage. */
  readonly usage: Readonly<Record<string, number>>
  /** How many thresholds were announced. */
  readonly alerts: number
  /** What the engine's own audit of the store says, in one line. */
  readonly storeAudit: string
  readonly differences: readonly string[]
}

/** What there is to compare. */
export interface Evidence {
  readonly bursar: DemoBursar
  /** What all workers counted together. */
  readonly books: Books
  readonly bill: ServedBill
}

const NOTHING_SERVED: ServedCount = { requests: 0, failed: 0, inputTokens: 0, outputTokens: 0, microcents: 0 }

interface Comparing extends Evidence {
  readonly ledger: ReadonlyMap<string, LedgerCount>
  /** Sentences, as they are found. */
  readonly differences: string[]
}

/** Compares all counts. No call may be running any more. */
export async function audit(evidence: Evidence): Promise<Audit> {
  const { bursar, bill } = evidence
  const differences: string[] = []
  const comparing = { ...evidence, ledger: await countLedger(bursar), differences }
  const rows: Row[] = []
  const shared = new Map<string, { window: WindowView; members: Row[] }>()
  for (const user of USERS) {
    const scopes = user.team === undefined ? {} : { scopes: { team: user.team } }
    const { windows } = await bursar.tracker.context({ userId: user.id, userTier: user.tier, ...scopes })
    const limited = windows.filter(({ limit }) => limit !== null)
    const own = limited.find(({ scope }) => scope.kind === 'user') as WindowView
    const row = await auditUser(user, own, comparing)
    rows.push(row)
    for (const window of limited.filter(({ scope }) => scope.kind !== 'user')) {
      const known = shared.get(limitKey(window)) ?? { window, members: [] }
      known.members.push(row)
      shared.set(limitKey(window), known)
    }
  }
  const sharedRows = [...shared.values()].map(({ window, members }) => auditShared(window, members, comparing))
  const integrations = SDKS.map((sdk) => auditIntegration(sdk, rows.filter((row) => row.sdk === sdk), comparing))
  const { totalCost } = await bursar.tracker.getSummary()
  const totals = { 'the stand-in': bill.total.microcents, 'the summary': parseUsd(totalCost, 'totalCost', 'refuse') }
  compare('in total', 'microcents', totals, differences)
  const storeAudit = await auditStore(bursar, differences)
  const usage = sumOf(SDKS.map((sdk) => comparing.ledger.get(nameOf(sdk))?.usage ?? {}))
  return { users: rows, shared: sharedRows, integrations, usage, alerts: evidence.books.alerts.length, storeAudit, differences }
}

async function auditUser({ id, tier, sdk }: User, window: WindowView, comparing: Comparing): Promise<Row> {
  const { bursar, books, bill, ledger, differences } = comparing
  const before = differences.length
  const tally = books.of(id)
  const written = ledger.get(limitKey(window)) ?? NOTHING_WRITTEN
  const served = bill.users[id] ?? NOTHING_SERVED
  const { spent } = window.exact
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
  compare(id, 'calls', { 'the price book priced': settled - written.unpriced, settlements: settled }, differences)
  // The stand-in always says what was used: there is nothing to estimate, and nothing but exact costs is compared here.
  if (written.estimated !== 0) differences.push(`${id}: ${written.estimated} calls were charged an estimate`)
  if (overageMicrocents !== 0) differences.push(`${id}: calls cost ${grouped(overageMicrocents)} microcents more than was held for them`)
  const limits = auditLimit(id, tier, window, comparing)
  return { name: id, tier, sdk, tally, spent, ...limits, served: served.microcents, agrees: differences.length === before }
}

function auditShared(window: WindowView, members: readonly Row[], comparing: Comparing): Row {
  const { ledger, differences } = comparing
  const before = differences.length
  const { scope, exact } = window
  const name = scope.kind === 'global' ? 'everybody' : `${scope.kind} ${scope.id}`
  const written = ledger.get(limitKey(window)) ?? NOTHING_WRITTEN
  const served = members.reduce((sum, row) => sum + row.served, 0)
  compare(name, 'microcents', { 'the budget': exact.spent, 'the ledger': written.microcents, 'the stand-in': served }, differences)
  const limits = auditLimit(name, 'shared', window, comparing)
  return { name, tier: 'shared', spent: exact.spent, ...limits, served, agrees: differences.length === before }
}

/** The ledger knows an integration by what the identity said, the stand-in by the API key. */
function auditIntegration(sdk: Sdk, members: readonly Row[], { bill, ledger, differences }: Comparing): Row {
  const before = differences.length
  const name = nameOf(sdk)
  const written = ledger.get(name) ?? NOTHING_WRITTEN
  const served = bill.keys[apiKeyOf(sdk)] ?? NOTHING_SERVED
  const tally = new Tally()
  for (const row of members) if (row.tally !== undefined) tally.add(row.tally)
  const budgets = members.reduce((sum, { spent }) => sum + spent, 0)
  const counts = { settlements: tally.microcents, 'the budgets': budgets, 'the ledger': written.microcents, 'the stand-in': served.microcents }
  compare(name, 'microcents', counts, differences)
  compare(name, 'answered calls', { settlements: tally.settled, 'the ledger': written.settled, 'the stand-in': served.requests }, differences)
  compare(name, 'tokens read', { 'the ledger': written.usage['inputTokens'] ?? 0, 'the stand-in': served.inputTokens }, differences)
  compare(name, 'tokens written', { 'the ledger': written.usage['outputTokens'] ?? 0, 'the stand-in': served.outputTokens }, differences)
  return { name, tier: `${members.length} users`, tally, spent: written.microcents, served: served.microcents, agrees: differences.length === before }
}

/** What has to be true of every limit: nothing is held any more, it was never passed, and each threshold was announced once. */
function auditLimit(name: string, tier: string, window: WindowView, comparing: Comparing): { limit: number; peak: number } {
  const { books, ledger, differences } = comparing
  const key = limitKey(window)
  const { spent, held } = window.exact
  const limit = window.exact.limit as number
  const peak = books.peaks.of(key)
  const shown = ledger.get(key)?.peak ?? 0
  if (held !== 0) differences.push(`${name}: ${grouped(held)} microcents are still held`)
  if (shown > peak) {
    differences.push(`${name}: the ledger shows ${grouped(shown)} microcents spent and held at once, decisions saw ${grouped(peak)} at most`)
  }
  const most = Math.max(spent, peak, shown)
  if (most > limit && !ONLY_WARNED.has(tier)) {
    differences.push(`${name}: ${grouped(most)} microcents were spent or held, above the limit of ${grouped(limit)}`)
  }
  const alerts = books.alerts.filter((alert) => alert.limit === key)
  const crossed = thresholdsOf(tier).filter((pct) => spent * 100 >= limit * pct).length
  const different = new Set(alerts.map(({ id }) => id)).size
  compare(name, 'thresholds', { 'the budget': crossed, alerts: alerts.length, 'different alerts': different }, differences)
  return { limit, peak }
}

/** Asks the engine to compare the store's counters with its ledger and its open holds. */
async function auditStore(bursar: DemoBursar, differences: string[]): Promise<string> {
  const { status, entries, holds, scopes, differences: found } = await bursar.tracker.audit()
  for (const { scope, window, what, exact } of found) {
    const counts = { 'the ledger': exact.expected, 'the counter': exact.counted }
    compare(`audit of ${scope.kind} ${scope.id}, ${window}`, what, counts, differences)
  }
  const line = `the store's own audit is ${status}: ${entries} ledger entries, ${holds} open holds and the counters of ${scopes} scopes`
  if (status !== 'clean') differences.push(line)
  return line
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

/** An integer with its thousands apart. */
function grouped(count: number): string {
  return count.toLocaleString('en-US')
}
