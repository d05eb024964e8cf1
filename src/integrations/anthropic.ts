// The door of bursar/anthropic: a client of the official SDK under a budget. Takes the client as it is, and needs no package of its own.

import type { Bursar } from '../bursar.js'
import { messageRequest } from './anthropic-requests.js'
import type { IdentityOf } from './identity-of.js'
import { underBudget, type ClientCall, type Sdk, type StainlessClient, type WithBudgetOptions } from './stainless.js'

export type { IdentityOf } from './identity-of.js'
export type { ClientCall, StainlessClient, WithBudgetOptions } from './stainless.js'

/** A client of the SDK `@anthropic-ai/sdk`. */
export interface AnthropicLike extends StainlessClient {
  readonly messages: { countTokens: unknown }
}

/** What is stored, counted, cancelled or administered without a charge for it. */
const FREE = /^\/v1\/(messages\/count_tokens|messages\/batches\/[\w-]+\/cancel|files|skills(\/[\w/-]+)?|organizations\/[\w/-]+)$/

const SDK: Sdk = {
  name: '@anthropic-ai/sdk',
  provider: 'anthropic',
  isClient(client) {
    const { messages } = client as Partial<AnthropicLike>
    return typeof messages === 'object' && messages !== null
  },
  // Everything that this SDK does goes through request().
  past: [],
  readerOf: (path) => (path === '/v1/messages' ? messageRequest : undefined),
  isFree: (path) => FREE.test(path),
}

/**
 * A copy of the client under a budget: each message, also streamed, parsed, of the beta, or made by `messages.stream()` and the tool runner,
 * is checked before it is made and settled with what it cost. The client itself stays as it is.
 *
 * A refused call rejects with `BudgetExceededError`, and nothing is sent. On DEGRADE the cheaper model is called. Retries of the SDK share one
 * hold; a call that fails for good gives it back. A stream settles at its end, at an error, when it is aborted, and when its reader leaves. An
 * answer without a usable usage is charged its estimate (event `usage-error`). Who spends is `identity`, or a function of the call, or
 * the identity of `bursar.runAs`.
 *
 * What may cost money and is no message (batches, sessions, …) rejects with `InvalidRequestError`, and so do tools whose fee is not in the usage
 * (code execution without web search or fetch, advisers, …); `unmetered: 'allow'` lets it through uncounted. `speed: 'fast'` has the price of `<model>:fast`, `inference_geo: 'us'` that of `<model>:us` (both: `<model>:fast:us`); the
 * priority tier, which is paid for beforehand, counts as standard. Throws `InvalidConfigError` for what is no client of this SDK, and for one that is
 * under a budget already.
 */
export function withBudget<Client extends AnthropicLike, Tier extends string = string, Group extends string = never>(
  client: Client,
  bursar: Bursar<Tier, Group>,
  identity?: IdentityOf<ClientCall, NoInfer<Tier>, NoInfer<Group>>,
  options: WithBudgetOptions = {},
): Client {
  return underBudget(client, bursar, identity, options, SDK)
}
