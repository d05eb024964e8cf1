// What mends a difference: corrections for counters, entries for the ledger. Whatever is appended, the next comparison is clean.

import { describe, expect, it } from 'vitest'
import { compare } from '../../../src/audit/index.js'
import { correctionsOf, entriesFor } from '../../../src/audit/repair.js'
import type { LedgerEntry } from '../../../src/ledger/index.js'
import { MAX_AMOUNT } from '../../../src/money/index.js'
import type { CountedScope } from '../../../src/store/index.js'
import { ann, counted, entry, hold, HOUR, NOON, scopeOf, snapshot, team, TODAY } from './kit.js'

const bob = { kind: 'user', id: 'bob', tenant: 'acme' }
const everybody = { kind: 'global', id: 'global' }
const acme = { kind: 'tenant', id: 'acme' }

/** Entries that mend the ledger under these counters, checked to do so. */
async function mended(scopes: readonly CountedScope[], entries: readonly LedgerEntry[] = []): Promise<LedgerEntry[]> {
  let made = 0
  const { differences } = await compare(snapshot(scopes, entries))
  const appended = entriesFor(differences, NOON, () => String((made += 1)))
  expect((await compare(snapshot(scopes, [...entries, ...appended]))).differences).toEqual([])
  expect(new Set(appended.map(({ id }) => id)).size).toBe(appended.length)
  return appended
}

const amounts = (entries: readonly LedgerEntry[]) => entries.map(({ userId, microcents, charged }) => `${userId} ${microcents}: ${charged.map(({ scope, window }) => `${scope.id} ${window}`).join(', ')}`)

describe('entries for the ledger', () => {
  it('charge one amount once, to all windows and lifetime totals that lack it, as one lost entry would have', async () => {
    const windows = [counted('daily/usd', [[TODAY, 15]]), counted('weekly/usd', [[TODAY, 15]]), counted('total/tokens', [[0, 7]]), counted(`rolling:${HOUR}/requests`, [[NOON, 2]])]
    const kept = entry('a', 'settled', 10, [[ann, 'daily/usd', TODAY], [ann, 'weekly/usd', TODAY], [ann, 'total/tokens', 0], [ann, `rolling:${HOUR}/requests`, NOON]], { tokens: 3 })
    const [lost, ...more] = await mended([scopeOf(ann, 15, 2, ...windows)], [kept])
    expect(more).toEqual([])
    expect(lost).toMatchObject({ id: 'audit:1', decisionId: 'audit:1', kind: 'corrected', reason: 'audit', at: NOON, userId: 'ann', microcents: 5, tokens: 4, metadata: { requests: 1, entries: 1 } })
    expect(lost?.charged.map(({ window }) => window)).toEqual(['daily/usd', 'weekly/usd', 'lifetime/usd', 'total/tokens', expect.stringContaining('/requests'), 'lifetime/entries'])
  })

  it('are layers where windows lack different amounts, so that their sum is the largest', async () => {
    expect(amounts(await mended([scopeOf(ann, 8, 0, counted('daily/usd', [[TODAY, 5]]), counted('weekly/usd', [[TODAY, 8]]))]))).toEqual([
      'ann 5: ann daily/usd, ann weekly/usd, ann lifetime/usd',
      'ann 3: ann weekly/usd, ann lifetime/usd',
    ])
  })

  it('leave the lifetime totals alone where these are right', async () => {
    const charged = entry('a', 'settled', 10, [[ann, 'daily/usd', TODAY]])
    expect(amounts(await mended([scopeOf(ann, 10, 1, counted('daily/usd', [[TODAY, 4]]))], [charged]))).toEqual(['ann -6: ann daily/usd'])
    expect(amounts(await mended([scopeOf(ann, 4, 1, counted('daily/usd', [[TODAY, 10]]))], [charged]))).toEqual(['ann -6: ann lifetime/usd'])
  })

  it('take back where the ledger says too much of requests and entries', async () => {
    const window = `rolling:${HOUR}/requests`
    const charged = ['a', 'b', 'c'].map((id) => entry(id, 'recorded', 0, [[ann, window, NOON]]))
    const [only] = await mended([scopeOf(ann, 0, 1, counted(window, [[NOON, 2]]))], charged)
    expect(only).toMatchObject({ microcents: 0, metadata: { requests: -1, entries: -2 } })
  })

  it('charge shared scopes with the entries of users who may belong to them, and only the rest apart', async () => {
    const scopes = [
      scopeOf(ann, 5, 0, counted('daily/usd', [[TODAY, 5]])),
      scopeOf(bob, 7, 0, counted('daily/usd', [[TODAY, 7]])),
      scopeOf(everybody, 14, 0, counted('daily/usd', [[TODAY, 14]])),
      scopeOf(acme, 7, 0, counted('daily/usd', [[TODAY, 7]])),
    ]
    expect(amounts(await mended(scopes))).toEqual([
      'ann 5: ann daily/usd, ann lifetime/usd, global daily/usd, global lifetime/usd',
      'bob 7: bob daily/usd, bob lifetime/usd, global daily/usd, global lifetime/usd, acme daily/usd, acme lifetime/usd',
      ' 2: global daily/usd, global lifetime/usd',
    ])
  })

  it('name no amount that a number cannot carry exactly', async () => {
    const charged = ['a', 'b', 'c'].map((id) => entry(id, 'settled', MAX_AMOUNT, [[ann, 'total/usd', 0]]))
    const made = await mended([scopeOf(ann, 0, 3, counted('total/usd', [[0, 1]]))], charged)
    expect(made.length).toBeGreaterThan(2)
    for (const { microcents } of made) expect(Number.isSafeInteger(microcents)).toBe(true)
  })

  it('are not made for what is held', async () => {
    const { differences } = await compare(snapshot([scopeOf(ann, 0, 0, counted('daily/usd', [[TODAY, 0]], 3))], []))
    expect(differences).toHaveLength(1)
    expect(entriesFor(differences, NOON, () => 'x')).toEqual([])
  })
})

describe('corrections of counters', () => {
  it('are what is missing, of spent, held and lifetime totals', async () => {
    const scopes = [scopeOf(ann, 12, 0, counted('daily/usd', [[TODAY, 4]], 9)), scopeOf(team, 10, 1, counted('daily/usd', [[TODAY, 10]]))]
    const charged = entry('a', 'settled', 10, [[ann, 'daily/usd', TODAY], [team, 'daily/usd', TODAY]])
    const { differences } = await compare(snapshot(scopes, [charged], { holds: [hold('h', 2, [[ann, 'daily/usd', TODAY]])] }))
    expect(correctionsOf(differences)).toEqual([
      { scope: ann, window: 'daily/usd', startsAt: TODAY, spent: 6, held: 0, entries: 0 },
      { scope: ann, window: 'daily/usd', startsAt: TODAY, spent: 0, held: -7, entries: 0 },
      { scope: ann, startsAt: 0, spent: -2, held: 0, entries: 0 },
      { scope: ann, startsAt: 0, spent: 0, held: 0, entries: 1 },
    ])
  })
})
