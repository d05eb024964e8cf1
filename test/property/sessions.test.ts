// NO-OVERSPEND, ALL-OR-NOTHING and CONSERVATION for sessions: random trees of nested runs, on which two processes check, settle, raise
// and resume at the same time. What must hold is reckoned here, in plain sums over the tree.

import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Bursar, memoryStore, type AllowedDecision, type ReserveRequest, type Session, type Store } from '../../src/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { manualClock, type ManualClock } from '../../src/testing/index.js'
import { assertProperty, propertyHolds } from '../support/property.js'
import { sharedRedis, type SharedRedis } from '../support/redis/index.js'
import { temporaryFiles } from '../support/sqlite/temporary-files.js'
import { storeWith } from '../unit/setting.js'

const RUNS = Number(process.env['BURSAR_RUNS'] ?? 1_000)
const FEWER = Math.max(10, Math.ceil(RUNS / 20))
const PROMISE = 'NO-OVERSPEND and ALL-OR-NOTHING for sessions'
const CENT = 1_000_000
const USERS = ['ann', 'bob'] as const
const USER_LIMIT = 200

let redis: SharedRedis
let clients: readonly [Redis, Redis]
const files = temporaryFiles()

beforeAll(async () => {
  redis = await sharedRedis()
  clients = [redis.client(), redis.client()]
})
afterEach(() => files.removeAll())
afterAll(() => Promise.all(clients.map((client) => client.quit())))

describe(PROMISE, () => {
  it('hold in memory', async () => {
    await assertProperty(`${PROMISE} memory`, sessionsHold(inMemory))
  })

  it('hold on two connections to one SQLite file', async () => {
    const open: TwoStores = (clock) => {
      const path = files.path()
      return [sqliteStore({ path, clock }), sqliteStore({ path, clock })]
    }
    await assertProperty(`${PROMISE} sqlite`, sessionsHold(open), FEWER)
  })

  it.each([['all'], ['tenant']] as const)('hold on two clients of one Redis (partition %s)', async (partition) => {
    const open: TwoStores = (clock) => {
      const prefix = redis.prefix()
      return [redisStore({ client: clients[0], prefix, storeClock: clock, partition }), redisStore({ client: clients[1], prefix, storeClock: clock, partition })]
    }
    await assertProperty(`${PROMISE} redis ${partition}`, sessionsHold(open), partition === 'all' ? FEWER : Math.ceil(FEWER / 5))
  })

  it.each([
    ['does not test what a session may spend', (request: ReserveRequest) => ({ ...request, scopes: request.scopes.map((scope) => (scope.scope.kind === 'session' ? { ...scope, windows: scope.windows.map((window) => ({ ...window, block: { max: Number.MAX_SAFE_INTEGER, pre: Number.MAX_SAFE_INTEGER } })) } : scope)) })],
    ['does not count in the sessions around one', (request: ReserveRequest) => ({ ...request, scopes: request.scopes.slice(0, 2) })],
  ])('are told from a store that %s', async (_what, changed) => {
    const broken: TwoStores = (clock) => {
      const store = memoryStore({ clock })
      const wrong = storeWith(store, { reserve: (request) => withAllReadings(request, store.reserve(changed(request)) as Reply) as never })
      return [wrong, wrong]
    }
    expect(await propertyHolds(sessionsHold(broken), 300)).toBe(false)
  })
})

type Reply = { readonly readings?: readonly number[] }
type TwoStores = (clock: ManualClock) => readonly [Store, Store]

const inMemory: TwoStores = (clock) => {
  const store = memoryStore({ clock })
  return [store, store]
}

/** A reply to fewer scopes, made up for all: the engine must not fail on its length. */
function withAllReadings(request: ReserveRequest, reply: Reply): Reply {
  const length = 4 * request.scopes.reduce((all, { windows }) => all + windows.length, 0)
  return reply.readings === undefined ? reply : { ...reply, readings: Array.from({ length }, (_, index) => reply.readings?.[index] ?? 0) }
}

interface Node {
  readonly user: (typeof USERS)[number]
  readonly parent: number | undefined
  /** Cents, and tokens. */
  readonly cents: number | null
  readonly tokens: number | null
}

