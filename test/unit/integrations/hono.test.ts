// What is Hono's own: its context, its errors, and the header fields of other middlewares.

import { Hono, type Context } from 'hono'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { streamText } from 'hono/streaming'
import { describe, expect, it, vi } from 'vitest'
import { Bursar, type BursarConfig } from '../../../src/index.js'
import { budget, type BudgetVariables } from '../../../src/integrations/hono.js'
import { manualClock } from '../../../src/testing/index.js'
import { entriesOf } from '../setting.js'

const engine = (config: object = {}) => new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), ...config } as unknown as BursarConfig)
const ada = { headers: { 'x-user': 'ada', origin: 'https://example.com' } }

/** An application whose only route spends more than there is. */
function spending(bursar: Bursar) {
  const app = new Hono<{ Variables: BudgetVariables }>()
  app.use(cors({ origin: 'https://example.com' }))
  app.use(budget(bursar, { identity: (c) => ({ userId: c.req.header('x-user') ?? '' }) }))
  app.get('/', async (c) => {
    c.header('x-own', 'kept')
    c.header('content-length', '7')
    await bursar.guard({ estimatedCost: 0.9 }, async () => ({ result: 1, cost: 0.9 }))
    return c.text('hello')
  })
  return app
}

describe('the decision', () => {
  it('is on the context, typed, and metered into', async () => {
    const bursar = engine()
    const app = new Hono<{ Variables: BudgetVariables }>().use(budget(bursar, { identity: { userId: 'ada' } })).get('/', (c) => {
      c.get('budget').addUsage(10, 'input', { cost: 0.25 })
      return c.text(c.get('budget').action)
    })
    expect(await (await app.request('/')).text()).toBe('ALLOW')
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.25)
  })

  it('ends with what a streaming helper of Hono streams', async () => {
    const bursar = engine()
    const held: number[] = []
    const app = new Hono<{ Variables: BudgetVariables }>().use(budget(bursar, { identity: { userId: 'ada' }, request: { estimatedCost: 0.5 } })).get('/', (c) =>
      streamText(c, async (stream) => {
        for (const piece of ['one ', 'two']) {
          await stream.write(piece)
          held.push((await bursar.tracker.getUserSummary('ada')).held as number)
          c.get('budget').addUsage(10, 'output', { cost: 0.125 })
        }
      }),
    )
    expect(await (await app.request('/')).text()).toBe('one two')
    expect(held).toEqual([0.5, 0.5])
    expect(await bursar.tracker.getUserCost('ada')).toBe(0.25)
  })
})

describe('the identity', () => {
  it('is read from what other middlewares have set, whatever the environment', async () => {
    const bursar = engine()
    type Env = { Variables: BudgetVariables & { user: { id: string } } }
    const app = new Hono<Env>()
    app.use(async (c, next) => {
      c.set('user', { id: 'bob' })
      await next()
    })
    app.use('/loose', budget(bursar, { identity: (c) => ({ userId: c.get('user').id }) }))
    app.use('/typed', budget(bursar, { identity: (c: Context<Env>) => ({ userId: c.get('user').id }) }))
    app.use('/later', budget(bursar, { identity: async (c) => ({ userId: c.get('user').id }), request: async (c) => ({ estimatedCost: c.req.path.length / 100 }) }))
    app.get('/:path', (c) => c.json({ user: bursar.identity?.userId, held: c.get('budget').estimatedCost }))
    for (const [path, held] of [['/loose', 0], ['/typed', 0], ['/later', 0.06]] as const) expect(await (await app.request(path)).json()).toEqual({ user: 'bob', held })
  })
})

describe('a refused call of a handler', () => {
  it('is answered with a problem document, and keeps what other middlewares have said', async () => {
    const bursar = engine()
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.5 })
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {})
    const answer = await spending(bursar).request('/', ada)
    logged.mockRestore()
    expect(answer.status).toBe(402)
    expect(Object.fromEntries(answer.headers)).toMatchObject({ 'content-type': 'application/problem+json', 'access-control-allow-origin': 'https://example.com', 'retry-after': expect.stringMatching(/^\d+$/) })
    expect(answer.headers.get('content-length')).toBeNull()
    expect(await answer.json()).toMatchObject({ code: 'budget', window: 'daily' })
  })

  it('is left to an onError that answers it in particular', async () => {
    const bursar = engine()
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.5 })
    const app = spending(bursar)
    app.onError((error, c) => c.json({ sorry: error.name }, 418))
    const answer = await app.request('/', ada)
    expect(answer.status).toBe(418)
    expect(await answer.json()).toEqual({ sorry: 'BudgetExceededError' })
  })
})

describe('OPTIONS', () => {
  it('passes to the handler without a question, an identity and a decision', async () => {
    const bursar = engine()
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    const identity = vi.fn(() => { throw new HTTPException(401) })
    const app = new Hono<{ Variables: BudgetVariables }>().use(budget(bursar, { identity, request: { estimatedCost: 0.5 } })).all('/', (c) => c.json({ decision: c.get('budget') ?? null, user: bursar.identity ?? null }))
    const answer = await app.request('/', { method: 'OPTIONS' })
    expect([answer.status, answer.headers.get('ratelimit'), await answer.json()]).toEqual([200, null, { decision: null, user: null }])
    expect(identity).not.toHaveBeenCalled()
    expect((await app.request('/')).status).toBe(401)
  })

  it('is answered by cors() behind it, too', async () => {
    const app = new Hono().use(budget(engine(), { identity: () => { throw new HTTPException(401) } }), cors({ origin: 'https://example.com' }))
    expect((await app.request('/', { method: 'OPTIONS', headers: { ...ada.headers, 'access-control-request-method': 'POST' } })).status).toBe(204)
  })
})

describe('other errors', () => {
  it('of a handler that has answered nothing are told by Hono', async () => {
    const bursar = engine()
    const app = new Hono().use(budget(bursar, { identity: { userId: 'ada' } })).get('/', () => undefined as never)
    app.onError((error, c) => c.text(error.message, 500))
    const answer = await app.request('/')
    expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining('Context is not finalized')])
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released'])
  })

  it("go to Hono's own handling: of the identity, and of the handler", async () => {
    const bursar = engine()
    const app = new Hono()
    app.use(
      budget(bursar, {
        identity: (c) => {
          const userId = c.req.header('x-user')
          if (userId === undefined) throw new HTTPException(401, { message: 'who are you?' })
          return { userId }
        },
      }),
    )
    app.get('/', () => {
      throw new HTTPException(404, { message: 'not here' })
    })
    expect(await (await app.request('/')).text()).toBe('who are you?')
    const answer = await app.request('/', ada)
    expect([answer.status, await answer.text()]).toEqual([404, 'not here'])
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released'])
  })

  it('that are no errors go through, and the money is given back', async () => {
    const bursar = engine()
    const app = new Hono().use(budget(bursar, { identity: { userId: 'ada' } })).get('/', () => Promise.reject('no error'))
    await expect(app.request('/')).rejects.toBe('no error')
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released'])
  })

  it('where there is no route is a 404 as always', async () => {
    const app = new Hono().use(budget(engine(), { identity: { userId: 'ada' } }))
    expect((await app.request('/nowhere')).status).toBe(404)
  })
})
