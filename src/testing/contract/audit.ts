// Cases of the store contract: what an audit finds in a store's counters and its ledger, and how either is mended. Where a store
// declares no auditor, its counters cannot be compared, and only what it writes into the ledger is looked at.

import { audit, type AuditReport } from '../../audit/index.js'
import type { LedgerEntry } from '../../ledger/index.js'
import type { Auditor, CounterCorrection, LedgerStanding } from '../../store/index.js'
import { bucketIndex, rollingRule } from '../../time/index.js'
import { Bench, DAY, entriesOf, equal, HOUR, MINUTE, outcomeIs, SECOND, teamOf, userOf, windowOf, type OpenStore, type StoreContractCase } from './kit.js'

const ann = userOf('ann', windowOf(1_000), windowOf(1_000, { period: 'total' }), windowOf(1_000, { unit: 'tokens', period: 'monthly' }), windowOf(50, { unit: 'requests', rollingMs: HOUR }))
const search = teamOf('search', windowOf(1_000, { rollingMs: HOUR }), windowOf(100, { unit: 'requests' }))
const both = [ann, search]
const START = Date.UTC(2026, 0, 15, 12)
const TODAY = Date.UTC(2026, 0, 15)

/** A store with every kind of entry behind it, in windows that run, ended and turned, and with open holds; and its auditor. */
async function afterMuch(open: OpenStore): Promise<{ readonly bench: Bench; readonly auditor: Auditor } | undefined> {
  const bench = await Bench.at(open, '2026-01-14T20:00:00Z')
  const { auditor } = bench.store
  if (auditor === undefined) return undefined
  await bench.spend(both, 'yesterday', 30, 4)
  await bench.hold(both, { id: 'straddles', microcents: 20, tokens: 2, ttlMs: DAY })
  bench.clock.set(START)
  await bench.spend(both, 'refunded', 17, 3)
  await bench.refund({ id: 'r1', microcents: 5, of: 'refunded' })
  await bench.refund({ id: 'r2', microcents: 7, of: 'yesterday' })
  await bench.hold(both, { id: 'released', microcents: 9 })
  await bench.release({ id: 'released' })
  await bench.hold(both, { id: 'never', microcents: 9 })
  await bench.release({ id: 'never', uncount: true })
  await bench.release({ id: 'unheard', tombstone: true })
  await bench.hold(both, { id: 'late', microcents: 10, tokens: 6, ttlMs: SECOND })
  await bench.hold([ann], { id: 'expired', microcents: 11, ttlMs: SECOND, onExpiry: 'release' })
  bench.clock.advance(10 * MINUTE)
  await bench.settle({ id: 'late', microcents: 14, tokens: 1 })
  await bench.settle({ id: 'straddles', microcents: 25, tokens: 2 })
  await bench.record([search], { id: 'recorded', microcents: 40, tokens: 8, facts: { user: { userId: 'bob' }, tier: 'pro' } })
  await bench.store.ledger.append({ id: 'd:denied', kind: 'denied', at: bench.clock(), decisionId: 'd', userId: 'ann', microcents: 0, tokens: 0, charged: [] })
  await bench.hold(both, { id: 'open', microcents: 13, tokens: 5 })
  await bench.hold([search], { id: 'due', microcents: 2, ttlMs: SECOND })
  bench.clock.advance(SECOND)
  return { bench, auditor }
}

async function audited({ store }: Bench, options: Parameters<typeof audit>[1] = {}): Promise<AuditReport> {
  return audit(store, options, () => crypto.randomUUID())
}

function named({ differences }: Pick<AuditReport, 'differences'>): string[] {
  return differences.map(({ scope, window, what, exact }) => `${scope.id} ${window} ${what}: ${exact.counted - exact.expected}`)
}