type Command =
  | { readonly do: 'check'; readonly at: number; readonly by: 0 | 1; readonly cents: number; readonly tokens: number }
  | { readonly do: 'settle'; readonly hold: number; readonly by: 0 | 1; readonly part: number }
  | { readonly do: 'release'; readonly hold: number; readonly by: 0 | 1 }
  | { readonly do: 'raise'; readonly at: number; readonly by: 0 | 1; readonly unit: 'cents' | 'tokens'; readonly to: number }
  | { readonly do: 'resume'; readonly at: number; readonly by: 0 | 1 }
type Step = Command | { readonly do: 'batch'; readonly commands: readonly Command[] } | { readonly do: 'wait' }

const by = fc.constantFrom(0 as const, 1 as const)
const at = fc.nat({ max: 9 })
const cap = fc.integer({ min: 0, max: 120 })
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('check' as const), at, by, cents: fc.nat({ max: 40 }), tokens: fc.nat({ max: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const), hold: fc.nat({ max: 40 }), by, part: fc.nat({ max: 100 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), hold: fc.nat({ max: 40 }), by }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('raise' as const), at, by, unit: fc.constantFrom('cents' as const, 'tokens' as const), to: fc.integer({ min: 0, max: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const), at, by }) },
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: command },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('batch' as const), commands: fc.array(command, { minLength: 2, maxLength: 8 }) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'wait' as const }) },
)
const tree = fc.array(fc.record({ user: fc.constantFrom(...USERS), around: fc.option(fc.nat({ max: 9 }), { nil: undefined }), cents: fc.option(cap, { nil: null }), tokens: fc.option(cap, { nil: null }) }), { minLength: 1, maxLength: 6 }).map((drawn) => {
  const nodes: Node[] = []
  for (const { user, around, cents, tokens } of drawn) {
    const parent = around === undefined || nodes.length === 0 ? undefined : around % nodes.length
    const owner = parent === undefined ? user : (nodes[parent] as Node).user
    // One that is nested in none must have a cap.
    nodes.push({ user: owner, parent, cents: parent === undefined && tokens === null ? (cents ?? 100) : cents, tokens })
  }
  return nodes
})

function sessionsHold(open: TwoStores): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(tree, fc.array(step, { maxLength: 25 }), async (nodes, steps) => {
    const clock = manualClock()
    const world = new World(nodes, open(clock), clock)
    await world.begin()
    for (const each of steps) await world.play(each)
    await world.expectWhole()
    await world.close()
  })
}

interface Held {
  readonly node: number
  readonly cents: number
  readonly tokens: number
  readonly decision: AllowedDecision
  state: 'open' | 'expired' | 'ended'
  /** What was charged, once something was. */
  charged: { cents: number; tokens: number } | undefined
}

/** The tree on two engines, and what must be true of it. */
class World {
  readonly #nodes: readonly Node[]
  readonly #stores: readonly [Store, Store]
  readonly #clock: ManualClock
  readonly #engines: readonly [Bursar, Bursar]
  readonly #sessions: [Session[], Session[]] = [[], []]
  readonly #caps: { cents: number | null; tokens: number | null }[]
  readonly #held: Held[] = []
  #hasRaised = false

  constructor(nodes: readonly Node[], stores: readonly [Store, Store], clock: ManualClock) {
    this.#nodes = nodes
    this.#stores = stores
    this.#clock = clock
    this.#caps = nodes.map(({ cents, tokens }) => ({ cents, tokens }))
    const engine = (store: Store) => new Bursar({ tiers: { free: { total: usd(USER_LIMIT) } }, defaultTier: 'free', store, clock, storeTimeout: '30s', logger: { debug() {}, warn() {} } })
    this.#engines = [engine(stores[0]), engine(stores[1])]
  }

  async begin(): Promise<void> {
    for (const [index, { user, parent, cents, tokens }] of this.#nodes.entries()) {
      const caps = { id: `s${index}`, ...(cents !== null && { maxCost: usd(cents) }), ...(tokens !== null && { maxTokens: tokens }) }
      const session = parent === undefined ? await this.#engines[0].session({ userId: user, ...caps }) : await (this.#sessions[0][parent] as Session).session(caps)
      this.#sessions[0].push(session)
      this.#sessions[1].push(await this.#engines[1].session({ userId: user, id: session.id }))
    }
  }

