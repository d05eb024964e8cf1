// What is the Fetch API's own: responses of every kind, and what a framework gives beside the request.

import { generateText, RetryError, wrapLanguageModel } from 'ai'
import { describe, expect, it, vi } from 'vitest'
import { Bursar, BudgetExceededError, memoryStore, StoreUnavailableError, type BursarConfig } from '../../../src/index.js'
import { budgetMiddleware } from '../../../src/integrations/ai-sdk.js'
import { budgeted, decisionOf } from '../../../src/integrations/fetch.js'
import { manualClock } from '../../../src/testing/index.js'
import { entriesOf, storeWith } from '../setting.js'
import { eventually, mockModel, PRICES } from './ai-sdk-kit.js'

const engine = (config: object = {}) => new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), ...config } as unknown as BursarConfig)
const identity = { userId: 'ada' }
const get = (init: RequestInit = {}) => new Request('http://localhost/', init)
const kindsOf = async (bursar: Bursar) => (await entriesOf(bursar.tracker)).map(({ kind }) => kind)

describe('a handler', () => {
  it('gets the request, its decision, and what the framework gives beside them', async () => {
    const handler = budgeted(engine(), { identity }, (request: Request, decision, context: { params: Promise<{ id: string }> }) => Response.json({ url: request.url, same: decisionOf(request) === decision, has: 'params' in context }))
    expect(await (await handler(get(), { params: Promise.resolve({ id: '1' }) })).json()).toEqual({ url: 'http://localhost/', same: true, has: true })
    expect(decisionOf(get())).toBeUndefined()
  })

  it('needs no plumbing for the AI SDK: identity, refusal and all', async () => {
    const bursar = engine({ prices: PRICES, tiers: { free: { daily: 0.01 } } })
    const model = wrapLanguageModel({ model: mockModel('large'), middleware: budgetMiddleware(bursar) })
    const handler = budgeted(bursar, { identity: (request) => ({ userId: request.headers.get('x-user') as string }) }, async () => new Response((await generateText({ model, prompt: 'hi', maxOutputTokens: 50 })).text))
    const bob = () => get({ headers: { 'x-user': 'bob' } })
    expect(await (await handler(bob())).text()).toBe('hello')
    expect(await bursar.tracker.getUserCost('bob')).toBe(0.002)
    await bursar.tracker.addCost({ userId: 'bob', cost: 0.007 })
    const refused = await handler(bob())
    expect(refused.status).toBe(402)
    expect(await refused.json()).toMatchObject({ code: 'budget', window: 'daily', limit: 0.01, used: 0.009, largestFittingOutput: expect.anything() })
  })

  it('is asked by a budget of tokens alone, too', async () => {
    const bursar = engine({ tiers: { free: { daily: { tokens: 100 } } } })
    const answer = await budgeted(bursar, { identity }, () => new Response('hello'))(get())
    expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, '"daily/tokens";r=100;t=43200'])
  })
})

