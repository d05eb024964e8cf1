// Cases of the store contract: what is charged to a window that ended before its time and what to the one that was begun anew, and
// what either announces.

import { Bench, DAY, entriesOf, equal, HOUR, isClean, MINUTE, outcomeIs, SECOND, userOf, windowOf, type StoreContractCase } from './kit.js'

const START = Date.UTC(2026, 0, 15, 12)
const TODAY = Date.UTC(2026, 0, 15)
const TOMORROW = TODAY + DAY

const ann = userOf('ann', windowOf(100))

/** A user with a window of every kind and unit. */
export const many = userOf(
  'ann',
  windowOf(100),
  windowOf(100, { period: 'weekly', unit: 'tokens' }),
  windowOf(100, { period: 'monthly', unit: 'requests' }),
  windowOf(1_000, { period: 'total' }),
  windowOf(100, { rollingMs: HOUR }),
  windowOf(100, { rollingMs: HOUR, unit: 'requests' }),
)

const chargeCases: readonly StoreContractCase[] = [
  {
    name: 'charges holds from before a restart to the window that ended, however they end',
    async run(open) {
      const bench = await Bench.at(open)
      for (const id of ['settled', 'above', 'released', 'never', 'late', 'extended']) await bench.hold([many], { id, microcents: 10, tokens: 5, ttlMs: id === 'late' ? MINUTE : HOUR })
      bench.clock.advance(SECOND)
      await bench.restart(many)
      equal((await bench.counted(many)).slice(0, 3), [[0, 0], [0, 0], [0, 0]], 'the windows after it')
      await bench.hold([many], { id: 'new', microcents: 7, tokens: 3, ttlMs: DAY })
      const fresh = [[0, 7], [0, 3], [1, 0]]
      await bench.settle({ id: 'settled', microcents: 10, tokens: 5 })
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after a settle')
      await bench.settle({ id: 'above', microcents: 90, tokens: 80 })
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after a settle above its hold')
      await bench.release({ id: 'released' })
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after a release')
      await bench.release({ id: 'never', uncount: true })
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after a release that takes the request back')
      await bench.extend({ id: 'extended', ttlMs: 2 * HOUR })
      bench.clock.advance(MINUTE)
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after an expiry')
      await bench.settle({ id: 'late', microcents: 30, tokens: 30 })
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after the late settle of what had expired')
      await bench.settle({ id: 'extended', microcents: 1, tokens: 1 })
      equal((await bench.counted(many)).slice(0, 3), fresh, 'after the settle of what was extended')
      equal((await bench.counted(many))[3], [131, 7], 'total')
      await isClean(bench, 'before the new hold has ended')
      await bench.settle({ id: 'new', microcents: 6, tokens: 2 })
      equal((await bench.counted(many)).slice(0, 3), [[6, 0], [2, 0], [1, 0]], 'after the settle of the new hold')
      const days = (await entriesOf(bench)).map(({ decisionId, kind, charged }) => [decisionId, kind, charged[0]?.startsAt])
      equal(days, [
        ['settled', 'settled', TODAY], ['above', 'settled', TODAY], ['released', 'released', TODAY], ['never', 'released', TODAY], ['late', 'expired', TODAY],
        ['late', 'corrected', TODAY], ['extended', 'settled', TODAY], ['new', 'settled', START + SECOND],
      ], 'the day that each entry is charged to')
      await isClean(bench, 'after all')
    },
  },
  {
    name: 'ends what is due before it begins a window anew',
    async run(open) {
      const bench = await Bench.at(open)
      const alerted = userOf('ann', windowOf(10, { alerts: [50] }))
      await bench.hold([alerted], { id: 'a', microcents: 6, ttlMs: SECOND })
      bench.clock.advance(MINUTE)
      const { effects } = await bench.restart(alerted)
      equal(effects.map((effect) => (effect.kind === 'threshold' ? [effect.kind, effect.startsAt] : [effect.kind])), [['hold-expired'], ['threshold', TODAY], ['window-reset']], 'what was told')
      equal(await bench.counted(alerted), [[0, 0]], 'the window')
    },
  },
  {
    name: 'holds several times what a window admits where it was begun anew, and each is charged to its own',
    async run(open) {
      const bench = await Bench.at(open)
      for (let round = 0; round < 4; round += 1) {
        await bench.hold([ann], { id: `hold ${round}`, microcents: 100, ttlMs: HOUR })
        bench.clock.advance(SECOND)
        await bench.restart(ann)
      }
      equal(await bench.counted(ann), [[0, 0]], 'the window')
      for (let round = 3; round >= 0; round -= 1) await bench.settle({ id: `hold ${round}`, microcents: 100 + round, tokens: 0 })
      equal(await bench.counted(ann), [[0, 0]], 'the window when all are settled')
      const starts = (await entriesOf(bench)).map(({ charged }) => charged[0]?.startsAt)
      equal(starts, [START + 3 * SECOND, START + 2 * SECOND, START + SECOND, TODAY], 'the windows that they are charged to')
      await isClean(bench, 'after all')
    },
  },
  {
    name: 'refunds a charge from before a restart in the ledger alone, and one from after it in the window',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend([ann], 'old', 10)
      bench.clock.advance(MINUTE)
      await bench.restart(ann)
      await bench.spend([ann], 'new', 8)
      await bench.refund({ id: 'r1', microcents: 4, of: 'old' })
      equal(await bench.counted(ann), [[8, 0]], 'after a refund of the old charge')
      const reply = await bench.refund({ id: 'r2', microcents: 11 })
      equal('appliedMicrocents' in reply && reply.appliedMicrocents, 11, 'what was refunded of the newest first')
      equal(await bench.counted(ann), [[0, 0]], 'after a refund of both')
      equal((await bench.ledger()).slice(2), ['corrected old -4 0', 'corrected new -8 0', 'corrected old -3 0'], 'ledger')
      equal((await bench.store.totals({ userId: 'ann' })).microcents, 3, 'total of the user')
      await isClean(bench, 'after them')
    },
  },
  {
    name: 'counts what is recorded after a restart in the new window, and a repeat not again',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.record([ann], { id: 'old', microcents: 10 })
      bench.clock.advance(MINUTE)
      await bench.restart(ann)
      await bench.record([ann], { id: 'old', microcents: 10 })
      equal(await bench.counted(ann), [[0, 0]], 'after a repeat of what was recorded before')
      await bench.record([ann], { id: 'new', microcents: 9 })
      equal(await bench.counted(ann), [[9, 0]], 'after another')
      equal(await bench.store.totals({ userId: 'ann' }), { microcents: 19, entries: 2 }, 'totals of the user')
    },
  },
  {
    name: 'answers a repeated reserve with the first result, also after a restart',
    async run(open) {
      const bench = await Bench.at(open)
      const first = await bench.hold([ann], { id: 'x', microcents: 60 })
      await bench.spend([ann], 'y', 30)
      bench.clock.advance(MINUTE)
      await bench.restart(ann)
      const again = await bench.hold([ann], { id: 'x', microcents: 60 })
      equal([again.readings, again.now, again.dueAt, again.replay?.state], [first.readings, first.now, first.dueAt, 'open'], 'the first result')
      equal(await bench.counted(ann), [[0, 0]], 'the window')
      await bench.settle({ id: 'x', microcents: 60, tokens: 0 })
      outcomeIs(await bench.settle({ id: 'x', microcents: 60, tokens: 0 }), 'settled', 'the settle, repeated')
      equal(await bench.counted(ann), [[0, 0]], 'the window after its settle')
      equal(await bench.ledger(), ['settled y 30 0', 'settled x 60 0'], 'ledger')
    },
  },
]

