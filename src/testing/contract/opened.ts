// Cases of the store contract: what an id was opened with, whatever has become of it. Where a store declares no such operation, there is
// nothing to look at.

import type { ChargeFacts, Failure, Opened } from '../../store/index.js'
import { Bench, DAY, equal, MINUTE, outcomeIs, SECOND, userOf, windowOf, type StoreContractCase } from './kit.js'

const ann = [userOf('ann', windowOf(100), windowOf(50, { unit: 'requests' }))]
const rungs = [{ microcents: 90, tokens: 9 }, { microcents: 40, tokens: 4 }, { microcents: 10, tokens: 4 }]
const facts: ChargeFacts = {
  user: { userId: 'ann', tenant: 'acme' },
  tier: 'free',
  provider: 'azure',
  model: 'large',
  cheaperModels: ['middle', 'small'],
  sessionId: 's',
  scopes: { team: 'search' },
  metadata: { trace: 'ü"\n', deep: [{ a: null }] },
}
const NOON = Date.UTC(2026, 0, 15, 12)

type Asked = (id: string) => Promise<Opened | Failure>

/** Runs a case on a store that has the operation. */
function asking(name: string, run: (bench: Bench, opened: Asked) => Promise<void>): StoreContractCase {
  return {
    name,
    async run(open) {
      const bench = await Bench.at(open)
      if (bench.store.opened !== undefined) await run(bench, (id) => bench.opened(id))
    },
  }
}

/** Without what it brought about. */
function plain(reply: Opened | Failure): unknown {
  return { ...reply, effects: undefined }
}

/** See the head of this file. */
export const openedCases: readonly StoreContractCase[] = [
  asking('says of an id what it was opened with, before and after its end', async (bench, opened) => {
    await bench.hold(ann, { id: 'x', microcents: 50 })
    await bench.hold(ann, { id: 'a', rungs, facts })
    const first = { outcome: 'opened', openedAt: NOON, facts, rungs, rung: 1 }
    equal(plain(await opened('a')), { ...first, state: 'open' }, 'an open one')
    bench.clock.advance(MINUTE)
    await bench.extend({ id: 'a', ttlMs: 20 * MINUTE })
    equal(plain(await opened('a')), { ...first, state: 'open' }, 'an extended one')
    await bench.settle({ id: 'a', microcents: 12, tokens: 1, model: 'other', provider: 'openai' })
    equal(plain(await opened('a')), { ...first, state: 'settled' }, 'one that was settled, with another model')
    await bench.refund({ id: 'r', microcents: 5, user: facts.user })
    equal(plain(await opened('a')), { ...first, state: 'settled' }, 'one that was refunded')
    await bench.release({ id: 'x' })
    equal(plain(await opened('x')), { outcome: 'opened', openedAt: NOON, facts: { user: { userId: 'ann' }, tier: 'free', model: 'large' }, rungs: [{ microcents: 50, tokens: 0 }], rung: 0, state: 'released' }, 'one that was released')
  }),
  asking('changes nothing of what it is asked of', async (bench, opened) => {
    await bench.hold(ann, { id: 'a', microcents: 9, tokens: 3 })
    await bench.spend(ann, 'b', 7, 2)
    const before = [await bench.counted(...ann), await bench.ledger()]
    for (const id of ['a', 'b', 'a', 'nobody']) await opened(id)
    equal([await bench.counted(...ann), await bench.ledger()], before, 'counters and ledger')
    outcomeIs(await bench.settle({ id: 'a', microcents: 9, tokens: 3 }), 'settled', 'its settle')
  }),
  asking('ends what is due first, and loses no announcement of it', async (bench, opened) => {
    const team = [userOf('ann', windowOf(10, { alerts: [50] }))]
    await bench.hold(team, { id: 'a', microcents: 6, ttlMs: SECOND })
    bench.clock.advance(SECOND)
    equal((await opened('a') as Opened).state, 'expired', 'state of one that was due')
    equal(await bench.counted(...team), [[6, 0]], 'spent and held')
    equal(bench.effects.map(({ kind }) => kind).sort(), ['hold-expired', 'threshold'], 'what was told, once')
    await bench.settle({ id: 'a', microcents: 2, tokens: 0 })
    equal((await opened('a') as Opened).state, 'settled', 'state after a late settle')
  }),
  asking('knows what the retention of ids knows, and no refund or tombstone', async (bench, opened) => {
    outcomeIs(await opened('a'), 'unknown-hold', 'an id that nobody has used')
    outcomeIs(await bench.reserve(ann, { id: 'a', microcents: 101 }), 'refused', 'a reserve that does not fit')
    outcomeIs(await opened('a'), 'unknown-hold', 'one that was refused')
    await bench.record(ann, { id: 'c', microcents: 4, facts })
    equal(plain(await opened('c')), { outcome: 'opened', openedAt: NOON, facts, rungs: [{ microcents: 0, tokens: 0 }], rung: 0, state: 'settled' }, 'a recorded cost')
    await bench.refund({ id: 'r', microcents: 0 })
    outcomeIs(await opened('r'), 'unknown-hold', 'a refund')
    await bench.release({ id: 't', tombstone: true })
    outcomeIs(await opened('t'), 'already-ended', 'a tombstone', 'released')
    await bench.hold(ann, { id: 'g', microcents: 1, idGiven: false })
    await bench.release({ id: 'g' })
    bench.clock.advance(MINUTE)
    outcomeIs(await opened('g'), 'unknown-hold', 'a generated id after 60 s')
    bench.clock.advance(DAY)
    outcomeIs(await opened('c'), 'unknown-hold', 'a given id after 24 h')
  }),
]
