// Cases of the store contract: the table of the life of a hold, every row against every column (DESIGN 3.4).

import { Bench, equal, HOUR, MINUTE, outcomeIs, userOf, windowOf, type StoreContractCase } from './kit.js'

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

/** An answer in the words of the table. */
export function named(reply: object): string {
  const { outcome, state, was, replay, replayed, late } = reply as Readonly<Record<string, unknown>>
  const inState = state ?? was
  return `${String(outcome)}${inState === undefined ? '' : ` (${String(inState)})`}${replay !== undefined || replayed === true ? ' again' : ''}${late === true ? ' late' : ''}`
}

/** See the head of this file. */
export const holdTableCases: readonly StoreContractCase[] = TABLE.flatMap(({ operation, does, gives }) =>
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
