// Calls through the official Anthropic SDK, whole and streamed, with instructions that the provider caches. One client serves all
// users: whose call it is, the code around it says.

import Anthropic from '@anthropic-ai/sdk'
import { withBudget } from 'bursar/anthropic'
import type { DemoBursar } from '../budgets.js'
import type { Caller } from '../client.js'
import { apiKeyOf, identityOf } from '../identity.js'

const INSTRUCTIONS = 'You answer in three points, each of one sentence. You name your sources, and say so where you have none. '.repeat(8)

/** Calls models of Anthropic. */
export function anthropicCaller(bursar: DemoBursar, url: string): Caller {
  const client = withBudget(new Anthropic({ baseURL: url, apiKey: apiKeyOf('anthropic'), maxRetries: 0 }), bursar)
  return (user, { prompt, maxTokens, stream, isNewer }) => {
    const cache_control = { type: 'ephemeral' as const, ttl: isNewer ? ('1h' as const) : ('5m' as const) }
    const request = {
      model: 'claude-sonnet-4-6',
      max_tokens: maxTokens,
      metadata: { user_id: user.id },
      system: [{ type: 'text' as const, text: INSTRUCTIONS, cache_control }],
      messages: [{ role: 'user' as const, content: prompt }],
    }
    return bursar.runAs(identityOf(user), async () => {
      if (stream) for await (const _ of await client.messages.create({ ...request, stream })) continue
      else await client.messages.create(request)
    })
  }
}
