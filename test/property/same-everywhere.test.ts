// SAME-EVERYWHERE: the same trace gives on every store the same actions, rungs, spent, held, limits, boundaries, error codes, alerts
// and ledger. Each store against the plain one, which was written from the design and shares no counting code with any of them.

import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AllowedDecision, LedgerEntry, Store, ThresholdEvent } from '../../src/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { forgetsDetails, wrongBoundaries } from '../support/broken-stores.js'
import { PlainStore } from '../support/plain-store.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { sharedRedis, type SharedRedis } from '../support/redis/index.js'
import { Stage, traces, type Command, type Seen } from '../support/trace.js'

let redis: SharedRedis
let client: Redis

beforeAll(async () => {
  redis = await sharedRedis()
  client = redis.client()
})

afterAll(() => client.quit())

describe('SAME-EVERYWHERE', () => {
  it('gives the same answers in memory as in plain lists', async () => {
    await assertProperty('SAME-EVERYWHERE memory', sameEverywhere((clock) => memoryStore({ clock })))
  })

  it('gives the same answers in SQLite as in plain lists', async () => {
    await assertProperty('SAME-EVERYWHERE sqlite', sameEverywhere((clock) => sqliteStore({ path: ':memory:', clock })))
  })

  it('gives the same answers in Redis as in plain lists', async () => {
    await assertProperty('SAME-EVERYWHERE redis', sameEverywhere((clock) => redisStore({ client, prefix: redis.prefix(), storeClock: clock }), oneAfterTheOther))
  })

  it('is told from a store whose windows turn by another recipe', async () => {
    expect(await propertyHolds(sameEverywhere(wrongBoundaries))).toBe(false)
  })

  it('is told from a store that does not keep how a cost was found', async () => {
    expect(await propertyHolds(sameEverywhere(forgetsDetails))).toBe(false)
  })
})

/** What runs at the same time on a distant store, its replies put in an order of their own; only one after the other is the same. */
function oneAfterTheOther(commands: readonly Command[]): readonly Command[] {
  return commands.flatMap((command) => (command.do === 'batch' ? command.commands : [command]))
}

function sameEverywhere(open: StoreFactory, ordered = (commands: readonly Command[]) => commands): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const here = new Stage(world, open)
    const there = new Stage(world, (clock) => new PlainStore(clock))
    for (const command of ordered(commands)) {
      const seenHere = await here.play(command)
      const seenThere = await there.play(command)
      expect(seenHere.map(plain), JSON.stringify(command)).toEqual(seenThere.map(plain))
      expect(alertsOf(here.alerts), JSON.stringify(command)).toEqual(alertsOf(there.alerts))
    }
    const scopes = [...here.scopes.values()]
    expect((await here.store.read(scopes)).readings).toEqual((await there.store.read(scopes)).readings)
    // Ids are generated: the same decision has another one there.
    for (const [index, { id }] of here.decisions.entries()) expect(await openedIn(here.store, id)).toEqual(await openedIn(there.store, (there.decisions[index] as AllowedDecision).id))
    expect(await moneyIn(here.store)).toEqual(await moneyIn(there.store))
    expect(await here.store.ledger.totals()).toEqual(await there.store.ledger.totals())
    await here.store.close()
  })
}

/** What a decision's hold was opened with, without what asking for it brought about. */
async function openedIn(store: Store, id: string): Promise<unknown> {
  const { effects: _effects, ...opened } = { effects: undefined, ...(await store.opened?.(id)) }
  return JSON.parse(JSON.stringify(opened))
}

/** The ledger without what carries no money, and without ids: they are generated. */
async function moneyIn(store: Store): Promise<unknown[]> {
  const entries: unknown[] = []
  for await (const entry of store.ledger.entries()) {
    if (entry.kind === 'denied' || entry.kind === 'configured') continue
    const { id: _id, decisionId: _decisionId, ...rest }: LedgerEntry = entry
    entries.push(JSON.parse(JSON.stringify(rest)))
  }
  return entries
}

function plain(seen: Seen): unknown {
  if (!('decision' in seen)) return seen
  const { decision } = seen
  const { action, context, replayed, rungs, requested } = decision
  const windows = context.windows.map(({ scope, period, unit, exact, startsAt, resetsAt }) => ({ scope, period, unit, exact, startsAt, resetsAt }))
  const common = { action, replayed, rungs, requested, windows, now: context.now, tier: context.userTier }
  if (decision.allowed) return { ...common, model: decision.model, held: decision.estimatedCost, expiresAt: decision.expiresAt, ended: decision.ended }
  const { code, retryAfterMs, largestFittingCost, window, resetsAt } = decision.toDenial()
  return { ...common, code, retryAfterMs, largestFittingCost, window, resetsAt }
}

function alertsOf(alerts: readonly ThresholdEvent[]): readonly ThresholdEvent[] {
  return [...alerts].sort((a, b) => (a.alertId < b.alertId ? -1 : 1))
}
