// How much slower the SQLite store is than a bare loop of the same transactions on the same file: reserve and settle over a day, a
// week and a month, with a hold and a ledger entry, two immediate transactions for each pair. `node --import tsx bench/sqlite.ts`

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase, type SqliteDatabase } from '../src/store/sqlite/driver.js'
import { sqliteStore } from '../src/store/sqlite/index.js'
import type { ScopeTerms, Store, WindowTerms } from '../src/store/index.js'
import { calendarFor, type CalendarUnit } from '../src/time/index.js'
import { newId } from '../src/tracker/ids.js'
import { printTable } from './table.js'

const USERS = 10_000
const ROUNDS = 15
const PAIRS = 4_000
const LIMIT = 1e14
const ESTIMATE = 1_000
const COST = 800
const PERIODS = ['daily', 'weekly', 'monthly'] as const
const UNITS: Readonly<Record<(typeof PERIODS)[number], CalendarUnit>> = { daily: 'day', weekly: 'week', monthly: 'month' }
const calendars = PERIODS.map((period) => calendarFor({ unit: UNITS[period], timeZone: 'UTC', weekStartsOn: 1, monthStartsOn: 1 }))

/** One LLM request of a user: a hold, then its cost. */
interface Contestant {
  readonly name: string
  pair(userId: string): void
  close(): void
}

/** What a careful hand would write for this one job: no second kind of window, no expiry, no repeats, no memory of limits. */
function bareLoop(path: string, packed: boolean, indexed: boolean): Contestant {
  const database = openDatabase(path)
  const table = `bare_${packed ? 'packed' : 'plain'}_${indexed ? 'indexed' : 'lean'}`
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000; PRAGMA cache_size = -16384')
  database.exec(`
    CREATE TABLE ${table}_hold (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, microcents INTEGER NOT NULL, due_at INTEGER NOT NULL, opened_at INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE ${table}_entry (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, decision_id TEXT NOT NULL, user_id TEXT NOT NULL, tier TEXT, model TEXT,
      microcents INTEGER NOT NULL, estimated_microcents INTEGER NOT NULL, opened_at INTEGER NOT NULL, charged TEXT NOT NULL);`)
  // Without them no hold ends by itself, and no entry of a user is found.
  if (indexed) database.exec(`CREATE INDEX ${table}_due ON ${table}_hold (due_at) WHERE state = 'open'; CREATE INDEX ${table}_entry_user ON ${table}_entry (user_id)`)
  const counters = packed ? packedCounters(database, table) : countersByWindow(database, table)
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const open = database.prepare(`INSERT INTO ${table}_hold VALUES (?, ?, ?, ?, ?, 'open')`)
  const find = database.prepare(`SELECT user_id, microcents, opened_at, state FROM ${table}_hold WHERE id = ?`)
  const end = database.prepare(`UPDATE ${table}_hold SET state = 'settled' WHERE id = ?`)
  const write = database.prepare(`INSERT INTO ${table}_entry (id, kind, at, decision_id, user_id, tier, model, microcents, estimated_microcents, opened_at, charged) VALUES (?, 'settled', ?, ?, ?, 'pro', 'large', ?, ?, ?, ?)`)
  return {
    name: `bare, a row for each ${packed ? 'user' : 'window'}${indexed ? ', due and ledger indexed' : ''}`,
    pair(userId) {
      const id = newId()
      begin.run()
      const openedAt = Date.now()
      if (!counters.hold(userId, ESTIMATE, openedAt)) throw new Error('refused')
      open.run(id, userId, ESTIMATE, openedAt + 600_000, openedAt)
      commit.run()
      begin.run()
      const at = Date.now()
      const hold = find.get(id) as { user_id: string; microcents: number; opened_at: number; state: string }
      if (hold.state !== 'open') throw new Error('ended')
      const starts = counters.settle(hold.user_id, hold.microcents, COST)
      end.run(id)
      const charged = PERIODS.map((period, index) => ({ scope: { kind: 'user', id: userId }, window: `${period}/usd`, startsAt: starts[index] }))
      write.run(`${id}:settled`, at, id, userId, COST, hold.microcents, hold.opened_at, JSON.stringify(charged))
      commit.run()
    },
    close: () => database.close(),
  }
}

interface Counters {
  /** False where a window has no room. */
  hold(userId: string, microcents: number, now: number): boolean
  /** Gives when the windows started. */
  settle(userId: string, held: number, microcents: number): readonly number[]
}

function countersByWindow(database: SqliteDatabase, table: string): Counters {
  database.exec(`CREATE TABLE ${table}_counter (user_id TEXT NOT NULL, period INTEGER NOT NULL, starts_at INTEGER NOT NULL, ends_at INTEGER NOT NULL, spent INTEGER NOT NULL, held INTEGER NOT NULL, PRIMARY KEY (user_id, period)) WITHOUT ROWID`)
  const find = database.prepare(`SELECT starts_at, ends_at, spent, held FROM ${table}_counter WHERE user_id = ? ORDER BY period`)
  const put = database.prepare(`INSERT OR REPLACE INTO ${table}_counter VALUES (?, ?, ?, ?, ?, ?)`)
  const hold = database.prepare(`UPDATE ${table}_counter SET held = held + ? WHERE user_id = ?`)
  const settle = database.prepare(`UPDATE ${table}_counter SET held = held - ?, spent = spent + ? WHERE user_id = ?`)
  type Row = { starts_at: number; ends_at: number; spent: number; held: number }
  return {
    hold(userId, microcents, now) {
      const rows = find.all(userId) as Row[]
      if (rows.length === 3 && rows.every((row) => now < row.ends_at)) {
        if (rows.some((row) => row.spent + row.held + microcents > LIMIT)) return false
        hold.run(microcents, userId)
        return true
      }
      calendars.forEach((calendar, period) => {
        const { startsAt, endsAt } = calendar.at(now)
        put.run(userId, period, startsAt, endsAt, 0, microcents)
      })
      return true
    },
    settle(userId, held, microcents) {
      const rows = find.all(userId) as Row[]
      settle.run(held, microcents, userId)
      return rows.map((row) => row.starts_at)
    },
  }
}