const ALERTS = { alerts: [50, 80, 100] }

const restartAlertCases: readonly StoreContractCase[] = [
  {
    name: 'announces every threshold anew in a window that was begun anew, and none twice in one',
    async run(open) {
      const bench = await Bench.at(open)
      const alerted = userOf('ann', windowOf(10, ALERTS))
      await bench.spend([alerted], 'a', 8)
      const alertIds = new Set<string>()
      const note = (): (number | undefined)[][] =>
        bench.effects.splice(0).flatMap((effect) => {
          if (effect.kind !== 'threshold') return []
          equal(alertIds.has(effect.alertId), false, `whether "${effect.alertId}" was given before`)
          alertIds.add(effect.alertId)
          return [[effect.thresholdPct, effect.startsAt, effect.endsAt]]
        })
      equal(note(), [[50, TODAY, TOMORROW], [80, TODAY, TOMORROW]], 'alerts of the day')
      bench.clock.advance(MINUTE)
      const since = bench.clock()
      await bench.restart(alerted, since)
      await bench.spend([alerted], 'b', 5)
      await bench.restart(alerted, since)
      await bench.refund({ id: 'r', microcents: 5 })
      await bench.spend([alerted], 'c', 10)
      equal(note(), [50, 80, 100].map((thresholdPct) => [thresholdPct, since, TOMORROW]), 'alerts of the rest of the day')
      await bench.record([alerted], { id: 'd', microcents: 9 })
      equal(note(), [], 'alerts of what comes then')
    },
  },
  {
    name: 'announces nothing that is charged to the window that ended, and arms by the limits of the new one',
    async run(open) {
      const bench = await Bench.at(open)
      const under = (limit: number): ReturnType<typeof userOf> => userOf('ann', windowOf(limit, ALERTS))
      await bench.hold([under(20)], { id: 'old', microcents: 20 })
      await bench.record([under(20)], { id: 'seen', microcents: 0 })
      bench.clock.advance(MINUTE)
      await bench.restart(under(20))
      await bench.settle({ id: 'old', microcents: 20, tokens: 0 })
      equal(bench.alerts(), [], 'after the settle of an old hold')
      await bench.record([under(10)], { id: 'a', microcents: 5 })
      equal(bench.alerts(), ['ann daily/usd 50'], 'at half of a limit below that of the window before')
    },
  },
]

/** See the head of this file. */
export const restartChargeCases: readonly StoreContractCase[] = [...chargeCases, ...restartAlertCases]
