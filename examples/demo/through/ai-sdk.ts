// Calls through the AI SDK, whole and streamed, on both of OpenAI's APIs: the model itself is wrapped.

import { createOpenAI } from '@ai-sdk/openai'
import { generateText, streamText, wrapLanguageModel } from 'ai'
import { budgetMiddleware } from 'bursar/ai-sdk'
import type { DemoBursar } from '../budgets.js'
import type { Caller } from '../client.js'
import { apiKeyOf, identityOf } from '../identity.js'

/** Calls models of OpenAI by way of the AI SDK. */
export function aiSdkCaller(bursar: DemoBursar, url: string): Caller {
  const openai = createOpenAI({ baseURL: `${url}/v1`, apiKey: apiKeyOf('ai-sdk') })
  return async (user, { prompt, maxTokens, stream, isNewer }) => {
    const provider = (model: string) => (isNewer ? openai.responses(model) : openai.chat(model))
    const model = wrapLanguageModel({ model: provider('gpt-4o'), middleware: budgetMiddleware(bursar, { identity: identityOf(user), provider }) })
    const request = { model, prompt, maxOutputTokens: maxTokens, maxRetries: 0, providerOptions: { openai: { user: user.id } } }
    if (stream) {
      const { fullStream } = streamText({ ...request, onError: () => {} })
      for await (const part of fullStream) if (part.type === 'error') throw part.error
    } else await generateText(request)
  }
}
