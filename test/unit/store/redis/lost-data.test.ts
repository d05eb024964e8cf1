// What happens when the data set goes: no process counts on in an empty one until somebody says so, and a store that went back to an
// older state is noticed.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Effect, ScopeTerms, Store } from '../../../../src/index.js'
import type { RedisStore } from '../../../../src/store/redis/index.js'
import { userOf, windowOf } from '../../../../src/testing/contract/kit.js'
import { manualClock } from '../../../../src/testing/index.js'
import { Ground, keyOf, reserveOf, TestSink, through } from './setting.js'

let ground: Ground
beforeAll(async () => void (ground = await Ground.open()))
afterAll(() => ground.close())

const ann = [userOf('ann', windowOf(1_000))]
const facts = { user: { userId: 'ann' }, tier: 'free' }
const record = (id: string) => ({ id, fingerprint: id, idGiven: true, scopes: ann, amounts: { microcents: 1, tokens: 0 }, facts })
const settled = async (store: Store, id: string): Promise<void> => {
  await store.reserve(reserveOf(id, ann))
  await store.settle({ id, microcents: 1 })
}

const OPERATIONS: Readonly<Record<string, (store: Store) => unknown>> = {
  reserve: (store) => store.reserve(reserveOf('x', ann)),
  settle: (store) => store.settle({ id: 'open', microcents: 1 }),
  release: (store) => store.release({ id: 'open', tombstone: true }),
  extend: (store) => store.extend({ id: 'open', ttlMs: 1_000 }),
  record: (store) => store.record(record('x')),
  refund: (store) => store.refund({ id: 'r', fingerprint: 'r', user: { userId: 'ann' }, microcents: 1 }),
  read: (store) => store.read(ann),
  restart: (store) => store.restart({ ...(ann[0] as ScopeTerms), since: Date.now() }),
  'a record that is read': (store) => store.registry.get('fact', 'a'),
  'a record that is written': (store) => store.registry.put('fact', 'a', 'x', { expected: 0 }),
  'a change of the directory': (store) => store.directory.change({ userId: 'ann' }, { tier: 'pro' }),
  'a denial': (store) => store.ledger.append({ id: 'd:denied', kind: 'denied', at: 1, decisionId: 'd', userId: 'ann', microcents: 0, tokens: 0, charged: [] }),
}

