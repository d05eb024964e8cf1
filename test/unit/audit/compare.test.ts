// The comparison on snapshots made by hand: each kind of difference is found, and what is right is left alone.

import { describe, expect, it } from 'vitest'
import { compare, type Difference } from '../../../src/audit/index.js'
import { MAX_AMOUNT } from '../../../src/money/index.js'
import type { AuditSnapshot } from '../../../src/store/index.js'
import { bucketIndex, calendarFor, rollingRule } from '../../../src/time/index.js'
import { ann, counted, entry, hold, HOUR, NOON, scopeOf, snapshot, team, TODAY, YESTERDAY } from './kit.js'

const HOURLY = `rolling:${HOUR}/usd`
const bucket = rollingRule(HOUR).bucketMs

async function found(given: AuditSnapshot, endingOf?: Parameters<typeof compare>[1]): Promise<string[]> {
  return (await compare(given, endingOf)).differences.map(brief)
}

function brief({ scope, window, what, startsAt, counted: has, expected }: Difference): string {
  return `${scope.id} ${window} ${what} ${has} not ${expected}${startsAt === 0 ? '' : ` @${(startsAt - NOON) / HOUR}h`}`
}

describe('spent', () => {
  it('is what the entries charged to the stored instance add up to', async () => {
    const entries = [
      entry('old', 'settled', 100, [[ann, 'daily/usd', YESTERDAY]]),
      entry('a', 'settled', 10, [[ann, 'daily/usd', TODAY]]),
      entry('b', 'recorded', 5, [[ann, 'daily/usd', TODAY], [team, 'daily/usd', TODAY]]),
      entry('c', 'released', 0, [[ann, 'daily/usd', TODAY]]),
      entry('d', 'denied', 0, []),
    ]
    const scopes = [scopeOf(ann, 115, 3, counted('daily/usd', [[TODAY, 15]])), scopeOf(team, 5, 1, counted('daily/usd', [[TODAY, 5]]))]
    expect(await compare(snapshot(scopes, entries))).toEqual({ at: NOON, complete: true, entries: 5, holds: 0, scopes: 2, differences: [], repairs: 0 })
    const wrong = [scopeOf(ann, 115, 3, counted('daily/usd', [[TODAY, 14]])), scopeOf(team, 5, 1, counted('daily/usd', [[TODAY, 6]]))]
    expect(await found(snapshot(wrong, entries))).toEqual(['ann daily/usd spent 14 not 15 @-12h', 'search daily/usd spent 6 not 5 @-12h'])
  })

  it('of a window that has ended and was not turned is compared where it stands', async () => {
    const entries = [entry('old', 'settled', 100, [[ann, 'daily/usd', YESTERDAY]])]
    expect(await found(snapshot([scopeOf(ann, 100, 1, counted('daily/usd', [[YESTERDAY, 100]]))], entries))).toEqual([])
    expect(await found(snapshot([scopeOf(ann, 100, 1, counted('daily/usd', [[YESTERDAY, 90]]))], entries))).toEqual(['ann daily/usd spent 90 not 100 @-36h'])
  })

  it('takes a late settle and refunds from where they were counted, though they are written later', async () => {
    const entries = [
      entry('late', 'expired', 10, [[ann, 'daily/usd', YESTERDAY], [ann, HOURLY, YESTERDAY]], { at: YESTERDAY }),
      entry('late', 'corrected', 4, [[ann, 'daily/usd', YESTERDAY], [ann, HOURLY, NOON]]),
      entry('x', 'settled', 9, [[ann, 'daily/usd', TODAY], [ann, HOURLY, NOON - HOUR / 2]], { at: NOON - HOUR / 2 }),
      entry('x', 'corrected', -9, [[ann, 'daily/usd', TODAY], [ann, HOURLY, NOON - HOUR / 2]], { reason: 'audit' }),
    ]
    const right = scopeOf(ann, 14, 4, counted('daily/usd', [[TODAY, 0]]), counted(HOURLY, [[NOON, 4]]))
    expect(await found(snapshot([right], entries))).toEqual([])
    const wrong = scopeOf(ann, 14, 4, counted('daily/usd', [[TODAY, 4]]), counted(HOURLY, [[NOON - HOUR / 2, 4]]))
    expect(await found(snapshot([wrong], entries))).toEqual([`ann daily/usd spent 4 not 0 @-12h`, `ann ${HOURLY} spent 4 not 0 @-0.5h`, `ann ${HOURLY} spent 0 not 4 @0h`])
  })

  it('of a rolling window is compared bucket by bucket, as long as a bucket counts', async () => {
    const newest = bucketIndex(rollingRule(HOUR), NOON) * bucket
    const entries = [
      entry('gone', 'settled', 50, [[ann, HOURLY, newest - 21 * bucket]]),
      entry('oldest', 'settled', 3, [[ann, HOURLY, newest - 20 * bucket]]),
      entry('a', 'settled', 2, [[ann, HOURLY, newest - bucket]]),
      entry('b', 'settled', 4, [[ann, HOURLY, newest - 1]]),
    ]
    const right = counted(HOURLY, [[newest - 21 * bucket, 7], [newest - 20 * bucket, 3], [newest - bucket, 6]])
    expect(await found(snapshot([scopeOf(ann, 59, 4, right)], entries))).toEqual([])
    const wrong = counted(HOURLY, [[newest - 20 * bucket, 3], [newest, 6]])
    expect(await found(snapshot([scopeOf(ann, 59, 4, wrong)], entries))).toEqual([`ann ${HOURLY} spent 6 not 0 @0h`, `ann ${HOURLY} spent 0 not 6 @-0.05h`])
  })

  it('is exact beyond 2^53, and a counter that stands at 2^53 − 1 says enough', async () => {
    const huge = (id: string, kind: 'settled' | 'corrected', amount: number) => entry(id, kind, amount, [[ann, 'total/usd', 0]])
    const entries = [huge('a', 'settled', MAX_AMOUNT), huge('b', 'settled', MAX_AMOUNT), huge('c', 'settled', 3)]
    expect(await found(snapshot([scopeOf(ann, MAX_AMOUNT, 3, counted('total/usd', [[0, MAX_AMOUNT]]))], entries))).toEqual([])
    const back = [...entries, huge('b', 'corrected', -MAX_AMOUNT), huge('a', 'corrected', -MAX_AMOUNT + 1)]
    expect(await found(snapshot([scopeOf(ann, 4, 5, counted('total/usd', [[0, 4]]))], back))).toEqual([])
    expect(await found(snapshot([scopeOf(ann, 4, 5, counted('total/usd', [[0, 0]]))], back))).toEqual(['ann total/usd spent 0 not 4'])
  })

  it('belongs to the day as it began, also where a day has 23 hours', async () => {
    const { startsAt, endsAt } = calendarFor({ unit: 'day', timeZone: 'America/New_York', weekStartsOn: 1, monthStartsOn: 1 }).at(Date.UTC(2026, 2, 8, 12))
    expect(endsAt - startsAt).toBe(23 * HOUR)
    const entries = [
      entry('a', 'settled', 10, [[ann, 'daily/usd', startsAt]], { at: endsAt - 1 }),
      entry('late', 'settled', 3, [[ann, 'daily/usd', startsAt]], { at: endsAt + HOUR }),
      entry('next', 'settled', 7, [[ann, 'daily/usd', endsAt]], { at: endsAt }),
    ]
    expect(await found(snapshot([scopeOf(ann, 20, 3, counted('daily/usd', [[endsAt, 7]]))], entries))).toEqual([])
    expect(await found(snapshot([scopeOf(ann, 20, 3, counted('daily/usd', [[startsAt, 13]]))], entries, { now: endsAt - 1 }))).toEqual([])
    expect((await compare(snapshot([scopeOf(ann, 20, 3, counted('daily/usd', [[endsAt, 10]]))], entries))).differences).toMatchObject([{ startsAt: endsAt, counted: 10, expected: 7 }])
  })

  it('counts tokens in windows of tokens', async () => {
    const entries = [entry('a', 'settled', 10, [[ann, 'daily/usd', TODAY], [ann, 'daily/tokens', TODAY]], { tokens: 7 })]
    expect(await found(snapshot([scopeOf(ann, 10, 1, counted('daily/usd', [[TODAY, 10]]), counted('daily/tokens', [[TODAY, 10]]))], entries))).toEqual(['ann daily/tokens spent 10 not 7 @-12h'])
  })
})

