// The raw body of a request, from whatever gives one, and never more of it than an event can have.

import { MAX_BODY_BYTES, type Refusal } from './delivery.js'

/** A request of Express, or of a plain server of Node's. */
export interface ExpressRequest extends AsyncIterable<Uint8Array | string> {
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Where something has read the body already: raw, or (too late) as an object. */
  readonly body?: unknown
  /** True where somebody has read of it. */
  readonly readableDidRead?: boolean | undefined
}

/** What is called of a response of Express, or of a plain server of Node's. */
export interface ExpressResponse {
  statusCode: number
  setHeader(name: string, value: string): unknown
  end(text: string): unknown
}

/** What is too long is read to its end up to here, so that the connection is fit for the next delivery. */
const MOST_DISCARDED_BYTES = 8 * 1024 * 1024

const TOO_LONG: Refusal = Object.freeze({ refused: `body: is longer than ${MAX_BODY_BYTES} bytes, which no event is.` })
const UNREADABLE: Refusal = Object.freeze({ refused: 'body: could not be read to its end.' })
const PARSED: Refusal = Object.freeze({ refused: "body: has been parsed before, and what was signed cannot be told from it. Mount the webhook before express.json(), or use express.raw({ type: () => true }) for it." })

/** The body of a `Request`. */
export async function readFetchBody(request: Request): Promise<Uint8Array | Refusal> {
  if (request.bodyUsed || request.body?.locked === true) return PARSED
  if (request.body === null) return new Uint8Array()
  const reader = request.body.getReader()
  const body = await collect(chunksOf(reader))
  await reader.cancel().catch(() => {})
  return body
}

/** The body of an Express request: what `express.raw()` has read, or what is still to be read. */
export async function readExpressBody(request: ExpressRequest): Promise<string | Uint8Array | Refusal> {
  const { body } = request
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  if (request.readableDidRead === true || (typeof body === 'object' && body !== null && Object.keys(body).length > 0)) return PARSED
  return collect(request)
}

async function collect(chunks: AsyncIterable<Uint8Array | string>): Promise<Uint8Array | Refusal> {
  const parts: Uint8Array[] = []
  let size = 0
  const iterator = chunks[Symbol.asyncIterator]()
  try {
    // Not a loop over it: to leave one destroys the request, and the refusal could not be sent.
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      const part = typeof next.value === 'string' ? new TextEncoder().encode(next.value) : next.value
      size += part.length
      if (size > MOST_DISCARDED_BYTES) return TOO_LONG
      if (size <= MAX_BODY_BYTES) parts.push(part)
    }
    if (size > MAX_BODY_BYTES) return TOO_LONG
  } catch {
    return UNREADABLE
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

async function* chunksOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
}
