// The slot that holds the budgets moves to another master, key by key, while requests go on: each of them runs whole on one side
// or not at all (ALL-OR-NOTHING), and the counters are exact afterwards.

import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expectExact } from '../../support/fault/exact.js'
import { openStore, type OpenedStore } from '../../support/fault/open-store.js'
import { Traffic } from '../../support/fault/traffic.js'
import { startCluster, until, type ClusterNode, type RedisCluster } from '../../support/redis/index.js'

const PREFIX = 'moving'

let cluster: RedisCluster
let opened: OpenedStore[] = []
beforeEach(async () => void (cluster = await startCluster(3, 0)))
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
  await cluster.stop()
})

function open(): OpenedStore['store'] {
  const one = openStore({ nodes: cluster.seeds, prefix: PREFIX })
  opened.push(one)
  return one.store
}

describe('a slot that moves in the middle of traffic', () => {
  it('is followed by every process, with exact counters afterwards', async () => {
    const stores = [open(), open()] as const
    const traffics = stores.map((store, index) => new Traffic(store, `process-${index}`))
    const settled = (): number => traffics.reduce((total, traffic) => total + traffic.settled, 0)
    const more = (count: number): Promise<unknown> => {
      const before = settled()
      return until('there is traffic', () => settled() >= before + count, { everyMs: 1 })
    }
    await more(100)
    const slot = await cluster.slotOf(PREFIX)
    for (let move = 1; move <= 3; move += 1) {
      const source = await cluster.masterOf(slot)
      const target = cluster.nodes.find(({ id }) => id !== source.id) as ClusterNode
      const before = await turnedAway(source, target)
      await cluster.beginMove(slot, source, target)
      await cluster.moveKeys(slot, source, target, 1)
      // Keys of the slot are on both sides now: what needs several of them has to wait, not to do half.
      await until('requests have met the half-moved slot', async () => (await turnedAway(source, target)) >= before + 10)
      while ((await cluster.moveKeys(slot, source, target, 1)) > 0);
      await cluster.endMove(slot, source, target)
      await more(100)
      expect((await cluster.masterOf(slot)).id).toBe(target.id)
      // What the processes share beside money has moved along.
      const found = await stores[0].registry.get('move', 'count')
      expect(found?.value ?? '0').toBe(String(move - 1))
      expect(await stores[1].registry.put('move', 'count', String(move), { expected: found?.version ?? 0, ttlMs: 3_600_000 })).toBeDefined()
    }
    const told = (await Promise.all(traffics.map((traffic) => traffic.stop()))).flat()
    await expectExact(stores[0], told)
  })
})

/** How many commands were told to try again, or to ask the other side. */
async function turnedAway(...nodes: readonly ClusterNode[]): Promise<number> {
  let count = 0
  for (const { direct } of nodes) {
    for (const [, times] of (await direct.info('errorstats')).matchAll(/^errorstat_(?:TRYAGAIN|ASK):count=(\d+)/gm)) count += Number(times)
  }
  return count
}