/** Wrong additions to each kind of counter, with the one difference that an audit must find by each. */
const FALSIFIED: readonly [what: string, wrong: CounterCorrection, found: string][] = [
  ['a calendar window', { scope: ann.scope, window: 'daily/usd', startsAt: TODAY, spent: 3, held: 0, entries: 0 }, 'ann daily/usd spent: 3'],
  ['a window that never ends', { scope: ann.scope, window: 'total/usd', startsAt: 0, spent: -3, held: 0, entries: 0 }, 'ann total/usd spent: -3'],
  ['a window of tokens', { scope: ann.scope, window: 'monthly/tokens', startsAt: Date.UTC(2026, 0, 1), spent: 2, held: 0, entries: 0 }, 'ann monthly/tokens spent: 2'],
  ['a bucket', { scope: search.scope, window: `rolling:${HOUR}/usd`, startsAt: START, spent: -4, held: 0, entries: 0 }, `search rolling:${HOUR}/usd spent: -4`],
  ['an empty bucket', { scope: search.scope, window: `rolling:${HOUR}/usd`, startsAt: START + 4 * MINUTE, spent: 4, held: 0, entries: 0 }, `search rolling:${HOUR}/usd spent: 4`],
  ['a calendar window of requests', { scope: search.scope, window: 'daily/requests', startsAt: TODAY, spent: 1, held: 0, entries: 0 }, 'search daily/requests spent: 1'],
  ['a bucket of requests', { scope: ann.scope, window: `rolling:${HOUR}/requests`, startsAt: START, spent: -1, held: 0, entries: 0 }, `ann rolling:${HOUR}/requests spent: -1`],
  ['what a calendar window holds', { scope: ann.scope, window: 'daily/usd', startsAt: TODAY, spent: 0, held: 6, entries: 0 }, 'ann daily/usd held: 6'],
  ['what a rolling window holds', { scope: search.scope, window: `rolling:${HOUR}/usd`, startsAt: START, spent: 0, held: -6, entries: 0 }, `search rolling:${HOUR}/usd held: -6`],
  ['the lifetime cost', { scope: ann.scope, startsAt: 0, spent: 8, held: 0, entries: 0 }, 'ann lifetime/usd lifetime: 8'],
  ['the number of entries', { scope: search.scope, startsAt: 0, spent: 0, held: 0, entries: -1 }, 'search lifetime/entries lifetime: -1'],
]

const repairCases: readonly StoreContractCase[] = FALSIFIED.flatMap(([what, wrong, found]) => [
  {
    name: `finds by an audit that ${what} is wrong, and mends the counter`,
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench, auditor } = setting
      const before = await bench.counted(...both)
      const totals = await bench.store.totals({ userId: 'ann' })
      await auditor.correct([wrong])
      const different = await audited(bench)
      equal([different.status, ...named(different)], ['different', found], 'an audit of what is wrong')
      const repaired = await audited(bench, { repair: 'counters' })
      equal([repaired.status, ...named({ differences: repaired.repaired })], ['repaired', found], 'the repair')
      equal(await bench.counted(...both), before, 'the windows as they were')
      equal(await bench.store.totals({ userId: 'ann' }), totals, 'the totals as they were')
      equal((await audited(bench)).status, 'clean', 'an audit afterwards')
    },
  },
  {
    name: `mends the ledger where the counter of ${what} is right`,
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench, auditor } = setting
      await bench.counted(...both)
      const entries = await entriesOf(bench)
      await auditor.correct([wrong])
      const counters = await bench.counted(...both)
      const report = await audited(bench, { repair: 'ledger' })
      if (wrong.held !== 0) {
        equal([report.status, report.repaired.length, ...named(report)], ['different', 0, found], 'what is held, which is no matter of the ledger')
        equal((await entriesOf(bench)).length, entries.length, 'the length of the ledger')
        return
      }
      equal([report.status, ...named({ differences: report.repaired })], ['repaired', found], 'the repair')
      equal(await bench.counted(...both), counters, 'the windows, which nothing has changed')
      const written = (await entriesOf(bench)).slice(entries.length)
      equal(written.map(({ kind, reason }) => `${kind} ${reason ?? ''}`), ['corrected audit'], 'what was written')
      equal((await audited(bench)).status, 'clean', 'an audit afterwards')
    },
  },
])