function packedCounters(database: SqliteDatabase, table: string): Counters {
  const columns = PERIODS.flatMap((period) => ['starts_at', 'ends_at', 'spent', 'held'].map((name) => `${period}_${name}`))
  database.exec(`CREATE TABLE ${table}_counter (user_id TEXT PRIMARY KEY, ${columns.map((column) => `${column} INTEGER NOT NULL`).join(', ')}) WITHOUT ROWID`)
  const find = database.prepare(`SELECT ${columns.join(', ')} FROM ${table}_counter WHERE user_id = ?`)
  const put = database.prepare(`INSERT OR REPLACE INTO ${table}_counter VALUES (?${', ?'.repeat(columns.length)})`)
  const hold = database.prepare(`UPDATE ${table}_counter SET ${PERIODS.map((period) => `${period}_held = ${period}_held + ?1`).join(', ')} WHERE user_id = ?2`)
  const settle = database.prepare(`UPDATE ${table}_counter SET ${PERIODS.map((period) => `${period}_held = ${period}_held - ?1, ${period}_spent = ${period}_spent + ?2`).join(', ')} WHERE user_id = ?3`)
  type Row = Record<string, number>
  return {
    hold(userId, microcents, now) {
      const row = find.get(userId) as Row | undefined
      if (row !== undefined && PERIODS.every((period) => now < row[`${period}_ends_at`]!)) {
        if (PERIODS.some((period) => row[`${period}_spent`]! + row[`${period}_held`]! + microcents > LIMIT)) return false
        hold.run(microcents, userId)
        return true
      }
      put.run(userId, ...calendars.flatMap((calendar) => [calendar.at(now).startsAt, calendar.at(now).endsAt, 0, microcents]))
      return true
    },
    settle(userId, held, microcents) {
      const row = find.get(userId) as Row
      settle.run(held, microcents, userId)
      return PERIODS.map((period) => row[`${period}_starts_at`]!)
    },
  }
}

function bursarStore(path: string): Contestant {
  const store: Store = sqliteStore({ path })
  const ceiling = { max: LIMIT, pre: LIMIT }
  const windows: readonly WindowTerms[] = PERIODS.map((period, index) => ({
    window: `${period}/usd`,
    unit: 'usd',
    source: { kind: 'calendar', calendar: calendars[index]! },
    limit: LIMIT,
    block: ceiling,
    degrade: null,
    alerts: [80, 100].map((thresholdPct) => ({ thresholdPct, at: (LIMIT / 100) * thresholdPct })),
  }))
  return {
    name: 'bursar',
    pair(userId) {
      const id = newId()
      const scopes: ScopeTerms[] = [{ scope: { kind: 'user', id: userId }, key: `user//${userId}`, windows }]
      const facts = { user: { userId }, tier: 'pro', model: 'large' }
      const held = store.reserve({ id, fingerprint: `["${userId}","pro","large",${ESTIMATE}]`, idGiven: false, ttlMs: 600_000, onExpiry: 'charge', scopes, rungs: [{ microcents: ESTIMATE, tokens: 0 }], facts })
      if (!('outcome' in held) || held.outcome !== 'admitted') throw new Error('refused')
      const settled = store.settle({ id, microcents: COST })
      if (!('outcome' in settled) || settled.outcome !== 'settled') throw new Error('not settled')
    },
    close: () => void store.close(),
  }
}

function microsecondsAPair(contestant: Contestant, users: readonly string[], pairs: number): number {
  const start = performance.now()
  for (let index = 0; index < pairs; index += 1) contestant.pair(users[(index * 7_919) % users.length]!)
  return ((performance.now() - start) / pairs) * 1_000
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1]!
}

const folder = mkdtempSync(join(tmpdir(), 'bursar-bench-'))
try {
  const path = join(folder, 'bursar.db')
  const users = Array.from({ length: USERS }, (_, index) => `user_${index}`)
  const contestants = [bursarStore(path), bareLoop(path, false, false), bareLoop(path, true, false), bareLoop(path, true, true)]
  for (const contestant of contestants) microsecondsAPair(contestant, users, USERS)
  const times = contestants.map((): number[] => [])
  for (let round = 0; round < ROUNDS; round += 1) {
    const order = contestants.map((_, index) => (round % 2 === 0 ? index : contestants.length - 1 - index))
    for (const index of order) times[index]!.push(microsecondsAPair(contestants[index]!, users, PAIRS))
  }
  for (const contestant of contestants) contestant.close()
  const rows = contestants.map(({ name }, index) => {
    const ratios = times[index]!.map((time, round) => time / times[0]![round]!)
    return [name, median(times[index]!).toFixed(1), (1_000 / median(times[index]!)).toFixed(1), index === 0 ? '' : median(ratios).toFixed(2)]
  })
  console.log(`SQLite, WAL / NORMAL, Node ${process.version}: reserve + settle over three windows, ${USERS} users, ${ROUNDS} rounds of ${PAIRS} pairs, medians`)
  printTable(['contestant', 'µs a pair', 'thousand pairs/s', 'bursar is × of it'], rows, 1)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
