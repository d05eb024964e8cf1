// Cases of the store contract: windows that end before their time: which of them do, and when they begin and end.

import { NEVER } from '../../time/index.js'
import { Bench, DAY, entriesOf, equal, HOUR, isClean, MINUTE, outcomeIs, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'
import { many } from './restart-charges.js'

const START = Date.UTC(2026, 0, 15, 12)
const TODAY = Date.UTC(2026, 0, 15)
const TOMORROW = TODAY + DAY
const MONDAY = Date.UTC(2026, 0, 12)
const FEBRUARY = Date.UTC(2026, 1, 1)

const ann = userOf('ann', windowOf(100))

/** See the head of this file. */
export const restartCases: readonly StoreContractCase[] = [
  {
    name: 'begins calendar windows of money, tokens and requests anew, but neither rolling ones nor total',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([many], 'a', 10, 20)
      const before = await bench.standings(many)
      bench.clock.advance(MINUTE)
      bench.effects.splice(0)
      const { now } = await bench.restart(many)
      equal(now, START + MINUTE, 'store time')
      const restarted = [TOMORROW, MONDAY + 7 * DAY, FEBRUARY].map((endsAt) => ({ startsAt: START + MINUTE, endsAt, spent: 0, held: 0 }))
      const after = await bench.standings(many)
      equal(after.slice(0, 3), restarted, 'calendar windows')
      equal(after[3], before[3], 'total')
      equal(after.slice(4).map(({ spent, held }) => [spent, held]), [[10, 0], [1, 0]], 'rolling windows')
      equal(bench.resets(), [['ann', 'daily/usd', START + MINUTE, TOMORROW], ['ann', 'monthly/requests', START + MINUTE, FEBRUARY], ['ann', 'weekly/tokens', START + MINUTE, MONDAY + 7 * DAY]], 'what was told')
      await isClean(bench, 'after it')
    },
  },
  {
    name: 'admits a whole limit after a restart, and not more',
    async run(open) {
      const bench = await Bench.at(open)
      const both = [ann, teamOf('search', windowOf(170))]
      await bench.spend(both, 'a', 90)
      outcomeIs(await bench.reserve(both, { id: 'b', microcents: 11 }), 'refused', '11 more of 100')
      bench.clock.advance(1)
      await bench.restart(ann)
      outcomeIs(await bench.reserve(both, { id: 'c', microcents: 101 }), 'refused', '101 of 100 after the restart')
      outcomeIs(await bench.reserve(both, { id: 'd', microcents: 81 }), 'refused', '81 where the team has 80')
      await bench.hold(both, { id: 'e', microcents: 80 })
      equal(await bench.counted(...both), [[0, 80], [90, 80]], 'the windows')
      await bench.settle({ id: 'e', microcents: 100, tokens: 0 })
      const charged = (await entriesOf(bench)).at(-1)?.charged
      equal(charged?.map(({ scope, startsAt }) => [scope.id, startsAt]), [['ann', START + 1], ['search', TODAY]], 'the windows that its entry is charged to')
      outcomeIs(await bench.reserve([ann], { id: 'f', microcents: 1 }), 'refused', '101 in the window that was begun anew')
    },
  },
  {
    name: 'leaves a window that began at the instant or later',
    async run(open) {
      const bench = await Bench.at(open)
      const three = userOf('ann', windowOf(100), windowOf(100, { period: 'weekly' }), windowOf(100, { period: 'monthly' }))
      await bench.spend([three], 'a', 10)
      bench.resets()
      await bench.restart(three, Date.UTC(2026, 0, 1))
      equal(bench.resets(), [], 'since the start of the month')
      equal(await bench.counted(three), [[10, 0], [10, 0], [10, 0]], 'the windows')
      await bench.restart(three, MONDAY)
      equal(bench.resets(), [['ann', 'monthly/usd', START, FEBRUARY]], 'since the start of the week')
      await bench.restart(three, TODAY)
      equal(bench.resets(), [['ann', 'weekly/usd', START, MONDAY + 7 * DAY]], 'since the start of the day')
      equal(await bench.counted(three), [[10, 0], [0, 0], [0, 0]], 'the windows then')
      await bench.restart(three, TODAY + 1)
      equal(await bench.counted(three), [[0, 0], [0, 0], [0, 0]], 'since just after the start of the day')
    },
  },
  {
    name: 'changes nothing when it is repeated, however late, and whatever was spent since',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([ann], 'a', 10)
      bench.clock.advance(MINUTE)
      const since = bench.clock()
      await bench.restart(ann, since)
      bench.resets()
      await bench.restart(ann, since)
      await bench.spend([ann], 'b', 7)
      await bench.restart(ann, since)
      bench.clock.advance(6 * HOUR)
      await bench.restart(ann, since)
      equal(bench.resets(), [], 'what was told')
      equal(await bench.standings(ann), [{ startsAt: since, endsAt: TOMORROW, spent: 7, held: 0 }], 'the window')
      await bench.restart(ann)
      equal(await bench.standings(ann), [{ startsAt: since + 6 * HOUR, endsAt: TOMORROW, spent: 0, held: 0 }], 'the window after a restart since later')
      await isClean(bench, 'after all')
    },
  },
  {
    name: 'takes an instant that is still to come for now',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([ann], 'a', 10)
      await bench.restart(ann, NEVER)
      equal(await bench.standings(ann), [{ startsAt: START, endsAt: TOMORROW, spent: 0, held: 0 }], 'the window')
      bench.resets()
      await bench.spend([ann], 'b', 7)
      await bench.restart(ann, START + HOUR)
      equal([bench.resets(), await bench.counted(ann)], [[], [[7, 0]]], 'a window that begins at this instant, restarted')
      bench.clock.set(TOMORROW)
      await bench.spend([ann], 'c', 3)
      await bench.restart(ann, NEVER)
      equal(await bench.counted(ann), [[3, 0]], 'a window that begins at midnight, restarted then')
    },
  },
  {
    name: 'restarts at store time while its clock goes back',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([ann], 'a', 10)
      bench.clock.set(START - HOUR)
      const { now } = await bench.restart(ann, START)
      equal(now, START, 'store time')
      equal(await bench.standings(ann), [{ startsAt: START, endsAt: TOMORROW, spent: 0, held: 0 }], 'the window')
      await bench.spend([ann], 'b', 4)
      await bench.restart(ann, START)
      equal(await bench.counted(ann), [[4, 0]], 'the window after a repeat')
    },
  },
  {
    name: 'restarts the windows that it names, and no others',
    async run(open) {
      const bench = await Bench.at(open)
      const weekly = userOf('ann', windowOf(100, { period: 'weekly' }))
      await bench.spend([ann], 'a', 10)
      await bench.spend([weekly], 'b', 20)
      bench.clock.advance(MINUTE)
      await bench.restart(weekly)
      equal(await bench.counted(ann, weekly), [[10, 0], [0, 0]], 'both windows')
    },
  },
  {
    name: 'begins windows also where nothing was counted, so that a repeat finds none',
    async run(open) {
      const bench = await Bench.at(open, '2026-01-15T23:00:00Z')
      const weekly = userOf('ann', windowOf(100), windowOf(100, { period: 'weekly' }))
      await bench.spend([weekly], 'a', 10)
      bench.clock.set(TOMORROW + HOUR)
      bench.effects.splice(0)
      const three = userOf('ann', ...weekly.windows, windowOf(100, { period: 'monthly' }))
      equal((await bench.restart(three)).begun, 3, 'one that has ended, one that runs, and one in which nothing was counted')
      equal(bench.resets(), [['ann', 'daily/usd', TOMORROW + HOUR, TOMORROW + DAY], ['ann', 'weekly/usd', TOMORROW + HOUR, MONDAY + 7 * DAY]], 'what was told of those that had been used')
      await bench.spend([three], 'b', 4)
      bench.clock.advance(MINUTE)
      equal((await bench.restart(three, TOMORROW + HOUR)).begun, 0, 'a repeat')
      equal(await bench.standings(three), [
        { startsAt: TOMORROW + HOUR, endsAt: TOMORROW + DAY, spent: 4, held: 0 },
        { startsAt: TOMORROW + HOUR, endsAt: MONDAY + 7 * DAY, spent: 4, held: 0 },
        { startsAt: TOMORROW + HOUR, endsAt: FEBRUARY, spent: 4, held: 0 },
      ], 'the windows')
      await isClean(bench, 'after it')
    },
  },
  {
    name: 'ends a window that was begun anew where the window of the request ends',
    async run(open) {
      const bench = await Bench.at(open)
      const utc = userOf('ann', windowOf(100))
      const tokyo = userOf('ann', windowOf(100, { timeZone: 'Asia/Tokyo' }))
      await bench.spend([utc], 'a', 10)
      bench.clock.advance(MINUTE)
      await bench.restart(tokyo)
      equal(await bench.standings(utc), [{ startsAt: START + MINUTE, endsAt: TODAY + 15 * HOUR, spent: 0, held: 0 }], 'the window')
    },
  },
  {
    name: 'goes on by the calendar when a window that was begun anew ends',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([ann], 'a', 10)
      bench.clock.advance(HOUR)
      await bench.restart(ann)
      await bench.spend([ann], 'b', 9)
      bench.clock.set(TOMORROW - 1)
      equal(await bench.standings(ann), [{ startsAt: START + HOUR, endsAt: TOMORROW, spent: 9, held: 0 }], 'just before midnight')
      bench.clock.set(TOMORROW)
      bench.resets()
      await bench.spend([ann], 'c', 8)
      equal(bench.resets(), [['ann', 'daily/usd', TOMORROW, TOMORROW + DAY]], 'what was told at midnight')
      equal(await bench.standings(ann), [{ startsAt: TOMORROW, endsAt: TOMORROW + DAY, spent: 8, held: 0 }], 'the next day')
      await isClean(bench, 'the next day')
    },
  },
  {
    name: 'begins the windows of a scope in which nothing was counted, and tells of nothing',
    async run(open) {
      const bench = await Bench.at(open)
      const bob = userOf('bob', windowOf(10))
      await bench.spend([teamOf('search', windowOf(100))], 'a', 10, 0)
      bench.clock.advance(MINUTE)
      const { now, begun, effects } = await bench.restart(bob)
      equal([now, begun, effects], [START + MINUTE, 1, []], 'the answer')
      equal(await bench.standings(bob), [{ startsAt: START + MINUTE, endsAt: TOMORROW, spent: 0, held: 0 }], 'the window')
      await isClean(bench, 'after it')
    },
  },
  {
    name: 'restarts one scope and no other, also where names look alike',
    async run(open) {
      const bench = await Bench.at(open)
      const others = [
        userOf('bob', windowOf(100)),
        { scope: { kind: 'user', id: 'ann', tenant: 'acme' }, key: 'user/acme/ann', windows: [windowOf(100)] },
        teamOf('ann', windowOf(100)),
        userOf('an', windowOf(100)),
        userOf('ann ', windowOf(100)),
      ]
      await bench.spend([ann, ...others], 'a', 10)
      bench.clock.advance(MINUTE)
      await bench.restart(ann)
      equal(await bench.counted(ann, ...others), [[0, 0], ...others.map(() => [10, 0])], 'the windows')
      await bench.restart(teamOf('ann', windowOf(100)))
      equal(await bench.counted(ann, ...others), [[0, 0], [10, 0], [10, 0], [0, 0], [10, 0], [10, 0]], 'after a restart of a shared scope')
      await isClean(bench, 'after both')
    },
  },
  {
    name: 'begins each window anew once where it is told to many times at once',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([many], 'a', 10, 20)
      bench.clock.advance(MINUTE)
      bench.effects.splice(0)
      await Promise.all(Array.from({ length: 6 }, () => bench.restart(many)))
      equal(bench.resets().map(([, window]) => window), ['daily/usd', 'monthly/requests', 'weekly/tokens'], 'what was told')
    },
  },
]