  async play(each: Step): Promise<void> {
    if (each.do === 'wait') {
      this.#clock.advance('11m')
      for (const held of this.#held) if (held.state === 'open') Object.assign(held, { state: 'expired', charged: { cents: held.cents, tokens: held.tokens } })
    } else if (each.do === 'batch') {
      await Promise.all(oneEndingEach(each.commands, this.#held.length).map((one) => this.#do(one, false)))
      this.#expectWithinCaps()
    } else {
      await this.#do(each, true)
      this.#expectWithinCaps()
    }
  }

  /** Alone, the outcome is known beforehand. */
  async #do(each: Command, isAlone: boolean): Promise<void> {
    if (each.do === 'check') return this.#check(each, isAlone)
    if (each.do === 'raise') return this.#raise(each, isAlone)
    if (each.do === 'resume') {
      const index = each.at % this.#nodes.length
      const session = await this.#engines[each.by].session({ userId: (this.#nodes[index] as Node).user, id: `s${index}` })
      if (isAlone) expect([session.exact.totalMicrocents, session.totalTokens]).toEqual([this.#spent(index, 'cents') * CENT, this.#spent(index, 'tokens')])
      this.#sessions[each.by][index] = session
      return
    }
    const held = this.#held[each.hold % Math.max(1, this.#held.length)]
    if (held === undefined || held.state === 'ended') return
    held.state = 'ended'
    if (each.do === 'release') {
      // Of one that has expired it means that nothing was spent.
      await this.#engines[each.by].release(held.decision.id)
      held.charged = { cents: 0, tokens: 0 }
      return
    }
    const part = (amount: number): number => Math.floor((amount * each.part) / 100)
    const charged = { cents: part(held.cents), tokens: part(held.tokens) }
    await this.#engines[each.by].settle(held.decision.id, { cost: usd(charged.cents), tokens: charged.tokens })
    held.charged = charged
  }

  async #check({ at: drawn, by: engine, cents, tokens }: Extract<Command, { do: 'check' }>, isAlone: boolean): Promise<void> {
    const node = drawn % this.#nodes.length
    const fits = this.#fits(node, cents, tokens)
    const session = this.#sessions[engine][node] as Session
    const decision = await session.check({ estimatedCost: usd(cents), inputTokens: tokens, maxOutputTokens: 0 })
    if (isAlone) {
      // NO-FALSE-BLOCK, whichever process has raised a cap; and no admission beyond one.
      expect(decision.allowed, decision.reason).toBe(fits)
      expect(session.exact.totalMicrocents + session.exact.heldMicrocents).toBe((this.#used(node, 'cents') + (fits ? cents : 0)) * CENT)
      this.#expectRemaining(session.exact.remainingMicrocents, this.#left(node, 'cents', fits ? cents : 0, CENT))
      this.#expectRemaining(session.remainingTokens, this.#left(node, 'tokens', fits ? tokens : 0, 1))
    }
    if (decision.allowed) this.#held.push({ node, cents, tokens, decision, state: 'open', charged: undefined })
    else if (isAlone) expect(['session', 'user']).toContain(decision.toDenial().scope?.kind)
  }

  async #raise({ at: drawn, by: engine, unit, to }: Extract<Command, { do: 'raise' }>, isAlone: boolean): Promise<void> {
    const node = drawn % this.#nodes.length
    const session = this.#sessions[engine][node] as Session
    const caps = this.#caps[node] as { cents: number | null; tokens: number | null }
    const before = caps[unit]
    const raised = await (unit === 'cents' ? session.raiseCostCap(usd(to)) : session.raiseTokenCap(to)).then(() => true, (error: { code: string }) => {
      expect(error.code).toBe('INVALID_REQUEST')
      return false
    })
    if (isAlone) expect(raised).toBe(before !== null && to >= before)
    if (raised) caps[unit] = Math.max(caps[unit] ?? 0, to)
    this.#hasRaised ||= raised
  }

  /** What is spent and held in a session and all within it. */
  #used(node: number, unit: 'cents' | 'tokens'): number {
    return this.#held.filter((held) => this.#isWithin(held.node, node)).reduce((all, held) => all + (held.charged ?? held)[unit], 0)
  }

  #spent(node: number, unit: 'cents' | 'tokens'): number {
    return this.#held.filter((held) => this.#isWithin(held.node, node)).reduce((all, held) => all + (held.charged?.[unit] ?? 0), 0)
  }

  #userUsed(user: string): number {
    return this.#held.filter((held) => (this.#nodes[held.node] as Node).user === user).reduce((all, held) => all + (held.charged ?? held).cents, 0)
  }

  #fits(node: number, cents: number, tokens: number): boolean {
    const room = (used: number, amount: number, limit: number | null): boolean => limit === null || (used + amount <= limit && used < limit)
    if (!room(this.#userUsed((this.#nodes[node] as Node).user), cents, USER_LIMIT)) return false
    return this.#around(node).every((index) => room(this.#used(index, 'cents'), cents, this.#caps[index]?.cents ?? null) && room(this.#used(index, 'tokens'), tokens, this.#caps[index]?.tokens ?? null))
  }

  #left(node: number, unit: 'cents' | 'tokens', more: number, scale: number): number | null {
    const left = this.#around(node).flatMap((index) => {
      const limit = this.#caps[index]?.[unit] ?? null
      return limit === null ? [] : [Math.max(0, limit - this.#used(index, unit) - more)]
    })
    return left.length === 0 ? null : Math.min(...left) * scale
  }

  /** Of a cap that was raised elsewhere a process may not have heard: then it shows less, and never more. */
  #expectRemaining(shown: number | null, left: number | null): void {
    if (!this.#hasRaised || left === null) expect(shown).toBe(left)
    else expect(shown).toBeLessThanOrEqual(left)
  }

  #around(node: number): number[] {
    const { parent } = this.#nodes[node] as Node
    return parent === undefined ? [node] : [node, ...this.#around(parent)]
  }

  #isWithin(inner: number, outer: number): boolean {
    return this.#around(inner).includes(outer)
  }

