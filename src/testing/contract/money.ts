// Cases of the store contract: refunds, the ledger, totals and users.

import type { KnownUser } from '../../store/index.js'
import { Bench, DAY, equal, HOUR, MINUTE, outcomeIs, SECOND, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'

const ann = [userOf('ann', windowOf(100)), teamOf('search', windowOf(100, { rollingMs: HOUR }))]

const refundCases: readonly StoreContractCase[] = [
  {
    name: 'refunds the newest charges first, never below zero, and says what found none',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'old', 10)
      bench.clock.advance(DAY)
      await bench.spend(ann, 'new', 6)
      const reply = await bench.refund({ id: 'r1', microcents: 8 })
      equal(['appliedMicrocents' in reply && reply.appliedMicrocents, 'unappliedMicrocents' in reply && reply.unappliedMicrocents], [8, 0], 'refunded and unapplied')
      equal(await bench.counted(...ann), [[0, 0], [0, 0]], 'the running day')
      equal((await bench.ledger()).slice(2), ['corrected new -6 0', 'corrected old -2 0'], 'corrections')
      const rest = await bench.refund({ id: 'r2', microcents: 9 })
      equal(['appliedMicrocents' in rest && rest.appliedMicrocents, 'unappliedMicrocents' in rest && rest.unappliedMicrocents], [8, 1], 'the rest')
    },
  },
  {
    name: 'takes the newest charge first also after an older one was refunded by name',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'old', 10)
      bench.clock.advance(DAY)
      await bench.spend(ann, 'new', 6)
      await bench.refund({ id: 'r1', microcents: 1, of: 'old' })
      await bench.refund({ id: 'r2', microcents: 5 })
      equal(await bench.counted(...ann), [[1, 0], [1, 0]], 'the running day')
    },
  },
  {
    name: 'refunds the charge that is named, of its user only, up to what it cost',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 10)
      await bench.spend(ann, 'b', 5)
      const reply = await bench.refund({ id: 'r1', microcents: 12, of: 'a' })
      equal(['appliedMicrocents' in reply && reply.appliedMicrocents, 'unappliedMicrocents' in reply && reply.unappliedMicrocents], [10, 2], 'refunded and unapplied')
      equal(await bench.counted(...ann), [[5, 0], [5, 0]], 'spent')
      outcomeIs(await bench.refund({ id: 'r2', microcents: 1, of: 'nothing' }), 'unknown-hold', 'a name that stands for nothing')
      outcomeIs(await bench.refund({ id: 'r3', microcents: 1, of: 'b', user: { userId: 'bob' } }), 'unknown-hold', 'a charge of another user')
      const nothing = await bench.refund({ id: 'r4', microcents: 1, user: { userId: 'bob' } })
      equal('unappliedMicrocents' in nothing && nothing.unappliedMicrocents, 1, 'unapplied for a user without charges')
    },
  },
  {
    name: 'gives nothing back for a hold that is still open',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'a', microcents: 10 })
      const reply = await bench.refund({ id: 'r', microcents: 3, of: 'a' })
      equal('unappliedMicrocents' in reply && reply.unappliedMicrocents, 3, 'unapplied')
      equal(await bench.counted(...ann), [[0, 10], [0, 10]], 'held')
    },
  },
  {
    name: 'refunds once for one id',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 10)
      await bench.refund({ id: 'r', microcents: 3 })
      const again = await bench.refund({ id: 'r', microcents: 3 })
      equal(['replayed' in again && again.replayed, 'appliedMicrocents' in again && again.appliedMicrocents], [true, 3], 'the same once more')
      outcomeIs(await bench.refund({ id: 'r', microcents: 4, fingerprint: 'others' }), 'id-reused', 'other arguments')
      equal(await bench.counted(...ann), [[7, 0], [7, 0]], 'spent')
    },
  },
  {
    name: 'takes a refund from the bucket of the entry that it corrects, or from nowhere',
    async run(open) {
      const bench = await Bench.at(open)
      const team = [teamOf('search', windowOf(100, { rollingMs: HOUR }))]
      await bench.spend(team, 'a', 10)
      bench.clock.advance(50 * MINUTE)
      await bench.spend(team, 'b', 20)
      await bench.refund({ id: 'r1', microcents: 4, of: 'a' })
      equal(await bench.counted(...team), [[26, 0]], 'while both count')
      bench.clock.advance(20 * MINUTE)
      equal(await bench.counted(...team), [[20, 0]], 'when the first has left')
      await bench.refund({ id: 'r2', microcents: 6, of: 'a' })
      equal(await bench.counted(...team), [[20, 0]], 'after a refund of what no longer counts')
    },
  },
  {
    name: 'takes a refund of a late settle from where the settle was counted',
    async run(open) {
      const bench = await Bench.at(open)
      const team = [teamOf('search', windowOf(100, { rollingMs: HOUR }))]
      await bench.hold(team, { id: 'a', microcents: 5, ttlMs: SECOND, onExpiry: 'release' })
      bench.clock.advance(50 * MINUTE)
      await bench.settle({ id: 'a', microcents: 9, tokens: 0 })
      await bench.refund({ id: 'r', microcents: 9, of: 'a' })
      equal(await bench.counted(...team), [[0, 0]], 'spent')
    },
  },
  {
    name: 'gives back no more than a charge in all, by a refund of an expired hold and its late settle',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'other', 20)
      await bench.hold(ann, { id: 'a', microcents: 10, ttlMs: SECOND })
      bench.clock.advance(MINUTE)
      await bench.refund({ id: 'r', microcents: 10, of: 'a' })
      outcomeIs(await bench.release({ id: 'a' }), 'released', 'release of the expired hold')
      equal(await bench.counted(...ann), [[20, 0], [20, 0]], 'what the other charge has spent')
    },
  },
  {
    name: 'refunds a charge of a window that has ended in the ledger alone',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 10)
      bench.clock.advance(DAY)
      await bench.spend(ann, 'b', 4)
      await bench.refund({ id: 'r', microcents: 3, of: 'a' })
      equal(await bench.counted(...ann), [[4, 0], [4, 0]], 'the running windows')
      equal((await bench.ledger()).at(-1), 'corrected a -3 0', 'ledger')
    },
  },
]

