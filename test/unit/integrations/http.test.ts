// One application behind every door, over real sockets: the request is decided before the handler, and its hold ends with the answer.

import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { describe, expect, it, vi } from 'vitest'
import { Bursar, BudgetExceededError, type AllowedDecision, type BursarConfig } from '../../../src/index.js'
import { withBudget as anthropicWithBudget } from '../../../src/integrations/anthropic.js'
import { withBudget } from '../../../src/integrations/openai.js'
import { priceBook } from '../../../src/prices/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { entriesOf } from '../setting.js'
import { eventually } from './ai-sdk-kit.js'
import { begin, DOORS, leaving, send, type Application, type Options } from './http-kit.js'

const NOON = Date.UTC(2026, 0, 15, 12)

function engine(config: Partial<BursarConfig> = {}): Bursar {
  return new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(NOON), ...config } as unknown as BursarConfig)
}

async function dayOf(bursar: Bursar) {
  const { cost, held } = (await bursar.tracker.getUserSummary('ada')).periodCosts['daily'] as { cost: number; held: number }
  return { spent: cost, held }
}

/** A text of which the test decides when its pieces come. */
function slowly() {
  const waiting: { resolve: (piece: string | undefined) => void; reject: (error: Error) => void }[] = []
  const next = () => new Promise<string | undefined>((resolve, reject) => void waiting.push({ resolve, reject }))
  let given = 0
  const left = vi.fn()
  async function* pieces() {
    try {
      for (let piece = await next(); piece !== undefined; piece = await next()) yield piece
    } finally {
      left()
    }
  }
  return {
    pieces: pieces(),
    left,
    give: async (piece?: string) => {
      await eventually(() => expect(waiting.length).toBeGreaterThan(given))
      waiting[given++]?.resolve(piece)
    },
    fail: async (error: Error) => {
      await eventually(() => expect(waiting.length).toBeGreaterThan(given))
      waiting[given++]?.reject(error)
    },
  }
}

const HELLO = [{ role: 'user' as const, content: 'hi' }]
/** Nothing is sent to it: the calls are refused. */
const NOWHERE = { apiKey: 'any', baseURL: 'http://127.0.0.1:1', maxRetries: 0 }
/** What the SDKs' own helpers make of a refusal: an error of theirs. */
const HELPERS: Record<string, (bursar: Bursar) => Promise<unknown>> = {
  'chat.completions.stream()': (bursar) => withBudget(new OpenAI(NOWHERE), bursar).chat.completions.stream({ model: 'gpt-4o', messages: HELLO, max_completion_tokens: 100 }).finalChatCompletion(),
  'runTools()': (bursar) => withBudget(new OpenAI(NOWHERE), bursar).chat.completions.runTools({ model: 'gpt-4o', messages: HELLO, max_completion_tokens: 100, tools: [{ type: 'function', function: { name: 'none', description: 'none', parameters: {}, function: () => '' } }] }).finalContent(),
  'messages.stream()': (bursar) => anthropicWithBudget(new Anthropic(NOWHERE), bursar).messages.stream({ model: 'claude-sonnet-4-6', messages: HELLO, max_tokens: 100 }).finalText(),
}

const HELD = { request: () => ({ estimatedCost: 0.5 }) }

