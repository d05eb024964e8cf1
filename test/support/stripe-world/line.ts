// The way from the official client to the stand-in, and what is held back on it: questions before they are answered, and answers,
// which grow old meanwhile. Over HTTP as it is, or straight, which is the same each time and holds back questions too.

import Stripe from 'stripe'
import type { StripeAccount } from '../../../examples/stripe-stand-in/account.js'
import { answer, type ListsOfDeleted } from '../../../examples/stripe-stand-in/answers.js'
import { ApiError, failure } from '../../../examples/stripe-stand-in/api-error.js'
import { StripeStandIn } from '../../../examples/stripe-stand-in/server.js'

/** Holds back what a pattern says, until somebody lets it go, and refuses what another one says. */
export class Gate {
  readonly #pattern: readonly boolean[]
  readonly #refused: readonly boolean[]
  readonly #held: (() => void)[] = []
  #passed = 0
  #asked = 0
  #isOpen = false

  /** The patterns are repeated: `true` is held back, or refused. */
  constructor(pattern: readonly boolean[], refused: readonly boolean[]) {
    this.#pattern = pattern
    this.#refused = refused
  }

  /** True for a question that is to be refused. */
  refuses(): boolean {
    this.#asked += 1
    return !this.#isOpen && this.#refused[(this.#asked - 1) % this.#refused.length] === true
  }

  /** Resolves at once, or when it is let go. */
  pass(): Promise<void> | undefined {
    const holds = !this.#isOpen && this.#pattern[this.#passed % this.#pattern.length] === true
    this.#passed += 1
    return holds ? new Promise((resolve) => void this.#held.push(resolve)) : undefined
  }

  /** Lets one go, by its place among those that wait. */
  release(which: number): void {
    this.#held.splice(which % Math.max(1, this.#held.length), 1)[0]?.()
  }

  /** Holds nothing back any more, and refuses nothing. */
  open(): void {
    this.#isOpen = true
    for (const release of this.#held.splice(0)) release()
  }
}

/** A line that can be taken down. */
export interface Line {
  readonly stripe: Stripe
  close(): Promise<void>
}

/** Lays a line to a stand-in for the account. */
export type LineLayer = (account: StripeAccount, gate: Gate, listsOfDeleted: ListsOfDeleted) => Promise<Line>

/** Over HTTP to a real server: answers are held back, and what is to be refused finds its connection cut. */
export const overHttp: LineLayer = async (account, gate, listsOfDeleted) => {
  const standIn = new StripeStandIn(account, { listsOfDeleted })
  standIn.beforeReply = () => {
    if (gate.refuses()) throw new Error('The line is cut.')
    return gate.pass()
  }
  await standIn.start()
  const stripe = new Stripe('sk_test_x', { ...standIn.address, maxNetworkRetries: 0, telemetry: false })
  // The client tries again once where a connection was cut, after half a second.
  Object.assign(stripe, { getInitialNetworkRetryDelay: () => 0.001, getMaxNetworkRetryDelay: () => 0.002 })
  return { stripe, close: () => standIn.stop() }
}

/** Without a network: questions and answers are held back, and nothing else takes any time. */
export const straight: LineLayer = (account, gate, listsOfDeleted) => {
  const httpClient: Stripe.HttpClient = {
    getClientName: () => 'straight',
    async makeRequest(_host, _port, path) {
      await gate.pass()
      const reply = replyTo(gate.refuses() ? () => refuse() : () => give(account, path, listsOfDeleted))
      await gate.pass()
      return reply
    },
  }
  return Promise.resolve({ stripe: new Stripe('sk_test_x', { httpClient, maxNetworkRetries: 0, telemetry: false }), close: () => Promise.resolve() })
}

function replyTo(give: () => object): Stripe.HttpClientResponse {
  const [status, said] = answered(give)
  const text = JSON.stringify(said)
  return { getStatusCode: () => status, getHeaders: () => ({ 'request-id': 'req_straight' }), getRawResponse: () => ({}), toStream: () => text, toJSON: () => Promise.resolve(JSON.parse(text)) }
}

function give(account: StripeAccount, url: string, listsOfDeleted: ListsOfDeleted): object {
  const { pathname: path, searchParams: query } = new URL(url, 'http://stripe')
  return answer(account, { path, query }, listsOfDeleted)
}

function refuse(): never {
  throw failure(503)
}

function answered(give: () => object): readonly [status: number, said: object] {
  try {
    return [200, give()]
  } catch (error) {
    if (error instanceof ApiError) return [error.status, error.toJSON()]
    throw error
  }
}