const snapshotCases: readonly StoreContractCase[] = [
  {
    name: 'is clean in an audit after all that can happen',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const report = await audited(setting.bench)
      equal([report.status, ...named(report)], ['clean'], 'the audit')
      equal([report.holds, report.scopes], [1, 2], 'open holds and scopes')
      equal(report.entries, (await entriesOf(setting.bench)).length, 'entries that were read')
      equal(report.at.getTime(), START + 10 * MINUTE + SECOND, 'the moment')
    },
  },
  {
    name: 'is clean in an audit when a day has passed and when it has turned',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench } = setting
      bench.clock.advance(DAY)
      equal((await audited(bench)).status, 'clean', 'when all windows of a day have ended')
      await bench.spend(both, 'next', 21, 2)
      equal((await audited(bench)).status, 'clean', 'when they have turned')
      await bench.refund({ id: 'r3', microcents: 21 })
      await bench.refund({ id: 'r4', microcents: 12, of: 'refunded' })
      equal((await audited(bench)).status, 'clean', 'after refunds of both days')
    },
  },
  {
    name: 'is clean in an audit when scopes may have been forgotten and come again',
    async run(open) {
      const bench = await Bench.at(open)
      if (bench.store.auditor === undefined) return
      await bench.spend(both, 'before', 10, 3)
      bench.clock.advance(40 * DAY)
      for (let other = 0; other < 20; other += 1) await bench.spend([userOf(`user ${other}`, windowOf(100))], `of ${other}`, 5)
      const again = [userOf('user 0', windowOf(100)), search]
      bench.clock.advance(DAY)
      for (let other = 20; other < 40; other += 1) await bench.spend([userOf(`user ${other}`, windowOf(100))], `of ${other}`, 5)
      await bench.spend(again, 'after', 4)
      await bench.refund({ id: 'r', microcents: 6, of: 'before' })
      const report = await audited(bench)
      equal([report.status, ...named(report)], ['clean'], 'the audit')
    },
  },
  {
    name: 'snapshots one moment, whatever is written while it is read',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench, auditor } = setting
      const snapshot = await auditor.snapshot()
      const count = (await entriesOf(bench)).length
      await bench.settle({ id: 'open', microcents: 12, tokens: 1 })
      await bench.spend(both, 'more', 5)
      let read = 0
      for await (const entry of snapshot.entries()) {
        read += 1
        equal(['more', 'open'].includes(entry.decisionId), false, `entry ${entry.id} from after the moment`)
      }
      equal(read, count, 'entries that were read')
      equal(snapshot.holds.map(({ id, amounts }) => [id, amounts.microcents, amounts.tokens]), [['open', 13, 5]], 'open holds')
    },
  },
  {
    name: 'snapshots the buckets that count, and the one instance of a calendar window',
    async run(open) {
      const bench = await Bench.at(open)
      const { auditor } = bench.store
      if (auditor === undefined) return
      const { bucketMs } = rollingRule(HOUR)
      await bench.spend(both, 'a', 10, 3)
      bench.clock.advance(bucketMs)
      await bench.hold(both, { id: 'b', microcents: 5 })
      const { scopes, now, complete } = await auditor.snapshot()
      equal([now, complete], [START + bucketMs, true], 'moment and completeness')
      const first = bucketIndex(rollingRule(HOUR), START) * bucketMs
      const shown = scopes.map(({ scope, microcents, entries, windows }) => [scope.id, microcents, entries, ...windows.map(({ window, held, spent }) => [window, held, ...spent.filter(({ amount, startsAt }) => amount > 0 || startsAt === TODAY).map(({ startsAt, amount }) => [startsAt, amount])]).sort()])
      equal(shown.sort(), [
        ['ann', 10, 1, ['daily/usd', 5, [TODAY, 10]], ['monthly/tokens', 0, [Date.UTC(2026, 0, 1), 3]], [`rolling:${HOUR}/requests`, 0, [first, 1], [first + bucketMs, 1]], ['total/usd', 5, [0, 10]]],
        ['search', 10, 1, ['daily/requests', 0, [TODAY, 2]], [`rolling:${HOUR}/usd`, 5, [first, 10]]],
      ], 'counters')
      bench.clock.advance(DAY)
      const later = await auditor.snapshot()
      const buckets = later.scopes.flatMap(({ windows }) => windows.filter(({ window }) => window.startsWith('rolling')))
      equal(buckets.flatMap(({ spent }) => spent.filter(({ startsAt, amount }) => amount > 0 && startsAt < START + DAY - HOUR - bucketMs)), [], 'buckets that count no more')
    },
  },
  {
    name: 'corrects counters only where the stored instance is the one that is meant',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench, auditor } = setting
      const before = await bench.counted(...both)
      const addition = { spent: 5, held: 5, entries: 0 }
      await auditor.correct([
        { ...addition, scope: ann.scope, window: 'daily/usd', startsAt: TODAY - DAY },
        { ...addition, scope: ann.scope, window: 'weekly/usd', startsAt: TODAY },
        { ...addition, scope: { kind: 'user', id: 'nobody' }, window: 'daily/usd', startsAt: TODAY },
        { ...addition, scope: { kind: 'user', id: 'nobody' }, startsAt: 0 },
      ])
      equal(await bench.counted(...both), before, 'the windows')
      equal((await audited(bench)).status, 'clean', 'an audit afterwards')
      await auditor.correct([{ scope: ann.scope, window: 'daily/usd', startsAt: TODAY, spent: -1_000, held: -1_000, entries: 0 }])
      equal((await bench.counted(ann))[0], [0, 0], 'a counter of which more was taken than it had')
    },
  },
  {
    name: 'makes a repair only where no other was made since its snapshot',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench, auditor } = setting
      const wrong = { scope: ann.scope, window: 'daily/usd', startsAt: TODAY, spent: 7, held: 0, entries: 0 }
      await auditor.correct([wrong])
      const { repairs } = await auditor.snapshot()
      equal(await auditor.correct([{ ...wrong, spent: -7 }], repairs), true, 'the first repair of a snapshot')
      const [mended] = await bench.counted(ann)
      equal(await auditor.correct([{ ...wrong, spent: -7 }], repairs), false, 'the second')
      equal(await auditor.append([], repairs), false, 'a repair of the ledger after it')
      equal((await bench.counted(ann))[0], mended, 'the counter')
      equal((await audited(bench)).status, 'clean', 'an audit afterwards')
      await auditor.correct([wrong])
      const reports = await Promise.all([1, 2, 3].map(() => audited(bench, { repair: 'counters' })))
      equal(reports.filter(({ differences }) => differences.length > 0), [], 'what three repairs at once have left')
      equal((await bench.counted(ann))[0], mended, 'the counter after them')
    },
  },
  {
    name: 'sums what an audit has appended with all that was charged',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting === undefined) return
      const { bench, auditor } = setting
      await bench.counted(...both)
      const before = await bench.store.ledger.totals()
      await auditor.correct([{ scope: ann.scope, window: 'total/usd', startsAt: 0, spent: 3, held: 0, entries: 0 }, { scope: ann.scope, startsAt: 0, spent: 3, held: 0, entries: 0 }])
      await audited(bench, { repair: 'ledger' })
      const after = await bench.store.ledger.totals()
      equal([after.microcents - before.microcents, after.tokens - before.tokens, after.entries - before.entries], [3, 0, 1], 'what the sums have grown by')
    },
  },
]

