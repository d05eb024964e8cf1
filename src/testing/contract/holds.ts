// Cases of the store contract: the life of a hold, every row against every column of its table (DESIGN 3.4).

import { Bench, DAY, equal, HOUR, MINUTE, outcomeIs, SECOND, teamOf, userOf, windowOf, type StoreContractCase } from './kit.js'

const ann = [userOf('ann', windowOf(100), windowOf(100, { unit: 'tokens' }))]
const HELD = { microcents: 10, tokens: 20 }

/** The ways in which the hold "x" can have come to where it is. All but `unknown` have held 10 microcents and 20 tokens. */
const STATES = ['unknown', 'open', 'settled', 'corrected', 'released', 'expired', 'expired for nothing', 'tombstone'] as const
type State = (typeof STATES)[number]

async function bring(bench: Bench, state: State): Promise<void> {
  if (state === 'unknown') return
  if (state === 'tombstone') {
    outcomeIs(await bench.release({ id: 'x', tombstone: true }), 'released', 'release of a reserve that never answered')
    return
  }
  await bench.hold(ann, { id: 'x', ...HELD, onExpiry: state === 'expired for nothing' ? 'release' : 'charge' })
  if (state === 'settled') await bench.settle({ id: 'x', microcents: 4, tokens: 5 })
  if (state === 'released') await bench.release({ id: 'x' })
  if (state === 'expired' || state === 'expired for nothing' || state === 'corrected') bench.clock.advance(10 * MINUTE)
  if (state === 'corrected') outcomeIs(await bench.settle({ id: 'x', microcents: 4, tokens: 5 }), 'settled', 'a late settle')
}

/** What was spent and is held in money and tokens where nothing but "x" happened. */
const COUNTED: Readonly<Record<State, [number, number][]>> = {
  unknown: [[0, 0], [0, 0]],
  open: [[0, 10], [0, 20]],
  settled: [[4, 0], [5, 0]],
  corrected: [[4, 0], [5, 0]],
  released: [[0, 0], [0, 0]],
  expired: [[10, 0], [20, 0]],
  'expired for nothing': [[0, 0], [0, 0]],
  tombstone: [[0, 0], [0, 0]],
}

interface Row {
  readonly operation: string
  readonly does: (bench: Bench) => Promise<{ readonly outcome: string }>
  /** The outcome by state, and what is counted afterwards where that changes. */
  readonly gives: Readonly<Record<State, readonly [outcome: string, counted?: [number, number][]]>>
}

const SETTLED: [number, number][] = [[7, 0], [9, 0]]
const NOTHING: [number, number][] = [[0, 0], [0, 0]]

