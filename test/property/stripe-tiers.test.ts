// STRIPE-TRUTH: whatever happens to an account, and however its events come, twice, late, in any order, several at a time, to one of two
// processes or not at all, the directory ends with the tiers that are true, and never shows one that was not.

import fc from 'fast-check'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/store/memory/index.js'
import { redisStore } from '../../src/store/redis/index.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import type { Clock } from '../../src/time/index.js'
import { assertProperty, propertyHolds } from '../support/property.js'
import { sharedRedis, type SharedRedis } from '../support/redis/index.js'
import { temporaryFiles } from '../support/sqlite/temporary-files.js'
import { answersTooSoon, believesEvents, bursarsEndpoint, writesWithoutFence } from '../support/stripe-world/endpoints.js'
import { hurried } from '../support/stripe-world/hurry.js'
import { overHttp, straight } from '../support/stripe-world/line.js'
import { mysteries, scripts, type Script } from '../support/stripe-world/scripts.js'
import { Stage, type Scenery } from '../support/stripe-world/stage.js'

/** BURSAR_RUNS looks deeper, and most deeply where a play takes the least time. */
const RUNS = Number(process.env['BURSAR_RUNS'] ?? 1_000)
const LESS = Math.ceil(RUNS / 10)
/** A mistake is found in some hundred runs, and chance must not let it through. */
const FIND = 20_000

const files = temporaryFiles()
let redis: SharedRedis
let clients: readonly [Redis, Redis]

beforeAll(async () => {
  redis = await sharedRedis()
  clients = [redis.client(), redis.client()]
})

afterEach(() => files.removeAll())
afterAll(() => Promise.all(clients.map((client) => client.quit())))

const IN_MEMORY: Scenery = {
  openStores: (clock) => {
    const store = memoryStore({ clock })
    return [store, store]
  },
  lay: straight,
  endpoint: bursarsEndpoint,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
}

const IN_SQLITE: Scenery = {
  ...IN_MEMORY,
  openStores: (clock) => {
    const path = files.path()
    return [sqliteStore({ path, clock }), sqliteStore({ path, clock })]
  },
}

const IN_REDIS: Scenery = {
  ...IN_MEMORY,
  openStores: (clock) => {
    const prefix = redis.prefix()
    const open = (client: Redis, storeClock: Clock) => redisStore({ client, prefix, storeClock })
    return [open(clients[0], clock), open(clients[1], clock)]
  },
  turn: async () => {
    await Promise.all(clients.map((client) => client.ping()))
    await new Promise((resolve) => setImmediate(resolve))
  },
}

describe('STRIPE-TRUTH', () => {
  it('gives the true tier in memory', async () => {
    await assertProperty('STRIPE-TRUTH memory', staysTrue(IN_MEMORY), RUNS)
  })

  it('gives the true tier when asking over HTTP', async () => {
    await assertProperty('STRIPE-TRUTH http', staysTrue({ ...IN_MEMORY, lay: overHttp }), LESS)
  })

  it('gives the true tier in two SQLite connections to one file', async () => {
    await assertProperty('STRIPE-TRUTH sqlite', staysTrue(IN_SQLITE), LESS)
  })

  it('gives the true tier in two Redis clients', async () => {
    await assertProperty('STRIPE-TRUTH redis', staysTrue(IN_REDIS), LESS)
  })

  it.each([
    ['one that believes the events', believesEvents],
    ['one that overwrites new looks with old ones', writesWithoutFence],
    ['one that answers before it is done', answersTooSoon],
  ])('is told from %s', async (_mistake, endpoint) => {
    expect(await propertyHolds(staysTrue({ ...IN_MEMORY, endpoint }), FIND)).toBe(false)
  })

  it('lets no unknown price or status lower a tier, or raise it above what was bought', async () => {
    await assertProperty('STRIPE-TRUTH mysteries', keepsTheLast(IN_MEMORY), 3 * LESS)
  })
})

describe('what chance seldom finds', () => {
  const QUIET: Script = {
    steps: [], mostCustomers: 5, held: [false], order: [0], releases: [0], dropped: [], reconciler: 0, paceSeconds: 0, refused: [false], unwritten: ['not'],
    listsOfDeleted: 'refused', apiShape: 'since-2025-03-31', embeddedItems: 10,
  }
  const SUBSCRIBED: Script['steps'] = [
    { do: 'change', change: { do: 'customer', person: 0, named: true } },
    { do: 'change', change: { do: 'subscribe', prices: ['price_pro'], status: 'active', named: false, which: 0 } },
  ]
  const DELETED: Script['steps'] = [{ do: 'change', change: { do: 'delete', which: 0 } }]

  it('takes the tier away where the first look outlasts its lock and ends after those that found the customer deleted', async () => {
    const held = Array.from({ length: 300 }, (_, index) => index === 7)
    await playToTheEnd({ ...QUIET, held, steps: [...SUBSCRIBED, { do: 'deliver', which: 1, to: 0 }, { do: 'wait', seconds: 31 }, ...DELETED, { do: 'deliver-all', to: 1 }, { do: 'release', which: 0 }] }, IN_MEMORY)
  })

  it('shows what a second customer gives, who was noted by a look that had lost its lock', async () => {
    const checkout = (price: string): Script['steps'][number] => ({ do: 'change', change: { do: 'checkout', person: 0, prices: [price], said: 'reference', trial: false, which: undefined } })
    const late: Script['steps'] = [{ do: 'deliver', which: 1, to: 0 }, { do: 'wait', seconds: 31 }, { do: 'deliver', which: 0, to: 0 }]
    await playToTheEnd({ ...QUIET, held: [false, false, true, false, false], steps: [checkout('price_pro'), { do: 'deliver-all', to: 0 }, checkout('price_max'), ...late] }, IN_MEMORY)
  })

  it('takes the tier away in a second reconciliation where the first one found the customer deleted and could not write it', async () => {
    await playToTheEnd({ ...QUIET, dropped: [true], unwritten: ['not', 'not', 'before'], steps: [...SUBSCRIBED, { do: 'deliver-all', to: 0 }, ...DELETED] }, IN_MEMORY)
  })
})

function staysTrue(scenery: Scenery): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(scripts, (script) => playToTheEnd(script, scenery))
}

function keepsTheLast(scenery: Scenery): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(mysteries, ({ script, changes }) =>
    onStage(script, scenery, async (stage) => {
      for (const [change, to] of changes) await stage.changeOpenly(change, to)
    }),
  )
}

function playToTheEnd(script: Script, scenery: Scenery): Promise<void> {
  return onStage(script, scenery, async (stage) => {
    for (const step of script.steps) await stage.play(step)
    await stage.finish()
  })
}

function onStage(script: Script, scenery: Scenery, play: (stage: Stage) => Promise<void>): Promise<void> {
  return hurried(async () => {
    const stage = await Stage.open(script, scenery)
    try {
      await play(stage)
    } finally {
      await stage.close()
    }
  })
}