describe('requests', () => {
  const window = `rolling:${HOUR}/requests`
  const both = (opened: number): [typeof ann, string, number][] => [[ann, 'daily/requests', TODAY], [ann, window, opened]]

  it('count once for each hold and each recorded cost, open ones too, and not where the request never was', async () => {
    const entries = [
      entry('a', 'settled', 1, both(NOON)),
      entry('a', 'corrected', -1, both(NOON)),
      entry('b', 'expired', 1, both(NOON)),
      entry('b', 'corrected', 1, both(NOON)),
      entry('c', 'released', 0, both(NOON)),
      entry('d', 'recorded', 0, both(NOON)),
      entry('never', 'released', 0, []),
    ]
    const holds = [hold('open', 1, [[ann, 'daily/requests', TODAY], [ann, window, 0]]), hold('old', 1, [[ann, 'daily/requests', YESTERDAY], [ann, window, 0]], { openedAt: NOON - HOUR / 2 })]
    const right = scopeOf(ann, 2, 5, counted('daily/requests', [[TODAY, 5]]), counted(window, [[NOON - HOUR / 2, 1], [NOON, 5]]))
    expect(await found(snapshot([right], entries, { holds }))).toEqual([])
    const wrong = scopeOf(ann, 2, 5, counted('daily/requests', [[TODAY, 6]]), counted(window, [[NOON, 5]]))
    expect(await found(snapshot([wrong], entries, { holds }))).toEqual(['ann daily/requests spent 6 not 5 @-12h', `ann ${window} spent 0 not 1 @-0.5h`])
  })
})