const TABLE: readonly Row[] = [
  {
    operation: 'reserve with the same arguments',
    does: (bench) => bench.reserve(ann, { id: 'x', ...HELD, onExpiry: 'charge' }),
    gives: {
      unknown: ['admitted', COUNTED.open],
      open: ['admitted again'],
      settled: ['admitted again'],
      corrected: ['admitted again'],
      released: ['admitted again'],
      expired: ['admitted again'],
      'expired for nothing': ['admitted again'],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'reserve with other arguments',
    does: (bench) => bench.reserve(ann, { id: 'x', ...HELD, fingerprint: 'others' }),
    gives: {
      unknown: ['admitted', COUNTED.open],
      open: ['id-reused'],
      settled: ['id-reused'],
      corrected: ['id-reused'],
      released: ['id-reused'],
      expired: ['id-reused'],
      'expired for nothing': ['id-reused'],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'record with the same id',
    does: (bench) => bench.record(ann, { id: 'x', microcents: 3, tokens: 0 }),
    gives: {
      unknown: ['recorded', [[3, 0], [0, 0]]],
      open: ['id-reused'],
      settled: ['id-reused'],
      corrected: ['id-reused'],
      released: ['id-reused'],
      expired: ['id-reused'],
      'expired for nothing': ['id-reused'],
      tombstone: ['id-reused'],
    },
  },
  {
    operation: 'settle with another cost',
    does: (bench) => bench.settle({ id: 'x', microcents: 7, tokens: 9 }),
    gives: {
      unknown: ['unknown-hold'],
      open: ['settled', SETTLED],
      settled: ['already-ended (settled)'],
      corrected: ['already-ended (settled)'],
      released: ['already-ended (released)'],
      expired: ['settled late', SETTLED],
      'expired for nothing': ['settled late', SETTLED],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'settle with the cost of the first settle',
    does: (bench) => bench.settle({ id: 'x', microcents: 4, tokens: 5 }),
    gives: {
      unknown: ['unknown-hold'],
      open: ['settled', COUNTED.settled],
      settled: ['settled again'],
      corrected: ['settled again late'],
      released: ['already-ended (released)'],
      expired: ['settled late', COUNTED.settled],
      'expired for nothing': ['settled late', COUNTED.settled],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'settle without tokens',
    does: (bench) => bench.settle({ id: 'x', microcents: 4 }),
    gives: {
      unknown: ['unknown-hold'],
      open: ['settled', [[4, 0], [20, 0]]],
      settled: ['already-ended (settled)'],
      corrected: ['already-ended (settled)'],
      released: ['already-ended (released)'],
      expired: ['settled late', [[4, 0], [20, 0]]],
      'expired for nothing': ['settled late', [[4, 0], [20, 0]]],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'settle above the hold',
    does: (bench) => bench.settle({ id: 'x', microcents: 400, tokens: 5 }),
    gives: {
      unknown: ['unknown-hold'],
      open: ['settled', [[400, 0], [5, 0]]],
      settled: ['already-ended (settled)'],
      corrected: ['already-ended (settled)'],
      released: ['already-ended (released)'],
      expired: ['settled late', [[400, 0], [5, 0]]],
      'expired for nothing': ['settled late', [[400, 0], [5, 0]]],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'release',
    does: (bench) => bench.release({ id: 'x' }),
    gives: {
      unknown: ['unknown-hold'],
      open: ['released (open)', NOTHING],
      settled: ['released (settled)'],
      corrected: ['released (settled)'],
      released: ['released (released)'],
      expired: ['released (expired)', NOTHING],
      'expired for nothing': ['released (expired)', NOTHING],
      tombstone: ['released (released)'],
    },
  },
  {
    operation: 'release after an unknown outcome',
    does: (bench) => bench.release({ id: 'x', tombstone: true }),
    gives: {
      unknown: ['released (released)'],
      open: ['released (open)', NOTHING],
      settled: ['released (settled)'],
      corrected: ['released (settled)'],
      released: ['released (released)'],
      expired: ['released (expired)', NOTHING],
      'expired for nothing': ['released (expired)', NOTHING],
      tombstone: ['released (released)'],
    },
  },
  {
    operation: 'extend',
    does: (bench) => bench.extend({ id: 'x', ttlMs: HOUR }),
    gives: {
      unknown: ['unknown-hold'],
      open: ['extended'],
      settled: ['already-ended (settled)'],
      corrected: ['already-ended (settled)'],
      released: ['already-ended (released)'],
      expired: ['already-ended (expired)'],
      'expired for nothing': ['already-ended (expired)'],
      tombstone: ['already-ended (released)'],
    },
  },
  {
    operation: 'nothing until it is due',
    does: async (bench) => {
      bench.clock.advance(10 * MINUTE)
      await bench.standings(...ann)
      return { outcome: bench.effects.some((effect) => effect.kind === 'hold-expired') ? 'expired' : 'nothing' }
    },
    gives: {
      unknown: ['nothing'],
      open: ['expired', COUNTED.expired],
      settled: ['nothing'],
      corrected: ['nothing'],
      released: ['nothing'],
      expired: ['nothing'],
      'expired for nothing': ['nothing'],
      tombstone: ['nothing'],
    },
  },
]

function named(reply: object): string {
  const { outcome, state, was, replay, replayed, late } = reply as Readonly<Record<string, unknown>>
  const inState = state ?? was
  return `${String(outcome)}${inState === undefined ? '' : ` (${String(inState)})`}${replay !== undefined || replayed === true ? ' again' : ''}${late === true ? ' late' : ''}`
}

const tableCases: readonly StoreContractCase[] = TABLE.flatMap(({ operation, does, gives }) =>
  STATES.map((state) => {
    const [outcome, counted = COUNTED[state]] = gives[state]
    return {
      name: `answers "${operation}" on a hold that is ${state} with "${outcome}"`,
      async run(open) {
        const bench = await Bench.at(open)
        await bring(bench, state)
        equal(await bench.counted(...ann), COUNTED[state], `spent and held of a hold that is ${state}`)
        bench.effects.splice(0)
        equal(named(await does(bench)), outcome, operation)
        equal(await bench.counted(...ann), counted, `spent and held after "${operation}"`)
      },
    } satisfies StoreContractCase
  }),
)

const otherCases: readonly StoreContractCase[] = [
  {
    name: 'answers a repeated reserve with the first result, whatever has happened since',
    async run(open) {
      const bench = await Bench.at(open)
      const first = await bench.hold(ann, { id: 'x', ...HELD })
      await bench.spend(ann, 'y', 30)
      bench.clock.advance(5 * MINUTE)
      const again = await bench.hold(ann, { id: 'x', ...HELD })
      equal([again.readings, again.now, again.dueAt, again.rung], [first.readings, first.now, first.dueAt, first.rung], 'the first result')
      equal([again.replay?.state, again.replay?.rungs], ['open', [HELD]], 'how the hold stands')
      bench.clock.advance(DAY - 5 * MINUTE)
      equal((await bench.hold(ann, { id: 'x', ...HELD })).replay?.state, 'expired', 'how it stands a day later')
      equal(await bench.counted(...ann), [[0, 0], [0, 0]], 'the new day')
    },
  },
  {
    name: 'opens one hold for one id when it is asked for many times at once',
    async run(open) {
      const bench = await Bench.at(open)
      const replies = await Promise.all(Array.from({ length: 8 }, () => bench.hold(ann, { id: 'x', ...HELD })))
      equal(replies.filter((reply) => reply.replay === undefined).length, 1, 'first results')
      await Promise.all(Array.from({ length: 8 }, () => bench.settle({ id: 'x', microcents: 4, tokens: 5 })))
      equal(await bench.counted(...ann), COUNTED.settled, 'charged once')
      equal((await bench.ledger()).length, 1, 'ledger entries')
    },
  },
  {
    name: 'holds for longer after an extend, from then on',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'x', ...HELD })
      bench.clock.advance(9 * MINUTE)
      const extended = await bench.extend({ id: 'x', ttlMs: 10 * MINUTE })
      equal('dueAt' in extended ? extended.dueAt : 0, bench.clock() + 10 * MINUTE, 'new due time')
      bench.clock.advance(10 * MINUTE - 1)
      equal(await bench.counted(...ann), COUNTED.open, 'before the new due time')
      bench.clock.advance(1)
      equal(await bench.counted(...ann), COUNTED.expired, 'at the new due time')
    },
  },
  {
    name: 'ends holds that are due in the order of their due times, then of their ids, and tells of each once',
    async run(open) {
      const bench = await Bench.at(open)
      for (const [id, ttlMs] of [['c', 2 * SECOND], ['b', SECOND], ['a', 2 * SECOND]] as const) await bench.hold(ann, { id, microcents: 1, ttlMs })
      bench.clock.advance(MINUTE)
      await bench.standings(...ann)
      await bench.standings(...ann)
      const expired = bench.effects.flatMap((effect) => (effect.kind === 'hold-expired' ? [effect.id] : []))
      equal(expired, ['b', 'a', 'c'], 'expired holds')
      equal(await bench.ledger(), ['expired b 1 0', 'expired a 1 0', 'expired c 1 0'], 'ledger')
    },
  },
  {
    name: 'tells of a hold that expired also where the operation that noticed it fails',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.hold(ann, { id: 'x', ...HELD })
      bench.clock.advance(HOUR)
      outcomeIs(await bench.extend({ id: 'x', ttlMs: HOUR }), 'already-ended', 'extend of an expired hold', 'expired')
      await bench.standings(...ann)
      equal(bench.effects.filter((effect) => effect.kind === 'hold-expired').length, 1, 'how often it was told')
    },
  },
  {
    name: 'remembers given ids for 24 h after the end, generated ones for 60 s, and expired holds for 24 h',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'given', 1)
      await bench.hold(ann, { id: 'generated', microcents: 1, idGiven: false })
      await bench.settle({ id: 'generated', microcents: 1, tokens: 0 })
      await bench.hold(ann, { id: 'expiring', microcents: 1, idGiven: false, ttlMs: SECOND })
      bench.clock.advance(MINUTE - 1)
      outcomeIs(await bench.settle({ id: 'generated', microcents: 1, tokens: 0 }), 'settled', 'a generated id within 60 s')
      bench.clock.advance(1)
      outcomeIs(await bench.settle({ id: 'generated', microcents: 1, tokens: 0 }), 'unknown-hold', 'a generated id after 60 s')
      bench.clock.advance(DAY - MINUTE - 1)
      outcomeIs(await bench.settle({ id: 'given', microcents: 1, tokens: 0 }), 'settled', 'a given id within 24 h')
      bench.clock.advance(1)
      outcomeIs(await bench.settle({ id: 'given', microcents: 1, tokens: 0 }), 'unknown-hold', 'a given id after 24 h')
      bench.clock.advance(SECOND - 1)
      outcomeIs(await bench.release({ id: 'expiring' }), 'released', 'an expired hold within 24 h')
      bench.clock.advance(1)
      outcomeIs(await bench.release({ id: 'expiring' }), 'unknown-hold', 'an expired hold after 24 h')
      await bench.hold(ann, { id: 'given', microcents: 1, fingerprint: 'another request' })
    },
  },
  {
    name: 'keeps one space of ids for holds, recorded costs and refunds',
    async run(open) {
      const bench = await Bench.at(open)
      await bench.spend(ann, 'a', 5)
      outcomeIs(await bench.refund({ id: 'a', microcents: 1 }), 'id-reused', 'refund with the id of a hold')
      outcomeIs(await bench.refund({ id: 'r', microcents: 1 }), 'refunded', 'refund')
      outcomeIs(await bench.reserve(ann, { id: 'r', microcents: 1 }), 'id-reused', 'reserve with the id of a refund')
      outcomeIs(await bench.record(ann, { id: 'r', microcents: 1 }), 'id-reused', 'record with the id of a refund')
    },
  },
  {
    name: 'counts a recorded cost once, and whatever the limits say',
    async run(open) {
      const bench = await Bench.at(open)
      const tight = [userOf('ann', windowOf(5))]
      outcomeIs(await bench.record(tight, { id: 'x', microcents: 9 }), 'recorded', 'a cost above the limit')
      equal(named(await bench.record(tight, { id: 'x', microcents: 9 })), 'recorded again', 'the same once more')
      outcomeIs(await bench.record(tight, { id: 'x', microcents: 8, fingerprint: 'others' }), 'id-reused', 'other arguments')
      equal(await bench.counted(...tight), [[9, 0]], 'spent')
      outcomeIs(await bench.reserve(tight, { id: 'y' }), 'refused', 'the next request')
    },
  },
  {
    name: 'counts a late settle also in a scope that has been idle since',
    async run(open) {
      const bench = await Bench.at(open)
      const team = teamOf('idle', windowOf(10, { rollingMs: MINUTE }))
      await bench.hold([team], { id: 'x', microcents: 1, ttlMs: SECOND })
      bench.clock.advance(HOUR)
      for (let index = 0; index < 20; index += 1) await bench.hold([teamOf(`other ${index}`, windowOf(10))], { id: `other ${index}` })
      outcomeIs(await bench.settle({ id: 'x', microcents: 8, tokens: 0 }), 'settled', 'a late settle')
      equal(await bench.counted(team), [[7, 0]], 'what the settle added counts from now on')
      outcomeIs(await bench.reserve([team], { id: 'y', microcents: 4 }), 'refused', 'what no longer fits')
    },
  },
]

/** See the head of this file. */
export const holdCases: readonly StoreContractCase[] = [...tableCases, ...otherCases]
