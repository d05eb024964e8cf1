// Calls through the official OpenAI SDK: chat completions and responses, whole and streamed. Each user has a client of their own.

import { withBudget } from 'bursar/openai'
import OpenAI from 'openai'
import type { DemoBursar } from '../budgets.js'
import type { Caller } from '../client.js'
import { apiKeyOf, identityOf } from '../identity.js'

/** Calls models of OpenAI. */
export function openaiCaller(bursar: DemoBursar, url: string): Caller {
  const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey: apiKeyOf('openai'), maxRetries: 0 })
  return async (user, { prompt, maxTokens, stream, isNewer }) => {
    const client = withBudget(openai, bursar, identityOf(user))
    const common = { model: 'gpt-4o', user: user.id }
    const chat = { ...common, messages: [{ role: 'user' as const, content: prompt }], max_completion_tokens: maxTokens }
    const response = { ...common, input: prompt, max_output_tokens: maxTokens }
    if (stream) {
      // Nobody asks for the usage here: that is the wrapper's business.
      const pieces = isNewer ? await client.responses.create({ ...response, stream }) : await client.chat.completions.create({ ...chat, stream })
      for await (const _ of pieces) continue
    } else if (isNewer) await client.responses.create(response)
    else await client.chat.completions.create(chat)
  }
}
