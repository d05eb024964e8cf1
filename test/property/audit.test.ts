// CONSERVATION, as an audit sees it: after any trace the counters are what ledger and open holds say; what was falsified on
// purpose is named exactly, and mended either way.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Bursar, type CostTracker, type LedgerEntry } from '../../src/index.js'
import type { AuditReport } from '../../src/audit/index.js'
import type { Auditor, AuditSnapshot, CountedScope, CounterCorrection, Store } from '../../src/store/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { bucketExpiresAt, bucketIndex, rollingRule } from '../../src/time/index.js'
import { assertProperty, propertyHolds } from '../support/property.js'
import { keyOf, Stage, traces, type Command } from '../support/trace.js'
import { witness } from '../support/witness.js'
import type { World } from '../support/world.js'

const LOOK_EVERY = 4

/** What of a snapshot an audit gets to see. */
type View = (snapshot: AuditSnapshot) => AuditSnapshot
const asItIs: View = (snapshot) => snapshot

describe('CONSERVATION, audited', () => {
  it('is found clean after any trace', async () => {
    await assertProperty('CONSERVATION, audited', isClean(asItIs))
  })

  it('is told from a ledger that forgets the overage', async () => {
    const forgetful: View = (snapshot) => seen(snapshot, (entry) => [{ ...entry, microcents: Math.min(entry.microcents, entry.kind === 'settled' ? (entry.estimatedMicrocents ?? 0) : Infinity) }])
    expect(await propertyHolds(isClean(forgetful))).toBe(false)
  })

  it('is told from counters that keep what has been released', async () => {
    const sticky: View = (snapshot) => ({ ...snapshot, holds: snapshot.holds.slice(1) })
    expect(await propertyHolds(isClean(sticky))).toBe(false)
  })

  it('names the one counter that was falsified, and is mended either way', async () => {
    await assertProperty(
      'falsified counters',
      fc.asyncProperty(traces, fc.nat(), fc.integer({ min: 1, max: 99 }), fc.constantFrom('counters' as const, 'ledger' as const), async ({ world, commands }, which, by, repair) => {
        const { stage, tracker } = await played(world, commands)
        const auditor = stage.store.auditor as Auditor
        const wrongs = falsifications(await auditor.snapshot(), by)
        const wrong = wrongs[which % Math.max(1, wrongs.length)]
        if (wrong === undefined) return
        await auditor.correct([wrong.correction])
        expect(named(await tracker.audit())).toEqual([wrong.name])
        const report = await tracker.audit({ repair })
        if (repair === 'ledger' && wrong.correction.held !== 0) {
          expect(report.status).toBe('different')
          return
        }
        expect(report).toMatchObject({ status: 'repaired', differences: [], repaired: [{}] })
        expect(await tracker.audit()).toMatchObject({ status: 'clean' })
      }),
    )
  })

  it('names what an entry was charged to that is written twice or with another amount, and is mended either way', async () => {
    await assertProperty(
      'falsified entries',
      fc.asyncProperty(traces, fc.nat(), fc.boolean(), fc.constantFrom('counters' as const, 'ledger' as const), async ({ world, commands }, which, twice, repair) => {
        let wrong: LedgerEntry | undefined
        // An id of the caller's can stand for another hold after its retention.
        const { stage, tracker } = await played(world, commands, (snapshot) =>
          seen(snapshot, (entry) => (entry.id !== wrong?.id || entry.at !== wrong.at || entry.openedAt !== wrong.openedAt ? [entry] : twice ? [entry, { ...entry }] : [{ ...entry, microcents: entry.microcents + 5, tokens: entry.tokens + 3 }])),
        )
        const snapshot = await (stage.store.auditor as Auditor).snapshot()
        const candidates: LedgerEntry[] = []
        // Where one takes away twice, a sum may fall below zero, where counters stop.
        for await (const entry of snapshot.entries()) if (entry.charged.length > 0 && !(twice && entry.kind === 'corrected')) candidates.push(entry)
        wrong = candidates[which % Math.max(1, candidates.length)]
        if (wrong === undefined) return
        const expected = chargedCounters(snapshot, wrong, twice)
        const found = (await tracker.audit()).differences.filter(({ what }) => what === 'spent')
        expect(found.map(({ scope, window, startsAt }) => `${keyOf(scope)} ${window} ${startsAt.getTime()}`).sort()).toEqual(expected.sort())
        expect((await tracker.audit({ repair })).differences).toEqual([])
        expect(await tracker.audit()).toMatchObject({ status: 'clean' })
      }),
    )
  })

  it('misses the counters of a scope that are gone, and no others', async () => {
    await assertProperty(
      'lost counters',
      fc.asyncProperty(traces, fc.nat(), async ({ world, commands }, which) => {
        let gone: CountedScope | undefined
        const { stage, tracker } = await played(world, commands, (snapshot) => ({ ...snapshot, scopes: snapshot.scopes.filter(({ scope }) => gone === undefined || keyOf(scope) !== keyOf(gone.scope)) }))
        const { scopes } = await (stage.store.auditor as Auditor).snapshot()
        gone = scopes[which % Math.max(1, scopes.length)]
        const counters = new Map<string, number>((gone?.windows ?? []).flatMap(({ window, held, spent }) => [...spent.map(({ startsAt, amount }) => [`${window} spent ${startsAt}`, amount] as const), [`${window} held`, held] as const]))
        // By the ledger, a window that was begun anew and has counted nothing since is still the one before.
        const untouched = new Map((gone?.windows ?? []).flatMap(({ window, held, spent: [instance] }) => (held === 0 && instance?.amount === 0 ? [[window, instance.startsAt]] : [])))
        const { differences: all } = await tracker.audit()
        const differences = all.filter(({ window, startsAt }) => certainlyRuns(window) || startsAt.getTime() >= (untouched.get(window) ?? 0))
        const found = new Map<string, number>(differences.map(({ window, what, startsAt, exact }) => [`${window} ${what}${what === 'held' ? '' : ` ${startsAt.getTime()}`}`, exact.expected]))
        expect(found.size).toBe(differences.length)
        for (const { scope, exact } of differences) expect([keyOf(scope), exact.counted]).toEqual([keyOf((gone as CountedScope).scope), 0])
        for (const [name, expected] of found) expect([name, expected]).toEqual([name, counters.get(name)])
        for (const [name, amount] of counters) if (amount > 0 && certainlyRuns(name)) expect([name, found.get(name)]).toEqual([name, amount])
      }),
    )
  })
})

