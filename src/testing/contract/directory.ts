// Cases of the store contract: the directory of tiers, overrides and billing, and which of two changes stands.

import type { Billing } from '../../budget/index.js'
import type { KnownUser } from '../../store/index.js'
import { Bench, DAY, equal, userOf, windowOf, type StoreContractCase } from './kit.js'

const START = Date.UTC(2026, 0, 15)

/** What a provider says of a user who pays, with all that it may say. */
const PAYING: Billing = {
  standing: 'past_due',
  pastDueFrom: START + 7 * DAY,
  customers: ['cus_1', 'cus_ü/*'],
  subscription: 'sub_1',
  price: 'price_pro',
  period: { startsAt: START, endsAt: START + 31 * DAY },
  endsAt: START + 31 * DAY,
  passedOver: [{ subscription: 'sub_2', status: 'active', tier: 'free' }, { subscription: 'sub_3', status: 'canceled' }],
  changedAt: START + 1,
  reason: 'customer.subscription.updated evt_1 "quoted" \\ 日本',
  fence: 1_768_435_200_000,
}

function fenced(fence: number, more: Partial<Billing> = {}): Billing {
  return { standing: 'active', customers: [], changedAt: START, reason: `look ${fence}`, fence, ...more }
}

const user = { userId: 'ann', tenant: 'acme' }
const daily = { limit: 5, until: null }
const weekly = { limit: 9, until: 99 }

