// What the tests of the HTTP integrations share: one application behind each of the doors, over real sockets, and a client that can
// leave in the middle.

import { request as httpRequest, type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { text as textOf } from 'node:stream/consumers'
import express from 'express'
import { Hono } from 'hono'
import { budget as expressBudget, budgetErrors } from '../../../src/integrations/express.js'
import { budgeted } from '../../../src/integrations/fetch.js'
import { budget as honoBudget, type BudgetVariables } from '../../../src/integrations/hono.js'
import type { HttpBudgetOptions } from '../../../src/integrations/http.js'
import type { AllowedDecision, Bursar, Identity } from '../../../src/index.js'
import { listening } from '../../support/stripe/sending.js'

/** What the application answers with: a text, or the pieces of one. */
export type Said = string | AsyncIterable<string>

/** The application behind a door. */
export type Application = (decision: AllowedDecision) => Promise<Said>

/** Options that are the same at every door: whose request it is stands in the header `x-user`. */
export type Options = Omit<HttpBudgetOptions<unknown>, 'identity' | 'request'> & { readonly identity?: (user: string | undefined) => Identity; readonly request?: () => object }

const whose = (user: string | undefined): Identity => (user === undefined ? (undefined as never) : { userId: user })
const responseOf = (said: Said): Response => new Response(typeof said === 'string' ? said : bytesOf(said), { headers: { 'x-own': 'kept' } })

/** Called when a connection is closed, whoever closes it. */
let onGone: () => void = () => {}

/** Opens an application behind each kind of server. Gives its port. */
export const DOORS: Record<string, (bursar: Bursar, application: Application, options?: Options) => Promise<number>> = {
  'the Fetch API': (bursar, application, { identity = whose, ...options } = {}) =>
    opened(served(budgeted(bursar, { ...options, identity: (request) => identity(request.headers.get('x-user') ?? undefined) }, async (_request, decision) => responseOf(await application(decision))))),

  Hono: (bursar, application, { identity = whose, ...options } = {}) => {
    const app = new Hono<{ Variables: BudgetVariables }>()
    app.use(honoBudget(bursar, { ...options, identity: (c) => identity(c.req.raw.headers.get('x-user') ?? undefined) }))
    app.all('/', async (c) => responseOf(await application(c.get('budget'))))
    app.onError((error, c) => c.text(error.message, 500))
    return opened(served(app.fetch))
  },

  Express: (bursar, application, { identity = whose, ...options } = {}) => {
    const app = express()
    app.use(expressBudget(bursar, { ...options, identity: ({ headers }) => identity(headers['x-user'] as string | undefined) }))
    app.all('/', express.json(), (request, response) => respond(application, request, response))
    app.use(budgetErrors)
    app.use(silent)
    return opened(app)
  },

  'node:http': (bursar, application, { identity = whose, ...options } = {}) => {
    const budget = expressBudget(bursar, { ...options, identity: ({ headers }) => identity(headers['x-user'] as string | undefined) })
    return opened((request, response) => {
      const failed = (error: unknown): void => budgetErrors(error, request, response, (other) => silent(other as Error, request, response, () => {}))
      void budget(request, response, (error) => {
        if (error !== undefined) return failed(error)
        respond(application, request, response).catch(failed)
      })
    })
  },
}

function bytesOf(pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next()
      if (next.done === true) controller.close()
      else controller.enqueue(new TextEncoder().encode(next.value))
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}

async function respond(application: Application, request: object, response: ServerResponse): Promise<void> {
  const said = await application((request as { budget: AllowedDecision }).budget)
  response.setHeader('x-own', 'kept')
  if (typeof said === 'string') return void response.end(said)
  for await (const piece of said) if (!response.write(piece) && response.destroyed) return
  response.end()
}

/** Answers an error without a word to the console. */
function silent(error: Error, _request: unknown, response: ServerResponse, _next: unknown): void {
  if (response.headersSent) return void response.destroy(error)
  response.statusCode = 500
  response.end(error.message)
}

/** A server of Node's for a handler of the Fetch API: as the adapters do, it drops the body of an answer to HEAD, and cancels one that nobody reads. */
export function served(handler: (request: Request) => Response | Promise<Response>): RequestListener {
  return (incoming, response) => {
    const gone = new AbortController()
    response.once('close', () => gone.abort(new Error('the client has gone')))
    void answer(handler, incoming, response, gone.signal)
  }
}

async function answer(handler: (request: Request) => Response | Promise<Response>, incoming: IncomingMessage, response: ServerResponse, signal: AbortSignal): Promise<void> {
  try {
    const headers = Object.entries(incoming.headers).map(([name, value]) => [name, String(value)] as [string, string])
    const { status, headers: own, body } = await handler(new Request(`http://localhost${incoming.url}`, { method: incoming.method ?? 'GET', headers, signal }))
    response.writeHead(status, Object.fromEntries(own))
    if (body === null || incoming.method === 'HEAD') return void response.end()
    const stream = Readable.fromWeb(body as never)
    response.once('close', () => stream.destroy())
    stream.on('error', () => response.destroy())
    stream.pipe(response)
  } catch (error) {
    response.statusCode = 500
    response.end((error as Error).message)
  }
}

/** The server for a door, which says when a client has gone. */
function opened(listener: RequestListener): Promise<number> {
  return listening(telling(listener))
}

/** A listener that says when a client has gone, for {@link leaving}. */
export function telling(listener: RequestListener): RequestListener {
  return (request, response) => {
    response.once('close', () => setImmediate(() => onGone()))
    listener(request, response)
  }
}

/** Sends a request whose answer nobody waits for; `isGone` resolves when the server knows that its client has left. */
export function leaving(port: number): { readonly sent: ClientRequest; readonly isGone: Promise<void> } {
  const isGone = new Promise<void>((resolve) => {
    onGone = resolve
  })
  const sent = httpRequest({ host: '127.0.0.1', port, method: 'POST', path: '/', agent: false, headers: { 'content-type': 'application/json', 'x-user': 'ada' } })
  sent.on('error', () => {})
  sent.end('{}')
  return { sent, isGone }
}

/** What came back, or as much as came. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** Sends a request of a user. */
export async function send(port: number, { user = 'ada', method = 'POST', body = '{}' }: { user?: string | null; method?: string; body?: string } = {}): Promise<Answer> {
  const response = await begin(port, { user, method, body })
  return { status: response.statusCode ?? 0, headers: response.headers, text: await textOf(response).catch((error: Error) => `broken: ${error.message}`) }
}

/** Sends a request and gives its answer as soon as it begins. */
export function begin(port: number, { user = 'ada', method = 'POST', body = '{}' }: { user?: string | null; method?: string; body?: string } = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path: '/', agent: false, headers: { 'content-type': 'application/json', ...(user !== null && { 'x-user': user }) } })
    sent.on('error', reject)
    sent.on('response', resolve)
    sent.end(method === 'POST' ? body : undefined)
  })
}