/** True for a counter of what never ends, or of a bucket that still counts. */
function certainlyRuns(name: string): boolean {
  return name.startsWith('total/') || name.startsWith('rolling:')
}

function isClean(view: View): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const { stage, tracker } = staged(world, view)
    for (const [step, command] of commands.entries()) {
      await stage.play(command)
      if (step % LOOK_EVERY !== 0 && step < commands.length - 1) continue
      const report = await tracker.audit()
      expect({ status: report.status, differences: named(report) }, `after ${JSON.stringify(command)}`).toEqual({ status: 'clean', differences: [] })
    }
  })
}

async function played(world: World, commands: readonly Command[], view: View = asItIs): Promise<{ stage: Stage; tracker: CostTracker<string, string> }> {
  const set = staged(world, view)
  for (const command of commands) await set.stage.play(command)
  return set
}

/** A stage on a memory store, and a tracker beside it that audits the store through a view. */
function staged(world: World, view: View): { stage: Stage; tracker: CostTracker<string, string> } {
  const stage = new Stage(world, (clock) => memoryStore({ clock, ledgerCapacity: 100_000 }))
  const auditor = stage.store.auditor as Auditor
  const viewed: Store = {
    ...witness(stage.store, () => {}),
    auditor: { snapshot: async () => view(await auditor.snapshot()), correct: (corrections) => auditor.correct(corrections), append: (entries) => auditor.append(entries) },
  }
  return { stage, tracker: new Bursar({ ...world.config, store: viewed, clock: stage.clock }).tracker }
}

function seen(snapshot: AuditSnapshot, change: (entry: LedgerEntry) => readonly LedgerEntry[]): AuditSnapshot {
  async function* entries(): AsyncIterable<LedgerEntry> {
    for await (const entry of snapshot.entries()) yield* change(entry)
  }
  return { ...snapshot, entries }
}

function named({ differences }: AuditReport): string[] {
  return differences.map(({ scope, window, what, startsAt }) => `${keyOf(scope)} ${window} ${what} ${startsAt.getTime()}`)
}

/** Every way to make one counter of a snapshot say more (or, by its own amount, less) than is true. */
function falsifications({ scopes, now }: AuditSnapshot, by: number): { readonly correction: CounterCorrection; readonly name: string }[] {
  return scopes.flatMap(({ scope, windows, restarted }) => {
    const key = keyOf(scope)
    const ofWindows = windows.flatMap(({ window, unit, spent, held }) => {
      const ofSpent = spent.flatMap(({ startsAt, amount }) =>
        [by, ...(amount > 0 ? [-Math.min(amount, by)] : [])].map((more) => ({ correction: { scope, window, startsAt, spent: more, held: 0, entries: 0 }, name: `${key} ${window} spent ${startsAt}` })),
      )
      const rule = ruleOf(window)
      const startsAt = rule === undefined ? (spent[0]?.startsAt ?? 0) : bucketIndex(rule, now) * rule.bucketMs
      const more = held > 0 && by % 2 === 0 ? -Math.min(held, by) : by
      return unit === 'requests' ? ofSpent : [...ofSpent, { correction: { scope, window, startsAt, spent: 0, held: more, entries: 0 }, name: `${key} ${window} held ${startsAt}` }]
    })
    // What is known of the lifetime of a scope that was forgotten is only that it cannot be more than the ledger has.
    if (restarted === true) return ofWindows
    return [
      ...ofWindows,
      { correction: { scope, startsAt: 0, spent: by, held: 0, entries: 0 }, name: `${key} lifetime/usd lifetime 0` },
      { correction: { scope, startsAt: 0, spent: 0, held: 0, entries: by }, name: `${key} lifetime/entries lifetime 0` },
    ]
  })
}

/** The counters that an entry is charged to and that still stand. */
function chargedCounters({ scopes, now }: AuditSnapshot, entry: LedgerEntry, twice: boolean): string[] {
  const names = entry.charged.flatMap(({ scope, window, startsAt }) => {
    const counted = scopes.find((each) => keyOf(each.scope) === keyOf(scope))?.windows.find((each) => each.window === window)
    const rule = ruleOf(window)
    const changed = window.endsWith('/requests') ? twice : !twice || (window.endsWith('/usd') ? entry.microcents : entry.tokens) !== 0
    if (counted === undefined || !changed) return []
    if (rule === undefined) return counted.spent[0]?.startsAt === startsAt ? [`${keyOf(scope)} ${window} ${startsAt}`] : []
    const bucket = bucketIndex(rule, startsAt)
    return now < bucketExpiresAt(rule, bucket) ? [`${keyOf(scope)} ${window} ${bucket * rule.bucketMs}`] : []
  })
  return [...new Set(names)]
}

function ruleOf(window: string): ReturnType<typeof rollingRule> | undefined {
  const [, lengthMs] = /^rolling:(\d+)\//.exec(window) ?? []
  return lengthMs === undefined ? undefined : rollingRule(Number(lengthMs))
}