describe('a response', () => {
  it.each<[string, () => Response, object]>([
    ['without a body', () => new Response(null, { status: 204 }), { status: 204 }],
    ['that cannot be changed', () => Response.redirect('http://localhost/there', 303), { status: 303, headers: { location: 'http://localhost/there' } }],
    ['with a status line of its own', () => new Response('x', { status: 203, statusText: 'Mine' }), { status: 203, statusText: 'Mine' }],
    ['with a RateLimit of its own', () => new Response('x', { headers: { ratelimit: '"mine";r=1' } }), { headers: { ratelimit: '"mine";r=1' } }],
    ['that is empty', () => new Response(''), { status: 200 }],
  ])('%s comes through, and the money is given back', async (_what, responseOf, expected) => {
    const bursar = engine()
    const { status, statusText, headers, body } = await budgeted(bursar, { identity }, responseOf)(get())
    await new Response(body).text()
    expect({ status, statusText, headers: Object.fromEntries(headers) }).toMatchObject({ headers: { ratelimit: expect.any(String) }, ...expected })
    expect(await kindsOf(bursar)).toEqual(['released'])
  })

  it('that cannot be made anew goes as it is', async () => {
    const bursar = engine()
    const failed = Response.error()
    expect(await budgeted(bursar, { identity }, () => failed)(get())).toBe(failed)
    expect(await kindsOf(bursar)).toEqual(['released'])
  })

  it('keeps each of its cookies', async () => {
    const own = new Headers([['set-cookie', 'a=1'], ['set-cookie', 'b=2']])
    const { headers } = await budgeted(engine(), { identity }, () => new Response('x', { headers: own }))(get())
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  })

  it.each<[string, () => Promise<Response>, unknown]>([
    ['read already', async () => { const response = new Response('x'); await response.text(); return response }, TypeError],
    ['none', async function POST() { return undefined as never }, /^fetch\.handler: "POST" answered with undefined, which is no Response\. Return one /],
    ['null', async () => null as never, /^fetch\.handler: it answered with null, /],
    ['what somebody would have turned into one', async () => ({ status: 200, text: 'hello' }) as never, /^fetch\.handler: it answered with an object, /],
  ])('that is %s is an error, and the money is given back', async (_what, responseOf, error) => {
    const bursar = engine()
    await expect(budgeted(bursar, { identity }, responseOf)(get())).rejects.toThrow(error as RegExp)
    expect(await kindsOf(bursar)).toEqual(['released'])
  })

  it('is over when the client aborts, though nobody cancels its body', async () => {
    const bursar = engine()
    const client = new AbortController()
    const cancelled = vi.fn()
    const endless = () => new Response(new ReadableStream({ cancel: cancelled }))
    const { body } = await budgeted(bursar, { identity }, endless)(get({ signal: client.signal }))
    expect(await kindsOf(bursar)).toEqual([])
    client.abort()
    await eventually(async () => expect(await kindsOf(bursar)).toEqual(['released']))
    expect(cancelled).toHaveBeenCalledTimes(1)
    expect(body).not.toBeNull()
  })

  it('of a framework of its own is one by its shape', async () => {
    const bursar = engine()
    const { status, headers, statusText, body } = new Response('foreign', { status: 203, headers: { 'x-own': 'kept' } })
    const answer = await budgeted(bursar, { identity }, () => ({ status, headers, statusText, body }) as Response)(get())
    expect([answer.status, answer.headers.get('x-own'), await answer.text()]).toEqual([203, 'kept', 'foreign'])
  })

  it('to HEAD is over at once: nobody reads or cancels its body', async () => {
    const bursar = engine()
    const cancelled = vi.fn()
    const { status } = await budgeted(bursar, { identity }, () => new Response(new ReadableStream({ cancel: cancelled }), { status: 206 }))(get({ method: 'HEAD' }))
    expect(status).toBe(206)
    await eventually(async () => expect(await kindsOf(bursar)).toEqual(['released']))
    expect(cancelled).toHaveBeenCalledTimes(1)
  })

  it('whose body breaks gives its reader the error', async () => {
    const bursar = engine()
    const { body } = await budgeted(bursar, { identity }, () => new Response(new ReadableStream({ pull: (source) => source.error(new TypeError('broken body')) })))(get())
    await expect(new Response(body).text()).rejects.toThrow('broken body')
    expect(await kindsOf(bursar)).toEqual(['released'])
  })

  it('is not held up by a source that does not let go', async () => {
    const bursar = engine()
    const stuck = () => new Response(new ReadableStream({ cancel: () => new Promise(() => {}) }))
    const { body } = await budgeted(bursar, { identity }, stuck)(get())
    void body?.cancel()
    await eventually(async () => expect(await kindsOf(bursar)).toEqual(['released']))
  })
})