describe.each(Object.keys(DOORS))('%s', (door) => {
  const open = (bursar: Bursar, application: Application, options: Options = {}) => (DOORS[door] as (typeof DOORS)[string])(bursar, application, options)

  it('lets a request through with its decision, under its identity, and says how the budget stands', async () => {
    const bursar = engine()
    await bursar.tracker.addCost({ userId: 'ada', cost: 0.25 })
    const seen: unknown[] = []
    const port = await open(bursar, async (decision) => {
      await new Promise((resolve) => setImmediate(resolve))
      seen.push(decision.context.userId, bursar.identity)
      return 'hello'
    })
    const answer = await send(port)
    expect(answer).toMatchObject({ status: 200, text: 'hello' })
    expect(seen).toEqual(['ada', { userId: 'ada' }])
    expect(answer.headers).toMatchObject({ 'x-own': 'kept', 'ratelimit-policy': '"daily";q=100000000;qu="microcents";w=86400', ratelimit: '"daily";r=75000000;t=43200' })
    await eventually(async () => expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['recorded', 'released']))
  })

  it('refuses with a problem document, and does not call the handler', async () => {
    const bursar = engine({ upgradeUrl: 'https://example.com/upgrade' })
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    const handler = vi.fn(async () => 'hello')
    const answer = await send(await open(bursar, handler))
    expect(answer.status).toBe(402)
    expect(handler).not.toHaveBeenCalled()
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'cache-control': 'no-store', 'retry-after': '43200', 'ratelimit-policy': '"daily";q=100000000;qu="microcents";w=86400', ratelimit: '"daily";r=0;t=43200' })
    expect(JSON.parse(answer.text)).toEqual({
      type: 'urn:bursar:denial:budget',
      title: 'Budget exceeded',
      status: 402,
      detail: expect.stringMatching(/^The daily budget of user ada is /),
      instance: expect.stringMatching(/^urn:bursar:decision:./),
      code: 'budget',
      window: 'daily',
      unit: 'usd',
      limit: 1,
      used: 1,
      resetsAt: '2026-01-16T00:00:00.000Z',
      retryAfterMs: 43_200_000,
      largestFittingCost: null,
      upgradeUrl: 'https://example.com/upgrade',
    })
  })

  it('answers a refused call of the handler in the same way', async () => {
    const bursar = engine({ scopes: undefined, tiers: { free: { rolling: { '1m': { requests: 2 } } } } })
    const port = await open(bursar, async () => {
      // The question at the door counts as none of them.
      for (let call = 1; call <= 3; call += 1) await bursar.guard({}, async () => ({ result: call, cost: 0 }))
      return 'hello'
    })
    const answer = await send(port)
    expect(answer.status).toBe(429)
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '63', 'ratelimit-policy': '"rolling:1m/requests";q=2;w=60' })
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'rate', window: 'rolling:1m', limit: 2, used: 2 })
    expect(answer.headers['content-length'] ?? String(answer.text.length)).toBe(String(Buffer.byteLength(answer.text)))
  })

  it.each(Object.entries(HELPERS))('answers a refusal that %s has put into an error of its own', async (_name, call) => {
    const bursar = engine({ prices: priceBook() })
    const port = await open(bursar, async () => {
      await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
      await call(bursar)
      return 'hello'
    })
    const answer = await send(port)
    expect(answer).toMatchObject({ status: 402, headers: { 'content-type': 'application/problem+json', 'retry-after': '43200' } })
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'budget', window: 'daily', limit: 1, used: 1 })
  })

  it("says in RateLimit what is left beside the request's own hold, and not what its handler spends", async () => {
    const bursar = engine()
    const spending = async () => {
      await bursar.guard({ estimatedCost: 0.25 }, async () => ({ result: 1, cost: 0.25 }))
      return 'hello'
    }
    const left = async (options?: Options) => (await send(await open(bursar, spending, options))).headers['ratelimit']
    expect(await left()).toBe('"daily";r=100000000;t=43200')
    expect(await left(HELD)).toBe('"daily";r=25000000;t=43200')
    await eventually(async () => expect(await dayOf(bursar)).toEqual({ spent: 0.5, held: 0 }))
    expect(await left()).toBe('"daily";r=50000000;t=43200')
  })

  it('keeps the hold until the last piece is sent, and settles what was metered', async () => {
    const bursar = engine()
    const { pieces, give } = slowly()
    const port = await open(bursar, async (decision) => {
      decision.addUsage(100, 'input', { cost: 0.125 })
      return pieces
    }, HELD)
    const answering = send(port)
    await give('one ')
    await eventually(async () => expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0.5 }))
    await give('two')
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0.5 })
    await give()
    expect(await answering).toMatchObject({ status: 200, text: 'one two' })
    await eventually(async () => expect(await dayOf(bursar)).toEqual({ spent: 0.125, held: 0 }))
  })

  it('ends the hold when the client leaves in the middle', async () => {
    const bursar = engine()
    const { pieces, give, left } = slowly()
    const response = await Promise.all([begin(await open(bursar, async (decision) => {
      decision.addUsage(100, 'input', { cost: 0.125 })
      return pieces
    }, HELD)), give('one ')]).then(([begun]) => begun)
    expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0.5 })
    response.destroy()
    await eventually(async () => expect(await dayOf(bursar)).toEqual({ spent: 0.125, held: 0 }))
    // Express and node:http leave it to the handler to see that nobody reads on.
    if (door === 'the Fetch API' || door === 'Hono') {
      await give('two')
      await eventually(() => expect(left).toHaveBeenCalledTimes(1))
    }
  })

  it('ends the hold when the answer breaks after it has begun', async () => {
    const bursar = engine()
    const { pieces, give, fail } = slowly()
    const answering = send(await open(bursar, async () => pieces, HELD))
    await give('one ')
    await fail(new BudgetExceededError({ error: 'budget_exceeded', code: 'budget', status: 402, message: 'too late', decisionId: 'd', retryAfterMs: null }))
    expect(await answering).toMatchObject({ status: 200, text: expect.stringMatching(/^broken/) })
    await eventually(async () => expect(await dayOf(bursar)).toEqual({ spent: 0, held: 0 }))
  })

  it('leaves a decision alone that the handler has settled', async () => {
    const bursar = engine()
    const port = await open(bursar, async (decision) => {
      await decision.settle({ cost: 0.25 })
      return 'hello'
    }, HELD)
    await send(port)
    expect(await dayOf(bursar)).toEqual({ spent: 0.25, held: 0 })
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['settled'])
  })

  it("passes other errors of the handler on, and gives the money back", async () => {
    const bursar = engine()
    const port = await open(bursar, async () => {
      throw new TypeError('broken handler')
    }, HELD)
    expect(await send(port)).toMatchObject({ status: 500, text: 'broken handler' })
    await eventually(async () => expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released']))
  })

  it('answers HEAD without a body, and gives the money back', async () => {
    const bursar = engine()
    async function* endless() {
      for (;;) yield 'more'
    }
    expect(await send(await open(bursar, async () => (door === 'Express' || door === 'node:http' ? 'hello' : endless()), HELD), { method: 'HEAD' })).toMatchObject({ status: 200, text: '' })
    await eventually(async () => expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released']))
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    expect(await send(await open(bursar, async () => 'hello'), { method: 'HEAD' })).toMatchObject({ status: 402, text: '', headers: { 'retry-after': '43200' } })
  })

  it.each<[string, Options, string | null, RegExp]>([
    ['a request without an identity', {}, null, /^identity|expected object/],
    ['an identity that is none', { identity: () => ({ user: 'x' }) as never }, 'ada', /^userId/],
    ['a question that is none', { request: () => ({ estimatedCost: -1 }) }, 'ada', /^estimatedCost/],
    ['an unknown tier', { identity: () => ({ userId: 'ada', userTier: 'gold' }) }, 'ada', /gold/],
    ['a function that throws', { request: () => { throw new Error('no question') } }, 'ada', /^no question$/],
  ])('passes the error of %s on, and does not call the handler', async (_what, options, user, message) => {
    const bursar = engine()
    const handler = vi.fn(async () => 'hello')
    expect(await send(await open(bursar, handler, options), { user })).toMatchObject({ status: 500, text: expect.stringMatching(message) })
    expect(handler).not.toHaveBeenCalled()
    expect(await entriesOf(bursar.tracker)).toEqual([])
  })

  it('asks what the application asks, and tells nothing of a budget that is shared', async () => {
    const bursar = engine({ global: { monthly: 0.3 } })
    const asked = await open(bursar, async () => 'hello', HELD)
    const answer = await send(asked)
    expect(answer.status).toBe(402)
    expect(JSON.parse(answer.text)).toEqual({
      type: 'urn:bursar:denial:budget',
      title: 'Budget exceeded',
      status: 402,
      detail: 'A budget that is shared with others does not allow this request now.',
      instance: expect.any(String),
      code: 'budget',
      retryAfterMs: expect.toSatisfy((ms) => ms === null || typeof ms === 'number'),
    })
    expect(answer.headers['ratelimit']).toBe('"daily";r=100000000;t=43200')
    expect(JSON.parse((await send(await open(bursar, async () => 'hello', { ...HELD, sharedBudgets: true }))).text)).toMatchObject({ window: 'monthly', limit: 0.3, used: 0 })
  })

  it('can keep the limits to itself', async () => {
    const bursar = engine()
    const port = await open(bursar, async () => 'hello', { rateLimit: false })
    const { headers } = await send(port)
    expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([])
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    const refused = await send(port)
    expect(Object.keys(refused.headers).filter((name) => name.startsWith('ratelimit'))).toEqual([])
    expect(refused.headers['retry-after']).toBe('43200')
  })

  it('serves many at once, each as who it is', async () => {
    const bursar = engine()
    const port = await open(bursar, async () => {
      await new Promise((resolve) => setImmediate(resolve))
      await bursar.guard({ estimatedCost: 0.5 }, async () => ({ result: 1, cost: 0.5 }))
      return String(bursar.identity?.userId)
    })
    const users = Array.from({ length: 20 }, (_, index) => `user${index}`)
    const answers = await Promise.all(users.flatMap((user) => [0, 1, 2].map(() => send(port, { user }))))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40)
    expect(answers.filter(({ status }) => status === 402)).toHaveLength(20)
    for (const user of users) expect(answers.filter(({ text }) => text === user)).toHaveLength(2)
  })

  it('does not call the handler for a client that has left before the decision', async () => {
    const bursar = engine()
    const handler = vi.fn(async (_decision: AllowedDecision) => 'hello')
    const asked = vi.fn()
    let letOn = () => {}
    const gate = new Promise<void>((resolve) => {
      letOn = resolve
    })
    const port = await open(bursar, handler, {
      request: async () => {
        asked()
        await gate
        return { estimatedCost: 0.5 }
      },
    })
    const { sent, isGone } = leaving(port)
    await eventually(() => expect(asked).toHaveBeenCalledTimes(1))
    sent.destroy()
    await isGone
    letOn()
    await eventually(async () => expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released']))
    expect(handler).not.toHaveBeenCalled()
  })
})
