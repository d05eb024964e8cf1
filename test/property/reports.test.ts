// Reports say what the ledger says: summaries in any two zones add up to the same total, stretches of time tile, billing is the ledger's
// sum, whoever sums; and what an anonymised sink has written has nothing of what was chosen in it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anonymised, memoryLedger, Reports, type AnonymisingOptions, type EntrySource, type LedgerEntry, type LedgerKind, type ReportRow } from '../../src/index.js'
import { limitScope, sessionScope } from '../../src/budget/index.js'
import type { ScopeId } from '../../src/enforcement/index.js'
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

const FIELDS = ['userId', 'tenant', 'tier', 'sessionId', 'provider', 'model', 'scopes.team', 'reason', 'metadata.email', 'metadata.phone', 'metadata.person', 'metadata.user.email'] as const
type Said = Record<(typeof FIELDS)[number], string>

/** Texts that can be told from everything else in an entry, and by their ends from each other. */
const secrets = fc
  .array(fc.array(fc.tuple(fc.constantFrom('', '/', '%', '"', '\\', '.*', '$&', 'é', '🙂 ', ' '), fc.uuid()), { minLength: FIELDS.length, maxLength: FIELDS.length }), { minLength: 1, maxLength: 4 })
  .map((people) => people.map((texts, person) => Object.fromEntries(texts.map(([odd, id], index) => [FIELDS[index], FIELDS[index] === 'metadata.phone' ? `77${person}${index + 10}0077` : `x${odd}${id}${markOf(person, index)}`])) as Said))

function markOf(person: number, index: number): string {
  return `q${person}q${index}q`
}

/** Every way in which a text stands in another one. */
function inAllForms(texts: readonly string[]): string {
  const forms = [(text: string) => text, (text: string) => text.toUpperCase(), encodeURIComponent, (text: string) => encodeURIComponent(encodeURIComponent(text)), (text: string) => JSON.stringify(`\n${text}`), (text: string) => text.normalize('NFD')]
  return forms.map((form) => texts.map(form).join(', ')).join('; ')
}

