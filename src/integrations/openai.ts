// The door of bursar/openai: a client of the official SDK under a budget. Takes the client as it is, and needs no package of its own.

import type { Bursar } from '../bursar.js'
import type { IdentityOf } from './identity-of.js'
import { chatRequest, completionRequest, embeddingRequest, responseRequest } from './openai-requests.js'
import { underBudget, type ClientCall, type Sdk, type StainlessClient, type WithBudgetOptions } from './stainless.js'

export type { IdentityOf } from './identity-of.js'
export type { ClientCall, StainlessClient, WithBudgetOptions } from './stainless.js'

/** A client of the SDK `openai`: an `OpenAI` or an `AzureOpenAI`. */
export interface OpenAILike extends StainlessClient {
  readonly chat: { readonly completions: object }
}

const READERS = new Map([
  ['/chat/completions', chatRequest],
  ['/responses', responseRequest],
  ['/completions', completionRequest],
  ['/embeddings', embeddingRequest],
])

/** What is stored, counted, cancelled or administered without a charge for it. */
const FREE = /^\/(moderations|responses\/input_tokens|responses\/[\w-]+\/cancel|chat\/completions\/[\w-]+|conversations(\/[\w/-]+)?|files|uploads(\/[\w/-]+)?|batches\/[\w-]+\/cancel|fine_tuning\/jobs\/[\w-]+\/(cancel|pause|resume)|organization\/[\w/-]+)$/

const SDK: Sdk = {
  name: 'openai',
  provider: 'openai',
  isClient: (client) => isObject((client as Partial<OpenAILike>).chat?.completions),
  // Both kinds of WebSocket clients need one of these, and the resources of a client have them from the client itself.
  past: ['apiKey', '_callApiKey', 'buildURL'],
  readerOf: (path) => READERS.get(path),
  isFree: (path) => FREE.test(path),
  ownOptions(client) {
    const { apiVersion, deploymentName } = client as { readonly apiVersion?: unknown; readonly deploymentName?: unknown }
    return apiVersion === undefined ? {} : { apiVersion, deployment: deploymentName }
  },
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

/**
 * A copy of the client under a budget: each chat completion, response, completion and embedding, also streamed, parsed, or made by
 * `stream()` and `runTools()`, is checked before it is made and settled with what it cost. The client itself stays as it is.
 *
 * A refused call rejects with `BudgetExceededError`, and nothing is sent. On DEGRADE the cheaper model is called. Retries of the SDK share one
 * hold; a call that fails for good gives it back. A stream settles at its end, at an error, when it is aborted, and when its reader leaves. An
 * answer without a usable usage is charged its estimate (event `usage-error`). Who spends is `identity`, or a function of the call, or
 * the identity of `bursar.runAs`.
 *
 * What may cost money and is none of these (images, audio, batches, …) rejects with `InvalidRequestError`, and so do tools whose fee is in no
 * answer (code interpreters, pictures, searches in chats, …); `unmetered: 'allow'` lets all of it through uncounted. `service_tier: 'priority'`
 * has the price of `<model>:priority`; `'flex'` counts as standard.
 *
 * Realtime and WebSocket clients (`new ResponsesWS(client)`, `OpenAIRealtimeWS.create(client, …)`) cannot be made of the copy: reading its
 * `apiKey` or `buildURL` throws `InvalidRequestError`, unless `unmetered: 'allow'`. One that is given a key of its own (Azure) can.
 *
 * Throws `InvalidConfigError` for what is no client of this SDK, and for one that is under a budget already.
 */
export function withBudget<Client extends OpenAILike, Tier extends string = string, Group extends string = never>(
  client: Client,
  bursar: Bursar<Tier, Group>,
  identity?: IdentityOf<ClientCall, NoInfer<Tier>, NoInfer<Group>>,
  options: WithBudgetOptions = {},
): Client {
  return underBudget(client, bursar, identity, options, SDK)
}
