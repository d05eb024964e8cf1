// What is Express's own: its middlewares before and behind, its errors, and its routers.

import { createServer } from 'node:http'
import express, { type ErrorRequestHandler, type Request } from 'express'
import { describe, expect, it, vi } from 'vitest'
import { Bursar, type BursarConfig } from '../../../src/index.js'
import { budget, budgetErrors } from '../../../src/integrations/express.js'
import { manualClock } from '../../../src/testing/index.js'
import { listening } from '../../support/stripe/sending.js'
import { entriesOf } from '../setting.js'
import { eventually } from './ai-sdk-kit.js'
import { leaving, send, telling } from './http-kit.js'

const engine = (config: object = {}) => new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', clock: manualClock(), ...config } as unknown as BursarConfig)
const quiet: ErrorRequestHandler = (error: Error, _request, response, next) => (response.headersSent ? next(error) : void response.status(500).end(error.message))
const spend = (bursar: Bursar) => bursar.guard({ estimatedCost: 5 }, async () => ({ result: 1, cost: 5 }))

describe('express', () => {
  it('takes the middleware on a route and in a router, and hands on the identity behind a body parser', async () => {
    const bursar = engine()
    const router = express.Router()
    router.post('/', budget(bursar, { identity: (req: Request) => ({ userId: req.get('x-user') as string }) }), express.json(), (req, res) => {
      res.json({ sent: req.body as object, user: bursar.identity?.userId, action: req.budget?.action })
    })
    const port = await listening(express().use(router))
    const body = JSON.stringify({ text: 'x'.repeat(50_000) })
    expect(JSON.parse((await send(port, { body })).text)).toEqual({ sent: JSON.parse(body), user: 'ada', action: 'ALLOW' })
  })

  it('answers a refused call with its own header fields alone, where the handler had begun to describe another answer', async () => {
    const bursar = engine()
    const app = express().use(budget(bursar, { identity: { userId: 'ada' } }))
    app.post('/', async (_req, res) => {
      res.status(201).set({ 'content-length': '7', etag: '"x"', 'x-own': 'kept' })
      await spend(bursar)
      res.end('unused')
    })
    const answer = await send(await listening(app.use(budgetErrors).use(quiet)))
    expect(answer).toMatchObject({ status: 402, headers: { 'content-type': 'application/problem+json', 'x-own': 'kept' } })
    expect(answer.headers.etag).toBeUndefined()
    expect(JSON.parse(answer.text)).toMatchObject({ code: 'budget' })
  })

  it.each([
    ['without the middleware before it', () => express()],
    ['that is no refusal', (bursar: Bursar) => express().use(budget(bursar, { identity: { userId: 'ada' } }))],
  ])('hands an error on %s', async (what, appOf) => {
    const bursar = engine()
    const app = appOf(bursar)
    app.post('/', async () => {
      if (what.startsWith('without')) await bursar.runAs({ userId: 'ada' }, () => spend(bursar))
      throw new TypeError('broken')
    })
    const answer = await send(await listening(app.use(budgetErrors).use(quiet)))
    expect(answer.status).toBe(500)
    expect(answer.text).toMatch(what.startsWith('without') ? /daily budget/ : /^broken$/)
  })

  it('hands a refused call on when the answer has begun, and the connection is closed', async () => {
    const bursar = engine()
    const app = express().use(budget(bursar, { identity: { userId: 'ada' } }))
    const heard = vi.fn()
    app.post('/', async (_req, res) => {
      res.write('begun')
      await spend(bursar)
    })
    app.use(budgetErrors)
    app.use(((error, _req, res, _next) => {
      heard(error.name)
      res.destroy()
    }) as ErrorRequestHandler)
    await send(await listening(app)).catch(() => {})
    expect(heard).toHaveBeenCalledWith('BudgetExceededError')
    await eventually(async () => expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['denied', 'released']))
  })

  it('asks nothing for a client that has left before it, and calls nothing behind it', async () => {
    const bursar = engine()
    let letOn = () => {}
    const gate = new Promise<void>((resolve) => {
      letOn = resolve
    })
    const [before, behind, asked, over] = [vi.fn(), vi.fn(), vi.fn(() => ({ estimatedCost: 0.5 })), vi.fn()]
    const guarding = budget(bursar, { identity: { userId: 'ada' }, request: asked })
    const app = express()
    app.use(async (_req, _res, next) => {
      before()
      await gate
      next()
    })
    app.use((req, res, next) => void guarding(req, res, next).then(over))
    app.use(behind)
    const { sent, isGone } = leaving(await listening(telling(app)))
    await eventually(() => expect(before).toHaveBeenCalledTimes(1))
    sent.destroy()
    await isGone
    letOn()
    await eventually(() => expect(over).toHaveBeenCalledTimes(1))
    expect(asked).not.toHaveBeenCalled()
    expect(behind).not.toHaveBeenCalled()
    expect(await entriesOf(bursar.tracker)).toEqual([])
  })

  it('asks nothing where somebody has answered before it, and calls nothing behind it', async () => {
    const bursar = engine()
    const behind = vi.fn()
    const app = express().use((_req, res, next) => {
      res.status(202).end('accepted')
      next()
    })
    const port = await listening(app.use(budget(bursar, { identity: { userId: 'ada' } }), behind))
    expect(await send(port)).toMatchObject({ status: 202, text: 'accepted' })
    expect(await entriesOf(bursar.tracker)).toEqual([])
    expect(behind).not.toHaveBeenCalled()
  })

  it.each(['writableEnded', 'closed', 'destroyed'])('calls and says nothing for an answer that is %s when it has decided', async (over) => {
    const bursar = engine()
    const next = vi.fn()
    const [setHeader, end] = [vi.fn(), vi.fn()]
    const response = { statusCode: 200, headersSent: false, setHeader, removeHeader: vi.fn(), end, once: vi.fn() }
    const asked = () => {
      Object.assign(response, { [over]: true })
      return { estimatedCost: 0.5 }
    }
    await budget(bursar, { identity: { userId: 'ada' }, request: asked })({ headers: {} }, response, next)
    expect([next, setHeader, end].map(({ mock }) => mock.calls)).toEqual([[], [], []])
    expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released'])
    Object.assign(response, { [over]: false })
    await bursar.tracker.addCost({ userId: 'ada', cost: 1 })
    await budget(bursar, { identity: { userId: 'ada' }, request: asked })({ headers: {} }, response, next)
    expect([next, setHeader, end].map(({ mock }) => mock.calls)).toEqual([[], [], []])
  })

  it('lets OPTIONS pass without a question, an identity and a decision', async () => {
    const bursar = engine({ tiers: { free: { rolling: { '1m': { requests: 1 } } } } })
    const identity = vi.fn((): { userId: string } => { throw new Error('who are you?') })
    const app = express().use(budget(bursar, { identity, request: { estimatedCost: 0.5 } }))
    app.options('/', (req, res) => void res.json({ decision: req.budget ?? null, user: bursar.identity ?? null }))
    const port = await listening(app.use(budgetErrors).use(quiet))
    for (let count = 0; count < 3; count += 1) {
      const answer = await send(port, { method: 'OPTIONS' })
      expect([answer.status, answer.headers['ratelimit'], JSON.parse(answer.text)]).toEqual([200, undefined, { decision: null, user: null }])
    }
    expect(identity).not.toHaveBeenCalled()
    expect((await send(port)).text).toBe('who are you?')
  })

  it('answers one request after another on one connection', async () => {
    const bursar = engine()
    const server = createServer(express().use(budget(bursar, { identity: { userId: 'ada' } })).use((_req, res) => void res.end('hello')))
    const port = await listening((request, response) => server.emit('request', request, response))
    for (let count = 0; count < 3; count += 1) expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello')
    await eventually(async () => expect((await entriesOf(bursar.tracker)).map(({ kind }) => kind)).toEqual(['released', 'released', 'released']))
  })
})
