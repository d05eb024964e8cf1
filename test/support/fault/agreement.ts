// The three ways to ask what was spent, compared: what a report adds up from the ledger, what the counters of all windows say, and
// what an audit finds. Sums windows for itself, entry by entry.

import { expect } from 'vitest'
import { CostTracker, type AuditSnapshot, type LedgerEntry, type Store } from '../../../src/index.js'
import { scopeKey } from '../../../src/budget/index.js'
import { ALL_ENTRIES, sumsOf } from '../../../src/ledger/index.js'
import { bucketExpiresAt, bucketIndex, rollingRule } from '../../../src/time/index.js'

/** Fails unless ledger, windows and audit agree on every scope, to the microcent. */
export async function expectAgreement(store: Store): Promise<void> {
  const report = await new CostTracker({ store }).audit()
  expect({ status: report.status, differences: report.differences }).toEqual({ status: 'clean', differences: [] })
  const snapshot = (await store.auditor?.snapshot()) as AuditSnapshot
  expect(snapshot.complete, 'the whole ledger is there').toBe(true)
  const entries: LedgerEntry[] = []
  for await (const entry of snapshot.entries()) entries.push(entry)
  expect(windowsOf(snapshot, entries).filter(([, counted, summed]) => counted !== summed)).toEqual([])
  const sums = new Map((await sumsOf(store.ledger, ALL_ENTRIES, ['tenant', 'userId'])).map(({ texts: [tenant = '', userId = ''], microcents }) => [JSON.stringify([tenant, userId]), microcents]))
  const users = snapshot.scopes.filter(({ scope, restarted }) => scope.kind === 'user' && restarted !== true)
  for (const { scope, microcents } of users) expect(BigInt(microcents), scope.id).toBe(sums.get(JSON.stringify([scope.tenant ?? '', scope.id])) ?? 0n)
  expect([...sums.values()].reduce((all, sum) => all + sum, 0n), 'the whole report').toBe(BigInt(entries.reduce((all, { microcents }) => all + microcents, 0)))
}

/** Every window instance that a counter is kept of: its name, what is counted, and what was charged to it. */
function windowsOf({ scopes, now }: AuditSnapshot, entries: readonly LedgerEntry[]): readonly (readonly [name: string, counted: number, summed: number])[] {
  const summed = new Map<string, number>()
  for (const entry of entries) {
    for (const { scope, window, startsAt } of entry.charged) {
      if (window.startsWith('lifetime/') || window.endsWith('/requests')) continue
      const rule = ruleOf(window)
      const name = `${scopeKey(scope)} ${window} ${rule === undefined ? startsAt : bucketIndex(rule, startsAt)}`
      summed.set(name, (summed.get(name) ?? 0) + (window.endsWith('/usd') ? entry.microcents : entry.tokens))
    }
  }
  return scopes.flatMap(({ scope, windows }) =>
    windows.flatMap(({ window, unit, spent }) => {
      if (unit === 'requests') return []
      const rule = ruleOf(window)
      const running = spent.filter(({ startsAt }) => rule === undefined || now < bucketExpiresAt(rule, bucketIndex(rule, startsAt)))
      return running.map(({ startsAt, amount }) => {
        const name = `${scopeKey(scope)} ${window} ${rule === undefined ? startsAt : bucketIndex(rule, startsAt)}`
        return [name, amount, summed.get(name) ?? 0] as const
      })
    }),
  )
}

function ruleOf(window: string): ReturnType<typeof rollingRule> | undefined {
  const [, lengthMs] = /^rolling:(\d+)\//.exec(window) ?? []
  return lengthMs === undefined ? undefined : rollingRule(Number(lengthMs))
}