describe('a data set that was lost', () => {
  it.each(Object.entries(OPERATIONS))('is noticed by %s, in every process that knew it, and nothing is written', async (_name, operate) => {
    const prefix = ground.prefix()
    const stores = [ground.store(prefix), ground.store(prefix)]
    for (const store of stores) await store.read(ann)
    await stores[0]?.reserve(reserveOf('open', ann))
    await ground.lose(prefix)
    for (const store of stores) {
      for (let time = 0; time < 2; time += 1) await expect(Promise.resolve(operate(store))).rejects.toMatchObject({ code: 'STORE_RESET', retryable: false })
    }
    expect(await ground.client.exists(keyOf(prefix, 'state'))).toBe(0)
    expect(Object.values(await ground.dumps(prefix)).filter((dump) => dump !== null)).toEqual([])
  })

  it('blocks everything else too, once it was noticed', async () => {
    const prefix = ground.prefix()
    const store = ground.store(prefix)
    await settled(store, 'a')
    await ground.lose(prefix)
    await expect(store.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
    await expect(store.totals({ userId: 'ann' })).rejects.toMatchObject({ code: 'STORE_RESET' })
    await expect(store.directory.get({ userId: 'ann' })).rejects.toMatchObject({ code: 'STORE_RESET' })
    await expect((store.users() as AsyncIterable<unknown>)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'STORE_RESET' })
  })

  it('is accepted by one process: counting goes on from nothing, for all', async () => {
    const prefix = ground.prefix()
    const [here, there, fresh] = [ground.store(prefix), ground.store(prefix), ground.store(prefix)]
    await settled(here, 'a')
    await there.read(ann)
    await ground.lose(prefix)
    await expect(here.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
    await expect(there.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
    await here.acceptReset()
    expect((await here.read(ann)).readings[2]).toBe(0)
    await settled(here, 'b')
    expect(await here.totals({ userId: 'ann' })).toEqual({ microcents: 1, entries: 1 })
    for (const [index, store] of [there, fresh].entries()) {
      expect((await store.read(ann)).readings[2]).toBe(1 + index)
      await settled(store, `c${index}`)
    }
    expect((await here.read(ann)).readings[2]).toBe(3)
    // An id of before is no longer known.
    expect(await here.settle({ id: 'a', microcents: 1 })).toEqual({ outcome: 'unknown-hold' })
  })

  it('is noticed again where the next one is lost as well', async () => {
    const prefix = ground.prefix()
    const store = ground.store(prefix)
    await store.read(ann)
    for (let time = 0; time < 2; time += 1) {
      await ground.lose(prefix)
      await expect(store.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
      await store.acceptReset()
      expect((await store.read(ann)).readings[2]).toBe(0)
    }
  })

  it('that was replaced by another is noticed', async () => {
    const prefix = ground.prefix()
    const store = ground.store(prefix)
    await settled(store, 'a')
    await ground.lose(prefix)
    await settled(ground.store(prefix), 'b')
    await expect(store.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
    await store.acceptReset()
    expect((await store.read(ann)).readings[2]).toBe(1)
  })

  it('that is accepted while nothing was lost changes nothing', async () => {
    const store = ground.store(ground.prefix())
    await settled(store, 'a')
    await store.acceptReset()
    expect((await store.read(ann)).readings[2]).toBe(1)
    expect(await store.settle({ id: 'a', microcents: 1 })).toMatchObject({ replayed: true })
  })
})

describe('a fresh process', () => {
  async function drained(prefix: string, sink: TestSink): Promise<void> {
    const store = ground.store(prefix, { sink })
    await settled(store, 'a')
    await store.close()
    expect(sink.kept).toHaveLength(1)
  }

  it('notices by its sink that the data set was lost, and so does the next one', async () => {
    const [prefix, sink] = [ground.prefix(), new TestSink()]
    await drained(prefix, sink)
    await ground.lose(prefix)
    const fresh = [ground.store(prefix, { sink }), ground.store(prefix, { sink })]
    for (const store of fresh) {
      await expect(store.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
      await expect(store.reserve(reserveOf('x', ann))).rejects.toMatchObject({ code: 'STORE_RESET' })
    }
    await (fresh[0] as RedisStore).acceptReset()
    for (const store of fresh) expect((await store.read(ann)).readings[2]).toBe(0)
  })

  it('does not begin one where its sink cannot be read', async () => {
    const [prefix, sink] = [ground.prefix(), new TestSink()]
    await drained(prefix, sink)
    await ground.lose(prefix)
    let isLocked = true
    const reading = {
      write: (entries: Parameters<TestSink['write']>[0]) => sink.write(entries),
      entries: () => {
        if (isLocked) throw new Error('the file is locked')
        return sink.entries()
      },
    }
    const fresh = ground.store(prefix, { sink: reading })
    await expect(fresh.read(ann)).rejects.toThrow('the file is locked')
    isLocked = false
    await expect(fresh.read(ann)).rejects.toMatchObject({ code: 'STORE_RESET' })
  })

  it('takes a sink with nothing but its configuration for one that is new', async () => {
    const [prefix, sink] = [ground.prefix(), new TestSink()]
    await sink.write([{ id: 'c', kind: 'configured', at: 1, decisionId: 'c', userId: 'ann', microcents: 0, tokens: 0, charged: [] }])
    expect((await ground.store(prefix, { sink }).read(ann)).readings[2]).toBe(0)
  })

  it('joins a data set that is there, whatever its sink has', async () => {
    const [prefix, sink] = [ground.prefix(), new TestSink()]
    await drained(prefix, sink)
    expect((await ground.store(prefix, { sink }).read(ann)).readings[2]).toBe(1)
  })

  it('without a sink cannot know: it begins anew', async () => {
    const prefix = ground.prefix()
    await settled(ground.store(prefix), 'a')
    await ground.lose(prefix)
    expect((await ground.store(prefix).read(ann)).readings[2]).toBe(0)
  })
})

describe('acknowledged writes that were lost', () => {
  const lostIn = (reply: object): Effect[] => ((reply as { readonly effects?: readonly Effect[] }).effects ?? []).filter(({ kind }) => kind === 'writes-lost')

  /** A store that went back by so many writes of its own. */
  async function wentBack(writes: number): Promise<RedisStore> {
    const [prefix, before] = [ground.prefix(), ground.prefix()]
    const store = ground.store(prefix, { storeClock: manualClock() })
    await settled(store, 'first')
    await ground.copy(prefix, before)
    for (let index = 0; index < writes; index += 1) await store.record(record(`lost ${index}`))
    await ground.copy(before, prefix)
    return store
  }

  it.each([2, 3, 10])('%i of them: are told of once, with no more than were lost', async (writes) => {
    const store = await wentBack(writes)
    const [effect, ...others] = lostIn(await store.record(record('next')))
    expect(others).toEqual([])
    // The write that notices it stands in the place of one of them.
    expect([writes, writes - 1]).toContain((effect as { readonly atLeast?: number } | undefined)?.atLeast)
    for (const id of ['b', 'c']) expect(lostIn(await store.record(record(id)))).toEqual([])
    expect((await store.read(ann)).readings[2]).toBe(4)
  })

  it('are told of once, where several requests are under way', async () => {
    const store = await wentBack(30)
    const replies = await Promise.all(Array.from({ length: 10 }, (_, index) => store.record(record(`at once ${index}`))))
    expect(replies.flatMap(lostIn)).toHaveLength(1)
  })

  it('are not told of where nothing was lost, whatever order replies come in', async () => {
    const prefix = ground.prefix()
    let turn = 0
    const client = through(ground.client, async (command, args, send) => {
      const mine = (turn += 1)
      const reply = await send(command, args)
      // Every other reply is held up for some turns.
      for (let each = 0; each < (mine % 3) * 5; each += 1) await new Promise(setImmediate)
      return reply
    })
    const [store, other] = [ground.store(prefix, { client }), ground.store(prefix)]
    await store.read(ann)
    for (let round = 0; round < 5; round += 1) {
      const replies = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 4 === 0 ? other : store).record(record(`${round} ${index}`))))
      expect(replies.flatMap(lostIn)).toEqual([])
    }
  })
})
