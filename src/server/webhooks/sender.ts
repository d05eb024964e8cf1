// Sends one message to one address, once: signed after Standard Webhooks, in bounded time, and without reading what the receiver has to say
// beside its status. Knows no record.

import { request as requestHttp, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Webhook } from 'standardwebhooks'
import { isPublic, literalIn, PrivateAddressError, publicLookup, type Resolve } from './addresses.js'

/** Calls back after so many ms, unless the function that it gives is called before. */
export type After = (ms: number, call: () => void) => () => void

/** Timers that keep no process alive. */
export const timeAfter: After = (ms, call) => {
  const timer = setTimeout(call, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

/** How an attempt ended: `status` is what the receiver answered; `error`: in a few words, why it did not take it. */
export interface Attempt {
  readonly isTaken: boolean
  /** This process was stopped meanwhile: it does not count. */
  readonly isStopped?: true | undefined
  readonly status?: number | undefined
  readonly error?: string | undefined
}

/** What is sent where. */
export interface Sending {
  readonly url: string
  /** The same on every attempt: `webhook-id`. */
  readonly id: string
  readonly body: string
  /** Those that are valid now. */
  readonly secrets: readonly string[]
  /** The moment of this attempt, in ms since the epoch. */
  readonly now: number
}

/** What {@link send} works with. */
export interface SenderOptions {
  readonly allowPrivate: boolean
  readonly after: After
  readonly resolve?: Resolve | undefined
  /** Ends every attempt. */
  readonly signal: AbortSignal
}

/** A receiver has so long to answer. */
const SEND_TIMEOUT_MS = 10_000
const MOST_HEADER_BYTES = 16_384

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'the host is not reachable',
  ENETUNREACH: 'the network is not reachable',
  ETIMEDOUT: 'the connection timed out',
}

/** Sends it. Never rejects; leaves no connection and no timer behind. */
export async function send({ url: text, id, body, secrets, now }: Sending, { allowPrivate, after, resolve, signal }: SenderOptions): Promise<Attempt> {
  const url = new URL(text)
  const literal = literalIn(url)
  if (!allowPrivate && literal !== undefined && !isPublic(literal)) return failed(new PrivateAddressError())
  const at = new Date(now)
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    maxHeaderSize: MOST_HEADER_BYTES,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'bursar-webhooks',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(now / 1_000)),
      'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
    },
    ...(!allowPrivate && { lookup: publicLookup(resolve) }),
  }
  return new Promise((resolved) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options)
    const end = (attempt: Attempt): void => {
      stopTimer()
      signal.removeEventListener('abort', abort)
      resolved(attempt)
      // Also what is still on its way: nobody reads it.
      request.destroy()
    }
    const abort = (): void => end({ isTaken: false, isStopped: true })
    const stopTimer = after(SEND_TIMEOUT_MS, () => end({ isTaken: false, error: `no answer within ${SEND_TIMEOUT_MS / 1_000} seconds` }))
    // Those that come after the end, too: an error that nobody hears of would end the process.
    request.on('error', (error) => end(failed(error)))
    request.on('response', ({ statusCode: status = 0 }) => {
      if (status >= 200 && status < 300) end({ isTaken: true, status })
      else end({ isTaken: false, status, error: status >= 300 && status < 400 ? `answered ${status}: redirects are not followed` : `answered ${status}` })
    })
    // Without an answer and without an error: one that wants to speak something else than HTTP.
    request.on('close', () => end({ isTaken: false, error: 'the connection was closed before an answer' }))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    request.end(body)
  })
}

function failed(error: Error): Attempt {
  if (error instanceof PrivateAddressError) return { isTaken: false, error: `the address ${error.message}` }
  const { code = '' } = error as NodeJS.ErrnoException
  const why = Object.hasOwn(REASONS, code) ? REASONS[code] : /^(CERT_|ERR_TLS|UNABLE_TO_|DEPTH_|SELF_SIGNED|EPROTO|ERR_SSL)/.test(code) ? 'the certificate is not valid, or the receiver speaks no TLS' : 'the receiver answered nothing that is HTTP'
  return { isTaken: false, error: why }
}