describe('held', () => {
  it('is the sum of the open holds of the instance, and of all of them in a rolling window', async () => {
    const holds = [hold('a', 5, [[ann, 'daily/usd', TODAY], [ann, HOURLY, TODAY]]), hold('b', 7, [[ann, 'daily/usd', YESTERDAY], [ann, HOURLY, YESTERDAY]])]
    const right = scopeOf(ann, 0, 0, counted('daily/usd', [[TODAY, 0]], 5), counted(HOURLY, [], 12))
    expect(await found(snapshot([right], [], { holds }))).toEqual([])
    const wrong = scopeOf(ann, 0, 0, counted('daily/usd', [[TODAY, 0]], 12), counted(HOURLY, [], 5))
    expect(await found(snapshot([wrong], [], { holds }))).toEqual(['ann daily/usd held 12 not 5 @-12h', `ann ${HOURLY} held 5 not 12 @0h`])
  })

  it('is compared alone where the ledger has lost entries, which are not even read', async () => {
    const scopes = [scopeOf(ann, 99, 9, counted('daily/usd', [[TODAY, 44]], 3))]
    const unreadable = { complete: false, entries: () => { throw new Error('was read') } }
    const result = await compare(snapshot(scopes, [], unreadable))
    expect(result).toMatchObject({ complete: false, entries: 0 })
    expect(result.differences.map(brief)).toEqual(['ann daily/usd held 3 not 0 @-12h'])
  })
})

describe('lifetime totals', () => {
  const entries = [entry('a', 'settled', 10, [[ann, 'daily/usd', YESTERDAY], [ann, 'weekly/usd', 5]]), entry('a', 'corrected', -3, [[ann, 'daily/usd', YESTERDAY]]), entry('b', 'released', 0, [[ann, 'daily/usd', TODAY]])]
  const window = counted('daily/usd', [[TODAY, 0]])

  it('count each entry of a scope once, however many windows it names, and no releases', async () => {
    expect(await found(snapshot([scopeOf(ann, 7, 2, window)], entries))).toEqual([])
    expect(await found(snapshot([scopeOf(ann, 17, 3, window)], entries))).toEqual(['ann lifetime/usd lifetime 17 not 7', 'ann lifetime/entries lifetime 3 not 2'])
  })

  it('may say less of a scope that was forgotten in between, and never more', async () => {
    const restarted = (microcents: number, count: number) => ({ ...scopeOf(ann, microcents, count, window), restarted: true })
    expect(await found(snapshot([restarted(0, 1)], entries))).toEqual([])
    expect(await found(snapshot([restarted(8, 3)], entries))).toEqual(['ann lifetime/usd lifetime 8 not 7', 'ann lifetime/entries lifetime 3 not 2'])
  })
})

describe('a counter that is lost', () => {
  const entries = [entry('a', 'settled', 10, [[ann, 'daily/usd', TODAY], [ann, 'total/usd', 0], [ann, HOURLY, NOON]]), entry('old', 'settled', 4, [[ann, 'daily/usd', YESTERDAY], [ann, HOURLY, YESTERDAY]])]

  it('is missed where its window certainly runs', async () => {
    expect(await found(snapshot([], entries))).toEqual(['ann total/usd spent 0 not 10', `ann ${HOURLY} spent 0 not 10 @0h`])
    const ending = ({ startsAt }: { startsAt: number }) => startsAt + 24 * HOUR
    expect(await found(snapshot([], entries, { holds: [hold('h', 3, [[ann, 'daily/usd', TODAY], [team, HOURLY, NOON]])] }), ending)).toEqual([
      'ann daily/usd spent 0 not 10 @-12h',
      'ann total/usd spent 0 not 10',
      `ann ${HOURLY} spent 0 not 10 @0h`,
      'ann daily/usd held 0 not 3 @-12h',
      `search ${HOURLY} held 0 not 3 @0h`,
    ])
  })

  it('is missed where the stored instance is an earlier one', async () => {
    const ending = ({ startsAt }: { startsAt: number }) => startsAt + 24 * HOUR
    const scopes = [scopeOf(ann, 14, 2, counted('daily/usd', [[YESTERDAY, 4]]), counted('total/usd', [[0, 10]]), counted(HOURLY, [[NOON, 10]]))]
    expect(await found(snapshot(scopes, entries), ending)).toEqual(['ann daily/usd spent 0 not 10 @-12h'])
  })

  it('is not missed of an instance that a later one has followed, whatever a calendar says today', async () => {
    const scopes = [scopeOf(ann, 14, 2, counted('daily/usd', [[TODAY, 10]]), counted('total/usd', [[0, 10]]), counted(HOURLY, [[NOON, 10]]))]
    expect(await found(snapshot(scopes, entries), () => Infinity)).toEqual([])
  })

  it('is not missed where its window may have ended', async () => {
    expect(await found(snapshot([], entries.slice(1)))).toEqual([])
    expect(await found(snapshot([], entries.slice(1)), ({ startsAt }) => startsAt + 24 * HOUR)).toEqual([])
  })
})