/** Entries of every kind that a store or an engine writes; each has the texts that it mentions in a field of its own. */
function entriesAbout(said: Said, name: string): LedgerEntry[] {
  const { userId, tenant, tier, sessionId, provider, model, reason, 'scopes.team': team } = said
  const user = { userId, tenant }
  const nobody = { userId: '', microcents: 0, tokens: 0, charged: [], at: 1 }
  const member = (who: string): ScopeId => limitScope({ limitId: `each-${userId}`, generation: 2, member: who, tenant })
  const scopes: ScopeId[] = [{ kind: 'user', id: userId, tenant }, { kind: 'tenant', id: tenant }, { kind: 'tier', id: tier }, { kind: 'team', id: team }, { kind: 'global', id: 'global' }, sessionScope(user, sessionId), ...[userId, tenant, tier, team].map(member)]
  const charged = scopes.map((scope) => ({ scope, window: 'daily/usd', startsAt: 0 }))
  const rungs = [model, `${model}2`].map((each) => ({ model: each, microcents: 1, tokens: 0 }))
  const personal = { email: said['metadata.email'], phone: Number(said['metadata.phone']), person: { names: [said['metadata.person']] }, user: { email: said['metadata.user.email'] } }
  // Why is said of what was settled, and of what was booked: elsewhere nobody could tell that it is a reason.
  const note = inAllForms(FIELDS.filter((each) => each !== 'reason').map((each) => said[each]))
  const metadata = { ...personal, note, copies: [personal.phone, { email: personal.email, at: team }], list: [{ [userId]: tenant }], target: { kind: 'tier', id: tier } }
  const spent = { ...user, tier, sessionId, provider, requestedModel: model, model: `${model}2`, rungs, scopes: { team }, at: 1, tokens: 0, charged, metadata }
  const limit = { id: `of-${userId}`, scope: { kind: 'user', id: userId, tenant }, budget: { daily: 1 }, mode: 'block', description: inAllForms([userId, tenant]) }
  const billing = { tier, standing: 'active', customers: [`cus-${userId}`], passedOver: [{ subscription: 's', status: 'active', tier }], reason: inAllForms([tier, userId]), fence: 1 }
  const corrected = { ...spent, kind: 'corrected' as const, decisionId: 'd', microcents: 2, calls: 1, reason: 'assigned', details: { assignment: { run: 'r', reason } } }
  const configured = (why: string, more: Partial<LedgerEntry>): LedgerEntry => ({ ...nobody, kind: 'configured', id: `${name}:${why}`, decisionId: 'd', reason: why, ...more })
  return [
    { ...spent, id: `${name}:settled`, kind: 'settled', decisionId: 'd', microcents: 1, reason, metadata: { ...metadata, why: inAllForms([reason]) } },
    { ...spent, id: `${name}:assigned:to`, ...corrected },
    { ...spent, id: `${name}:denied`, kind: 'denied', decisionId: 'd', microcents: 0, reason: 'budget', charged: [] },
    { ...nobody, id: `audit:${name}`, decisionId: `audit:${name}`, kind: 'corrected', microcents: 3, charged: charged.slice(0, 6), reason: 'audit', metadata: { requests: 1 } },
    configured('tier', { ...user, metadata: { from: `${tier}2`, to: tier, cause: inAllForms([tier, `${tier}2`, userId]) } }),
    configured('limit created', { metadata: { limit, generation: 1 } }),
    configured('limit changed', { metadata: { limit: { ...limit, scope: { kind: 'team', id: team }, id: team, description: team } } }),
    configured('tenant set', { tenant, metadata: { tier, models: [model, `${model}*`] } }),
    configured('session opened', { ...user, sessionId, metadata: { parents: [sessionId, `${sessionId}2`], startsAt: 1, endsAt: 2 } }),
    configured('billing', { ...user, metadata: billing }),
    configured(`moved ${userId}`, { ...user, id: `${name}:moved`, metadata: { of: inAllForms([userId, tenant]) } }),
  ]
}

describe('anonymised sinks', () => {
  it('have nothing of a chosen field in what was written, also where the anonymiser fails, and every amount', async () => {
    const property = fc.asyncProperty(fc.uniqueArray(fc.constantFrom(...FIELDS), { minLength: 1 }), secrets, fc.infiniteStream(fc.constantFrom('throws', 'none', 'late', 'text')), async (fields, people, outcomes) => {
      const written = people.flatMap((said, person) => entriesAbout(said, `e${person}`))
      const using = (text: string): string => {
        const outcome = outcomes.next().value
        if (outcome === 'throws') throw new Error(text)
        return (outcome === 'none' ? undefined : outcome === 'late' ? Promise.resolve(text) : `anon${text.length}`) as string
      }
      const inner = memoryLedger()
      const sink = anonymised(inner, { fields, using, onFailure: () => {} } as AnonymisingOptions)
      await sink.write(written)
      const kept = await allOf(inner.entries())
      const facts = ({ id, kind, at, microcents, calls, charged }: LedgerEntry): unknown => [id, kind, at, microcents, calls, charged.map(({ window, startsAt, scope }) => [window, startsAt, scope.kind])]
      expect(kept.map(facts)).toEqual(written.map(facts))
      for (const [index, { kind, reason }] of kept.entries()) if (kind !== 'settled' && !String(written[index]?.id).endsWith(':moved')) expect(reason).toBe(written[index]?.reason)
      const json = JSON.stringify(kept).toLowerCase()
      for (const [person, said] of people.entries()) {
        for (const field of fields) expect(json).not.toContain(field === 'metadata.phone' ? said[field] : markOf(person, FIELDS.indexOf(field)))
      }
    })
    await assertProperty('ANONYMISED', property, Number(process.env['BURSAR_RUNS'] ?? 300))
  }, 240_000)
})
