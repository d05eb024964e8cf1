// A server of `bursar serve` as a command asks it. Knows what its answers mean for whoever sits at a command line.

import type { ScopeId } from '../enforcement/index.js'
import { BursarError, InvalidConfigError, InvalidRequestError, StoreUnavailableError } from '../errors/index.js'
import type { Unit } from '../money/index.js'
import type { Run } from './run.js'

/** What of a decision is shown: as it is in JSON. */
export interface RemoteDecision {
  readonly id: string
  readonly allowed: boolean
  readonly action: string
  readonly model?: string | undefined
  readonly requestedModel?: string | undefined
  readonly estimatedCost?: number | undefined
  readonly reason: string
  readonly expiresAt?: string | undefined
  readonly context?: { readonly windows?: readonly RemoteWindow[] | undefined } | undefined
}

/** One window of it. */
export interface RemoteWindow {
  readonly scope: ScopeId
  readonly period: string
  readonly unit: Unit
  readonly usedPct: number
  readonly projectedPct: number
  readonly resetsAt: string | null
  readonly exact: { readonly limit: number | null; readonly spent: number; readonly held: number }
}

type Answer = Readonly<Record<string, unknown>>

const TIMEOUT_MS = 30_000
const MOST_TOLD = 500

/** A server at an address. */
export class RemoteServer {
  readonly #base: URL
  readonly #key: string | undefined
  readonly #run: Run

  /** Throws `InvalidConfigError` for an address that is none. */
  constructor(url: string, key: string | undefined, run: Run) {
    run.secrets.address(url)
    if (key !== undefined) run.secrets.add(key)
    if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new InvalidConfigError('--url: is no address of a server. Give http://127.0.0.1:8787, or https://….')
    const { username, password } = new URL(url)
    if (username !== '' || password !== '') throw new InvalidConfigError('--url: has a name or a password in it, which no server of bursar asks for. Give the address alone, and the key with --key or BURSAR_KEY.')
    if (key !== undefined && !/^[\x21-\x7e]+$/.test(key)) throw new InvalidConfigError('--key: is no key. Give it as "bursar keys create" has shown it.')
    this.#base = new URL(url.endsWith('/') ? url : `${url}/`)
    this.#key = key
    this.#run = run
  }

  /** The decision, also a refusal; under an id of one's own where one is given. Rejects for everything else. */
  async check(question: object, id?: string): Promise<RemoteDecision> {
    const { status, body } = await this.#post('v1/check', question, id)
    if (typeof body['allowed'] === 'boolean' && typeof body['id'] === 'string') return body as unknown as RemoteDecision
    throw this.#failure(status, body)
  }

  async #post(path: string, question: object, id: string | undefined): Promise<{ readonly status: number; readonly body: Answer }> {
    const { signal } = this.#run.io
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    try {
      const response = await fetch(new URL(path, this.#base), {
        method: 'POST',
        headers: { accept: 'application/json', 'content-type': 'application/json', ...(id !== undefined && { 'idempotency-key': id }), ...(this.#key !== undefined && { authorization: `Bearer ${this.#key}` }) },
        body: JSON.stringify(question),
        // A key goes to the address that somebody named, and to no other.
        redirect: 'error',
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      })
      return { status: response.status, body: answerIn(await response.text()) }
    } catch (cause) {
      signal?.throwIfAborted()
      const why = cause instanceof Error ? ((cause.cause as NodeJS.ErrnoException | undefined)?.code ?? cause.message) : String(cause)
      throw new StoreUnavailableError(`--url: ${this.#base.host} does not answer: ${why}. Start it with "bursar serve", or correct the address.`, { cause })
    }
  }

  #failure(status: number, { detail }: Answer): Error {
    const told = typeof detail === 'string' ? detail.slice(0, MOST_TOLD) : `the answer is no decision (status ${status}). Is it a bursar server?`
    if (status === 401) return new InvalidConfigError(`--key: ${told}`)
    if (status === 400 || status === 422) return new InvalidRequestError(told)
    return new BursarError('STORE_UNAVAILABLE', `${this.#base.host}: ${told}`)
  }
}

function answerIn(text: string): Answer {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null ? (parsed as Answer) : {}
  } catch {
    return {}
  }
}