  /** Nothing here settles above its hold: so what is spent and held never passes a cap, and caps only rise. */
  #expectWithinCaps(): void {
    for (const [index, { cents, tokens }] of this.#caps.entries()) {
      if (cents !== null) expect(this.#used(index, 'cents'), `cents in s${index}`).toBeLessThanOrEqual(cents)
      if (tokens !== null) expect(this.#used(index, 'tokens'), `tokens in s${index}`).toBeLessThanOrEqual(tokens)
    }
    for (const user of USERS) expect(this.#userUsed(user)).toBeLessThanOrEqual(USER_LIMIT)
  }

  async expectWhole(): Promise<void> {
    for (const index of this.#nodes.keys()) {
      for (const sessions of this.#sessions) {
        const { totalTokens, heldTokens, maxTokens, exact } = await (sessions[index] as Session).summary()
        const [spent, tokens] = [this.#spent(index, 'cents'), this.#spent(index, 'tokens')]
        expect([exact.totalMicrocents, exact.heldMicrocents, totalTokens, heldTokens]).toEqual([spent * CENT, (this.#used(index, 'cents') - spent) * CENT, tokens, this.#used(index, 'tokens') - tokens])
        expect([exact.capMicrocents, maxTokens]).toEqual([this.#caps[index]?.cents == null ? null : (this.#caps[index]?.cents as number) * CENT, this.#caps[index]?.tokens])
      }
    }
    const own = new Map<string, number>()
    for await (const { sessionId = '', microcents } of this.#engines[0].tracker.entries()) own.set(sessionId, (own.get(sessionId) ?? 0) + microcents)
    for (const index of this.#nodes.keys()) {
      const charged = this.#held.filter(({ node }) => node === index).reduce((all, held) => all + (held.charged?.cents ?? 0), 0)
      expect(own.get(`s${index}`) ?? 0, `the ledger of s${index}`).toBe(charged * CENT)
    }
    expect((await this.#engines[1].tracker.audit()).differences).toEqual([])
  }

  async close(): Promise<void> {
    for (const store of new Set(this.#stores)) await store.close()
  }
}

/** In one batch a hold ends once: which of two endings comes first, nobody could say. */
function oneEndingEach(commands: readonly Command[], holds: number): Command[] {
  const ended = new Set<number>()
  return commands.filter((each) => {
    if (each.do !== 'settle' && each.do !== 'release') return true
    const hold = each.hold % Math.max(1, holds)
    if (ended.has(hold)) return false
    ended.add(hold)
    return true
  })
}

function usd(cents: number): string {
  return (cents / 100).toFixed(2)
}