/** A pair of entries that books spend of nobody's to a client. */
function moved(id: string, at: number): readonly [LedgerEntry, LedgerEntry] {
  const common = { kind: 'corrected', at, decisionId: id, userId: 'ann', model: 'large', reason: 'assigned', charged: [] } as const
  return [
    { ...common, id: `${id}:assigned:from`, microcents: -7, tokens: -2, calls: -1 },
    { ...common, id: `${id}:assigned:to`, tenant: 'acme', microcents: 7, tokens: 2, calls: 1 },
  ]
}

const movingCases: readonly StoreContractCase[] = [
  {
    name: 'appends what moves spend to a client only where nobody has since the ledger stood so, and to no totals',
    async run(open) {
      const setting = await afterMuch(open)
      if (setting?.auditor.standing === undefined) return
      const { bench, auditor } = setting
      await bench.counted(...both)
      const stood = async (): Promise<Partial<LedgerStanding>> => (await auditor.standing?.()) ?? {}
      const standing = async (): Promise<number> => (await stood()).repairs ?? -1
      const first = await standing()
      equal(await standing(), first, 'the number when nothing has happened')
      equal((await auditor.snapshot()).repairs, first, 'the number of a snapshot')
      const before = await bench.store.ledger.totals()
      const count = (await entriesOf(bench)).length
      const { room = 0 } = await stood()
      const takesAny = room >= 6
      equal(await auditor.append([...moved('refunded', START), ...moved('yesterday', START)], first), takesAny, 'the first append')
      equal(await auditor.append(moved('late', START), first), false, 'another one of the same standing')
      equal(await standing(), takesAny ? first + 1 : first, 'the number after one')
      equal(await auditor.append(moved('late', START), await standing()), takesAny, 'one of the next standing')
      const last = await standing()
      await auditor.correct([])
      equal(await auditor.append(moved('recorded', START), last), false, 'one after a repair of counters')
      const written = takesAny ? ['refunded', 'yesterday', 'late'] : []
      equal((await entriesOf(bench)).slice(count).map(({ id }) => id), written.flatMap((id) => [`${id}:assigned:from`, `${id}:assigned:to`]), 'what was written')
      equal(JSON.stringify(await bench.store.ledger.totals()), JSON.stringify(before), 'the totals')
      equal((await audited(bench)).status, 'clean', 'an audit afterwards')
      if (takesAny) equal((await stood()).room, room - 6, 'the room that is left')
    },
  },
]

const ledgerCases: readonly StoreContractCase[] = [
  {
    name: 'charges no window of requests with the release of a request that never was',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(both, { id: 'never', microcents: 5 })
      await bench.hold(both, { id: 'was', microcents: 5 })
      outcomeIs(await bench.release({ id: 'never', uncount: true }), 'released', 'a release that takes the request back')
      outcomeIs(await bench.release({ id: 'was' }), 'released', 'a release')
      const charged = (await entriesOf(bench)).map((entry) => entry.charged.map(({ scope, window }) => `${scope.id} ${window}`).join(', '))
      const money = `ann daily/usd, ann total/usd, ann monthly/tokens`
      equal(charged, [`${money}, search rolling:${HOUR}/usd`, `${money}, ann rolling:${HOUR}/requests, search rolling:${HOUR}/usd, search daily/requests`], 'the windows that each entry is charged to')
    },
  },
]

/** See the head of this file. */
export const auditCases: readonly StoreContractCase[] = [...snapshotCases, ...repairCases, ...movingCases, ...ledgerCases]
