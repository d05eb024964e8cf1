// Who sends a request: the key in its Authorization header. What a key is, src/server/keys knows.

import type { Context } from 'hono'
import type { Caller } from '../caller.js'
import { Problem } from '../problem.js'
import { Buckets } from './rate-limit.js'
import type { Env, Service } from '../service.js'

const BEARER = /^bearer +(\S+) *$/i

/** How many keys that are none one address may try at once, and how many a second after that. */
const FAILURES = { burst: 30, perSecond: 0.5 }

/** Tells who sends a request. */
export class Authentication {
  readonly #keys: Service['keys']
  readonly #failures: Buckets

  constructor({ keys, clock }: Pick<Service, 'keys' | 'clock'>) {
    this.#keys = keys
    this.#failures = new Buckets(FAILURES, clock)
  }

  /**
   * The caller. Rejects with a 401 for no key or one that is none, and with a 429 for one that is none from an address that has sent many of
   * those. A key that is valid is never refused for what others have sent: behind a proxy all clients have one address.
   */
  async callerOf(context: Context<Env>): Promise<Caller> {
    const header = context.req.header('authorization')
    const token = header === undefined ? undefined : BEARER.exec(header)?.[1]
    const caller = header !== undefined && token === undefined ? undefined : await this.#keys.authenticate(token)
    if (caller !== undefined) return caller
    if (header !== undefined) this.#countFailure(context)
    const detail = header === undefined ? 'authorization: is missing. Send "Authorization: Bearer <key>".' : 'authorization: the key is unknown, revoked or expired. Send "Authorization: Bearer <key>" with one that is valid.'
    throw new Problem(401, 'UNAUTHENTICATED', detail, { 'www-authenticate': 'Bearer realm="bursar"' })
  }

  #countFailure(context: Context<Env>): void {
    const address = addressOf(context.env)
    const waitMs = address === undefined ? 0 : this.#failures.take(address, 1)
    if (waitMs > 0) throw new Problem(429, 'TOO_FAST', 'authorization: too many keys that are none have come from this address. Send one that is valid, or wait.', retryAfter(waitMs))
  }
}

/** The header field for so long a wait. */
export function retryAfter(waitMs: number): Readonly<Record<string, string>> {
  return { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1_000))) }
}

/** Of the connection itself: what a header says of it (`X-Forwarded-For`), anybody may write. */
function addressOf(env: unknown): string | undefined {
  return (env as { readonly incoming?: { readonly socket?: { readonly remoteAddress?: string } } } | undefined)?.incoming?.socket?.remoteAddress
}