describe('a refusal', () => {
  it('by a store that is away is 503, and says nothing of it', async () => {
    const clock = manualClock()
    const away = () => Promise.reject(new StoreUnavailableError('redis://secret:6379 is away', { asked: false }))
    const bursar = engine({ clock, store: storeWith(memoryStore({ clock }), { reserve: away as never }) })
    bursar.on('store-error', () => {})
    const answer = await budgeted(bursar, { identity }, () => new Response('hello'))(get())
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, null])
    expect(await answer.json()).toEqual({ type: 'urn:bursar:denial:store-unavailable', title: 'Budgets unavailable', status: 503, detail: expect.stringMatching(/^Whether the budget allows/), instance: expect.any(String), code: 'store-unavailable', retryAfterMs: null })
  })

  it('thrown by another copy of bursar is one, too', async () => {
    const thrown = new BudgetExceededError({ error: 'budget_exceeded', code: 'rate', status: 429, message: 'slow down', decisionId: 'd', retryAfterMs: 1 })
    const foreign = Object.assign(new Error('slow down'), { denial: thrown.denial, code: 'BUDGET_EXCEEDED', [Symbol.for('bursar.error')]: true })
    const answer = await budgeted(engine(), { identity }, () => Promise.reject(foreign))(get())
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1'])
  })

  it('of a call for somebody else tells nothing of that user', async () => {
    const bursar = engine()
    for (const wrap of [(error: unknown) => error, (error: unknown) => new Error('moderation failed', { cause: error })]) {
      const handler = budgeted(bursar, { identity, sharedBudgets: true }, async () => {
        await bursar.guard({ userId: 'moderator', estimatedCost: 5 }, async () => ({ result: 1, cost: 0 })).catch((error: unknown) => Promise.reject(wrap(error) as Error))
        return new Response('fine')
      })
      const answer = await handler(get())
      const text = await answer.text()
      expect([answer.status, text.includes('moderator'), 'limit' in (JSON.parse(text) as object)]).toEqual([402, false, false])
      expect(answer.headers.get('ratelimit')).toContain('r=100000000')
    }
  })

  it('of a call that the AI SDK has tried again is one, too', async () => {
    const denial = { error: 'budget_exceeded', code: 'budget', status: 402, message: 'no more', decisionId: 'd', retryAfterMs: null } as const
    const errors = [new Error('overloaded'), new BudgetExceededError(denial)]
    expect((await budgeted(engine(), { identity }, () => Promise.reject(new RetryError({ message: 'failed', reason: 'errorNotRetryable', errors })))(get())).status).toBe(402)
    await expect(budgeted(engine(), { identity }, () => Promise.reject(new RetryError({ message: 'failed', reason: 'errorNotRetryable', errors: [new Error('overloaded')] })))(get())).rejects.toThrow('failed')
  })
})

describe('options', () => {
  it('are of the tiers that are configured, and of the request that the framework gives', async () => {
    class MyRequest extends Request {
      readonly user = 'ada'
    }
    const bursar = new Bursar({ tiers: { free: { daily: 1 }, pro: { daily: 2 } }, defaultTier: 'free' })
    const handler = budgeted(bursar, { identity: (request: MyRequest) => ({ userId: request.user, userTier: 'pro' }) }, (request, { context }) => new Response(`${request.user} ${context.userTier}`))
    expect(await (await handler(new MyRequest('http://localhost/'))).text()).toBe('ada pro')
    // @ts-expect-error -- a tier that is none
    budgeted(bursar, { identity: { userId: 'ada', userTier: 'gold' } }, () => new Response())
  })


  it.each([
    [{}, /^fetch\.identity: is missing/],
    [{ identity: { id: 'x' } }, /^userId/],
    [{ identity, requests: 1 }, /requests/],
  ])('that cannot work are refused at once: %j', (options, message) => {
    expect(() => budgeted(engine(), options as never, () => new Response())).toThrow(message)
  })

  it('cannot slip in a key for one call', async () => {
    const bursar = engine()
    const handler = budgeted(bursar, { identity, request: { estimatedCost: 0.5, idempotencyKey: 'k' } as never }, () => new Response('x'))
    const [first] = [await handler(get())]
    await expect(handler(get())).rejects.toThrow(/^idempotencyKey/)
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ held: 0.5 })
    await first.text()
    expect(await bursar.tracker.getUserSummary('ada')).toMatchObject({ held: 0 })
  })
})
