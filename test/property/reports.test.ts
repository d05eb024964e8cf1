// Reports say what the ledger says: summaries in any two zones add up to the same total, stretches of time tile, billing is the ledger's
// sum, whoever sums; and what an anonymised sink has written has nothing of what was chosen in it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anonymised, memoryLedger, Reports, type AnonymisingOptions, type EntrySource, type LedgerEntry, type LedgerKind, type ReportRow } from '../../src/index.js'
import { sessionScope } from '../../src/budget/index.js'
import { callsOf, pageOf, sumsOf } from '../../src/ledger/index.js'
import { Hours } from '../../src/report/hours.js'
import { calendarFor } from '../../src/time/index.js'
import { assertProperty } from '../support/property.js'
import { everyZone } from '../support/time/zones.js'
import { allOf } from '../unit/setting.js'

const zone = fc.oneof(fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/Santiago', 'Pacific/Apia'), fc.constantFrom(...everyZone()))
const unit = fc.constantFrom('hour' as const, 'day' as const, 'week' as const, 'month' as const)
const field = fc.constantFrom('tenant' as const, 'userId' as const, 'model' as const, 'kind' as const, 'metadata.project' as const, 'scopes.team' as const)
const weekStartsOn = fc.constantFrom(0 as const, 1 as const, 6 as const)
const name = fc.constantFrom(undefined, 'a', 'b', 'unassigned', '')
const amount = fc.oneof(fc.integer({ min: -1_000, max: 1_000 }), fc.constantFrom(Number.MAX_SAFE_INTEGER, 1 - Number.MAX_SAFE_INTEGER))
/** Around changes of the clock and of the year, also after the present. */
const instant = fc.oneof(
  fc.integer({ min: Date.UTC(2026, 2, 27), max: Date.UTC(2026, 3, 6) }),
  fc.integer({ min: Date.UTC(2026, 9, 24), max: Date.UTC(2026, 10, 3) }),
  fc.constantFrom(Date.UTC(2025, 11, 31, 23, 30), Date.UTC(2026, 11, 31, 23, 59) + 1),
)
const entries = fc
  .array(fc.record({ kind: fc.constantFrom<LedgerKind[]>('settled', 'expired', 'recorded', 'corrected', 'denied', 'released', 'configured'), at: instant, tenant: name, userId: fc.constantFrom('', 'u', 'v'), model: name, microcents: amount, tokens: amount, calls: fc.constantFrom(undefined, 1, -1), project: name, team: name }), { maxLength: 12 })
  .map((all) => all.map(({ project, team, ...entry }, index): LedgerEntry => ({ id: `e${index}`, decisionId: 'd', charged: [], ...entry, metadata: { project }, scopes: team === undefined ? undefined : { team } })))

/** Each run asks for several reports of several sources. */
const RUNS = Number(process.env['BURSAR_RUNS'] ?? 60)

function* sources(all: readonly LedgerEntry[]): Iterable<EntrySource> {
  const plain: EntrySource = {
    async *entries() {
      yield* all
    },
  }
  yield plain
  yield { entries: () => plain.entries(), page: (...asked) => pageOf(plain, ...asked), sums: (...asked) => sumsOf(plain, ...asked) }
}

function total(rows: readonly ReportRow[]): readonly [bigint, bigint, number, number, number] {
  const sum = (of: (row: ReportRow) => bigint): bigint => rows.reduce((so, row) => so + of(row), 0n)
  return [sum(({ exact }) => exact.microcents), sum(({ exact }) => exact.tokens), ...(['calls', 'denials', 'entries'] as const).map((count) => rows.reduce((so, row) => so + row[count], 0))] as never
}

function ledgerTotal(all: readonly LedgerEntry[]): readonly [bigint, bigint, number, number, number] {
  return [
    all.reduce((so, { microcents }) => so + BigInt(microcents), 0n),
    all.reduce((so, { tokens }) => so + BigInt(tokens), 0n),
    all.reduce((so, entry) => so + callsOf(entry), 0),
    all.filter(({ kind }) => kind === 'denied').length,
    all.length,
  ]
}

describe('summaries', () => {
  it('in any zone, by any stretch of time and any fields, add up to the ledger, and each row is of the stretch that it names', async () => {
    const property = fc.asyncProperty(entries, zone, zone, unit, fc.uniqueArray(field, { maxLength: 3 }), weekStartsOn, async (all, one, other, word, fields, weekday) => {
      const expected = ledgerTotal(all)
      let first: readonly ReportRow[] | undefined
      for (const source of sources(all)) {
        const reports = new Reports(source, { timeZone: one, weekStartsOn: weekday, clock: () => Date.UTC(2026, 5, 1) })
        const rows = await reports.summary({ by: [...fields, word] }).all()
        expect(total(rows)).toEqual(expected)
        expect(total(await reports.summary({ by: [word, ...fields], timeZone: other }).all())).toEqual(expected)
        expect(total(await reports.summary({ by: fields }).all())).toEqual(expected)
        // The same rows in the same order, whoever sums.
        expect(rows).toEqual(first ?? rows)
        first = rows
        const tiling = word === 'hour' ? new Hours(one) : calendarFor({ unit: word, timeZone: one, weekStartsOn: weekday, monthStartsOn: 1 })
        for (const { start, end } of rows) expect(tiling.at(Number(start))).toEqual({ startsAt: Number(start), endsAt: Number(end) })
        for (const [index, row] of rows.entries()) if (index > 0) expect(Number(row.start)).toBeGreaterThanOrEqual(Number(rows[index - 1]?.start))
      }
    })
    await assertProperty('REPORTS: totals', property, RUNS)
  }, 300_000)

  it('of two parts of a time add up to that of the whole', async () => {
    const property = fc.asyncProperty(entries, zone, unit, fc.tuple(instant, instant, instant), async (all, timeZone, word, cuts) => {
      const [from, middle, until] = [...cuts].sort((a, b) => a - b) as [number, number, number]
      if (from === middle || middle === until) return
      for (const source of sources(all)) {
        const reports = new Reports(source, { timeZone, clock: () => Date.UTC(2026, 5, 1) })
        const sum = async (start: number, end: number) => total(await reports.summary({ by: [word, 'tenant'], from: start, until: end }).all())
        const [whole, before, after] = [await sum(from, until), await sum(from, middle), await sum(middle, until)]
        expect(before.map((part, index) => (part as number) + (after[index] as number))).toEqual(whole)
        expect(whole).toEqual(ledgerTotal(all.filter(({ at }) => at >= from && at < until)))
        for (const { start, end } of await reports.summary({ by: [word], from, until }).all()) expect(Number(start) >= from && Number(start) < Number(end) && Number(end) <= until).toBe(true)
      }
    })
    await assertProperty('REPORTS: parts', property, RUNS)
  }, 300_000)

  it('bill what the ledger has, by day as by client', async () => {
    const property = fc.asyncProperty(entries, zone, async (all, timeZone) => {
      const [microcents, tokens, calls] = ledgerTotal(all)
      for (const source of sources(all)) {
        const reports = new Reports(source, { timeZone })
        for (const rows of [await reports.billing().all(), await reports.byClient().all(), await reports.daily().all()]) {
          expect(rows.reduce((so, { exact }) => so + exact.microcents, 0n)).toBe(microcents)
          expect(rows.reduce((so, { exact }) => so + exact.tokens, 0n)).toBe(tokens)
          expect(rows.reduce((so, row) => so + row.calls, 0)).toBe(calls)
        }
        for (const { models, exact } of await reports.byClient().all()) expect(models.reduce((so, model) => so + model.exact.microcents, 0n)).toBe(exact.microcents)
      }
    })
    await assertProperty('REPORTS: billing', property, RUNS)
  }, 300_000)
})

describe('WINDOW-TRUTH: hours of the wall clock', () => {
  it('tile time in every zone', async () => {
    const property = fc.asyncProperty(zone, fc.integer({ min: Date.UTC(1973, 0, 1), max: Date.UTC(2100, 0, 1) }), async (timeZone, at) => {
      const { startsAt, endsAt } = new Hours(timeZone).at(at)
      expect(startsAt <= at && at < endsAt && endsAt - startsAt <= 3_600_000).toBe(true)
      const hours = new Hours(timeZone)
      expect(hours.at(startsAt)).toEqual({ startsAt, endsAt })
      expect(hours.at(endsAt - 1)).toEqual({ startsAt, endsAt })
      expect(hours.at(endsAt).startsAt).toBe(endsAt)
      expect(hours.at(startsAt - 1).endsAt).toBe(startsAt)
      // And days are made of whole hours.
      const day = calendarFor({ unit: 'day', timeZone, weekStartsOn: 1, monthStartsOn: 1 }).at(at)
      expect(hours.at(day.startsAt).startsAt).toBe(day.startsAt)
    })
    await assertProperty('WINDOW-TRUTH: hours', property)
  }, 120_000)
})

/** Texts that can be told from everything else in an entry. */
const secret = fc.tuple(fc.constantFrom('', '/', '%', '"', '\\', '.*', '$&', 'é', '🙂 '), fc.uuid()).map(([odd, id]) => `x${odd}${id}`)
const chosen = fc.uniqueArray(fc.constantFrom('userId' as const, 'tenant' as const, 'sessionId' as const, 'scopes.team' as const, 'metadata.email' as const, 'reason' as const), { minLength: 1 })

describe('anonymised sinks', () => {
  it('have nothing of a chosen field in what was written, also where the anonymiser fails, and every amount', async () => {
    const property = fc.asyncProperty(chosen, fc.array(fc.tuple(secret, secret, secret, secret, secret, secret), { minLength: 1, maxLength: 5 }), fc.infiniteStream(fc.constantFrom('throws', 'none', 'late', 'text')), async (fields, people, outcomes) => {
      const plain = new Set<string>()
      const written = people.map(([userId, tenant, sessionId, team, email, reason], index): LedgerEntry => {
        const texts = { userId, tenant, sessionId, 'scopes.team': team, 'metadata.email': email, reason }
        for (const field of fields) plain.add(texts[field])
        const user = { userId, tenant }
        const charged = [{ kind: 'user', id: userId, tenant }, sessionScope(user, sessionId), { kind: 'tenant', id: tenant }, { kind: 'team', id: team }].map((scope) => ({ scope, window: 'daily', startsAt: 0 }))
        const metadata = { email, note: `${userId}, ${tenant}: ${email} (${sessionId}; ${team})`, list: [{ [userId]: tenant, at: team }] }
        return { id: `e${index}`, kind: 'settled', at: index, decisionId: 'd', ...user, sessionId, scopes: { team }, microcents: index + 1, tokens: 0, charged, reason, metadata }
      })
      const using = (text: string): string => {
        const outcome = outcomes.next().value
        if (outcome === 'throws') throw new Error(text)
        return (outcome === 'none' ? undefined : outcome === 'late' ? Promise.resolve(text) : `anon${text.length}`) as string
      }
      const inner = memoryLedger()
      const sink = anonymised(inner, { fields, using, onFailure: () => {} } as AnonymisingOptions)
      await sink.write(written)
      const kept = await allOf(inner.entries())
      expect(kept.map(({ microcents }) => microcents)).toEqual(written.map(({ microcents }) => microcents))
      const json = JSON.stringify(kept)
      for (const text of plain) for (const form of [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text)]) expect(json).not.toContain(form)
    })
    await assertProperty('ANONYMISED', property)
  }, 120_000)
})