/** See the head of this file. */
export const directoryCases: readonly StoreContractCase[] = [
  {
    name: 'merges changes of the directory period by period, and forgets what is taken away',
    async run(open) {
      const { store } = await Bench.at(open)
      equal(await store.directory.get(user), undefined, 'an unknown user')
      await store.directory.change(user, { tier: 'pro' })
      await store.directory.change(user, { overrides: { daily } })
      const { before, after } = await store.directory.change(user, { overrides: { weekly } })
      equal(before, { tier: 'pro', overrides: { daily } }, 'before')
      equal(after, { tier: 'pro', overrides: { daily, weekly } }, 'after')
      equal(await store.directory.get(user), after, 'what is kept')
      equal(await store.directory.get({ userId: 'ann' }), undefined, 'the same name without the tenant')
      await store.directory.change(user, { tier: null, overrides: { daily: null } })
      equal(await store.directory.get(user), { overrides: { weekly } }, 'what is left')
      await store.directory.change(user, { overrides: { weekly: null } })
      equal((await store.directory.get(user)) ?? {}, {}, 'nothing left')
    },
  },
  {
    name: 'keeps what a provider says of a user, word by word, until it is taken away',
    async run(open) {
      const { store } = await Bench.at(open)
      const { before, after } = await store.directory.change(user, { billing: PAYING })
      equal([before, after], [{}, { billing: PAYING }], 'before and after')
      equal(await store.directory.get(user), { billing: PAYING }, 'what is kept')
      equal(await store.directory.get({ userId: 'ann' }), undefined, 'the same name without the tenant')
      const least = fenced(PAYING.fence)
      await store.directory.change(user, { billing: least })
      equal(await store.directory.get(user), { billing: least }, 'what replaces it whole')
      await store.directory.change(user, { billing: null })
      equal((await store.directory.get(user)) ?? {}, {}, 'nothing left')
    },
  },
  {
    name: 'keeps billing, tier and overrides each when another of them changes',
    async run(open) {
      const { store } = await Bench.at(open)
      const billing = fenced(3)
      await store.directory.change(user, { tier: 'pro', overrides: { daily } })
      await store.directory.change(user, { billing })
      await store.directory.change(user, { tier: 'free' })
      equal(await store.directory.get(user), { tier: 'free', overrides: { daily }, billing }, 'after a change of tier')
      await store.directory.change(user, { overrides: { weekly, daily: null } })
      equal(await store.directory.get(user), { tier: 'free', overrides: { weekly }, billing }, 'after a change of overrides')
      await store.directory.change(user, { tier: null })
      await store.directory.change(user, { overrides: { weekly: null } })
      equal(await store.directory.get(user), { billing }, 'when only billing is left')
      await store.directory.change(user, { tier: 'pro', billing: null })
      equal(await store.directory.get(user), { tier: 'pro' }, 'when billing is taken away')
    },
  },
  {
    name: 'refuses a look that began before the one that stands, whole',
    async run(open) {
      const { store } = await Bench.at(open)
      const stands = { tier: 'pro', overrides: { daily }, billing: fenced(10) }
      await store.directory.change(user, stands)
      const { before, after } = await store.directory.change(user, { tier: 'free', overrides: { daily: null, weekly }, billing: fenced(9) })
      equal([before, after], [stands, stands], 'before and after')
      equal(await store.directory.get(user), stands, 'what is kept')
      await store.directory.change({ userId: 'bob' }, { tier: 'free', billing: fenced(1) })
      equal(await store.directory.get({ userId: 'bob' }), { tier: 'free', billing: fenced(1) }, 'another user, with a fence of their own')
    },
  },
  {
    name: 'takes a look of the same fence and of a later one, and a change without any',
    async run(open) {
      const { store } = await Bench.at(open)
      await store.directory.change(user, { billing: fenced(10) })
      const same = fenced(10, { standing: 'none', reason: 'the same again' })
      await store.directory.change(user, { tier: 'free', billing: same })
      equal(await store.directory.get(user), { tier: 'free', billing: same }, 'with the same fence')
      const later = fenced(11)
      await store.directory.change(user, { tier: 'pro', billing: later })
      equal(await store.directory.get(user), { tier: 'pro', billing: later }, 'with a higher one')
      await store.directory.change(user, { tier: 'free' })
      equal(await store.directory.get(user), { tier: 'free', billing: later }, 'without one')
      await store.directory.change(user, { billing: null })
      await store.directory.change(user, { billing: fenced(2) })
      equal(await store.directory.get(user), { tier: 'free', billing: fenced(2) }, 'where none stands')
    },
  },
  {
    name: 'refuses a change that was worked out from other billing than what stands there, whole',
    async run(open) {
      const { store } = await Bench.at(open)
      const change = async (fence: number, replaces: number, tier: string) => (await store.directory.change(user, { tier, billing: fenced(fence), replaces })).after
      equal(await change(5, 4, 'a'), {}, 'where there is none, and some was known')
      equal(await change(5, 0, 'b'), { tier: 'b', billing: fenced(5) }, 'where there is none, and none was known')
      equal(await change(6, 0, 'c'), { tier: 'b', billing: fenced(5) }, 'where there is some, and none was known')
      equal(await change(6, 4, 'd'), { tier: 'b', billing: fenced(5) }, 'where other billing was known')
      equal(await change(6, 5, 'e'), { tier: 'e', billing: fenced(6) }, 'where that was known')
      equal(await change(6, 6, 'f'), { tier: 'f', billing: fenced(6) }, 'the same look once more')
      equal(await change(5, 6, 'g'), { tier: 'f', billing: fenced(6) }, 'an earlier look that knows a later one')
      equal((await store.directory.change(user, { tier: 'h', replaces: 5 })).after, { tier: 'f', billing: fenced(6) }, 'a tier alone')
      const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => change(7 + index, 6, `tier ${index}`)))
      equal(new Set(answers.map(({ billing }) => billing?.fence)).size, 1, 'how many of ten at once stand')
    },
  },
  {
    name: 'keeps the latest of many looks that come at once, in whatever order',
    async run(open) {
      const { store } = await Bench.at(open)
      const fences = [4, 9, 1, 7, 10, 2, 8, 3, 6, 5]
      const changes = await Promise.all(fences.map((fence) => store.directory.change(user, { tier: `tier ${fence}`, billing: fenced(fence) })))
      equal(await store.directory.get(user), { tier: 'tier 10', billing: fenced(10) }, 'what is kept')
      const late = changes.filter(({ before, after }) => (after.billing?.fence ?? 0) < (before.billing?.fence ?? 0))
      equal(late, [], 'changes that went back')
    },
  },
  {
    name: 'lists a user of whom nothing but billing is known, and none whose billing is gone',
    async run(open) {
      const { store } = await Bench.at(open)
      await store.directory.change(user, { billing: fenced(1) })
      await store.directory.change({ userId: 'bob' }, { billing: fenced(1) })
      await store.directory.change({ userId: 'bob' }, { billing: null })
      const users: KnownUser[] = []
      for await (const known of store.users()) users.push(known)
      equal(users.map(({ user: { userId, tenant }, tier }) => [userId, tenant, tier ?? 'no tier']), [['ann', 'acme', 'no tier']], 'users')
    },
  },
  {
    name: 'gives the tier that was last seen to a user whose entry names none',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([userOf('ann', windowOf(10))], 'a', 1)
      await bench.store.directory.change({ userId: 'ann' }, { billing: fenced(1) })
      const users: KnownUser[] = []
      for await (const known of bench.store.users()) users.push(known)
      equal(users.map(({ user: { userId }, tier }) => `${userId} ${tier ?? ''}`), ['ann free'], 'users')
    },
  },
]