const ledgerCases: readonly StoreContractCase[] = [
  {
    name: 'writes an entry for every change of money, in order, with the windows that it was charged to',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'settled', microcents: 10, tokens: 3 })
      await bench.hold(ann, { id: 'released', microcents: 10 })
      await bench.hold(ann, { id: 'late', microcents: 10, tokens: 2, ttlMs: SECOND })
      await bench.settle({ id: 'settled', microcents: 12, tokens: 4, model: 'larger' })
      await bench.release({ id: 'released' })
      bench.clock.advance(SECOND)
      await bench.record(ann, { id: 'recorded', microcents: 7, tokens: 1 })
      await bench.settle({ id: 'late', microcents: 4 })
      const entries = []
      for await (const entry of bench.store.ledger.entries()) entries.push(entry)
      equal(
        entries.map(({ kind, decisionId, microcents, tokens, model }) => `${kind} ${decisionId} ${microcents} ${tokens} ${model ?? ''}`),
        ['settled settled 12 4 larger', 'released released 0 0 large', 'expired late 10 2 large', 'recorded recorded 7 1 large', 'corrected late -6 0 large'],
        'entries',
      )
      equal(new Set(entries.map(({ id }) => id)).size, entries.length, 'different ids')
      equal(entries[0]?.charged.map(({ scope, window }) => `${scope.id} ${window}`), ['ann daily/usd', `search rolling:${HOUR}/usd`], 'windows that were charged')
      equal(entries[0]?.charged[0]?.startsAt, Date.UTC(2026, 0, 15), 'start of the calendar window')
      equal([entries[0]?.estimatedMicrocents, entries[0]?.at], [10, Date.UTC(2026, 0, 15, 12)], 'estimate and time')
    },
  },
  {
    name: 'never changes an entry that it has written',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'a', microcents: 10, ttlMs: SECOND })
      bench.clock.advance(MINUTE)
      const written = async (): Promise<unknown> => {
        for await (const entry of bench.store.ledger.entries()) return { ...entry }
        return undefined
      }
      await bench.standings(...ann)
      const before = await written()
      await bench.settle({ id: 'a', microcents: 4, tokens: 0, model: 'another' })
      await bench.refund({ id: 'r', microcents: 1, of: 'a' })
      equal(await written(), before, 'the entry of the expiry, after a late settle on another model and a refund')
    },
  },
  {
    name: 'appends entries that carry no money, and sums only what was charged',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 10, 3)
      await bench.store.ledger.append({ id: 'd:denied', kind: 'denied', at: bench.clock(), decisionId: 'd', userId: 'ann', microcents: 0, tokens: 0, charged: [] })
      await bench.hold(ann, { id: 'b', microcents: 10, facts: { user: { userId: 'bob' }, tier: 'pro', provider: 'openai' } })
      await bench.settle({ id: 'b', microcents: 5, tokens: 0 })
      await bench.refund({ id: 'r', microcents: 4, of: 'a' })
      equal(await bench.ledger(), ['settled a 10 3', 'denied d 0 0', 'settled b 5 0', 'corrected a -4 0'], 'ledger')
      const totals = await bench.store.ledger.totals()
      equal([totals.microcents, totals.tokens], [11, 3], 'sums')
      equal([totals.byModel.get('large')?.microcents, totals.byModel.get('unknown')?.microcents], [6, 5], 'sums by model')
      equal([totals.byProvider.get('openai')?.microcents, totals.byTier.get('free')?.microcents], [5, 6], 'sums by provider and tier')
    },
  },
  {
    name: 'totals what a user has spent, and lists users with the tier last seen',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 10)
      await bench.spend(ann, 'b', 5)
      await bench.refund({ id: 'r', microcents: 3 })
      equal((await bench.store.totals({ userId: 'ann' })).microcents, 12, 'total of ann')
      equal(await bench.store.totals({ userId: 'nobody' }), { entries: 0, microcents: 0 }, 'total of nobody')
      const tenant = { scope: { kind: 'user', id: 'bob', tenant: 'acme' }, key: 'user/acme/bob', windows: [windowOf(10)] }
      await bench.hold([tenant], { id: 'c', facts: { user: { userId: 'bob', tenant: 'acme' }, tier: 'pro' } })
      await bench.store.directory.change({ userId: 'cem' }, { tier: 'enterprise' })
      const users: KnownUser[] = []
      for await (const known of bench.store.users()) users.push(known)
      equal(users.map(({ user, tier }) => `${user.tenant ?? ''}/${user.userId} ${tier ?? ''}`).sort(), ['/ann free', '/cem enterprise', 'acme/bob pro'], 'users')
    },
  },
]

/** See the head of this file. */
export const moneyCases: readonly StoreContractCase[] = [...refundCases, ...ledgerCases]
