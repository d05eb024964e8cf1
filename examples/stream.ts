// A stream whose reader leaves early: what was used so far is charged, and nothing stays held. Works with any client.
// Run it: npx tsx examples/stream.ts. It calls a stand-in on this machine.

import { Bursar, tokensAtMost } from 'bursar'
import { priceBook } from 'bursar/prices'
import OpenAI from 'openai'
import { startStandIn } from './provider-stand-in/server.js'

const standIn = await startStandIn({ latencyMs: 50 })
const openai = new OpenAI({ baseURL: standIn.openaiUrl, apiKey: 'any' })
const bursar = new Bursar({ tiers: { free: { daily: 1 } }, defaultTier: 'free', prices: priceBook() })

async function read(question: string, mostPieces: number): Promise<void> {
  const request = { userId: 'ada', model: 'gpt-4o', inputTokens: tokensAtMost(question) + 16, maxOutputTokens: 4_000 }
  const stream = await bursar.stream(request, ({ model, signal }) =>
    openai.chat.completions.create(
      { model, messages: [{ role: 'user', content: question }], max_completion_tokens: 4_000, stream: true, stream_options: { include_usage: true } },
      { signal },
    ),
  )
  let [pieces, words] = [0, 0]
  for await (const chunk of stream) {
    words += chunk.choices[0]?.delta.content?.match(/\w+/g)?.length ?? 0
    if ((pieces += 1) === mostPieces) break
  }
  const settlement = await stream.settled
  console.log(`${question} ${words} words read: held $${stream.decision.estimatedCost}, charged $${settlement?.cost}`)
}

await read('Read to the end?', Infinity)
await read('Left early?', 3)

for await (const { microcents, details } of bursar.tracker.entries()) {
  console.log(`  ${microcents} microcents, ${details?.estimated ? 'estimated: the bytes of what was read, and no fewer than its tokens' : 'as the provider counts'}`)
}
const { totalCost, held } = await bursar.tracker.getUserSummary('ada')
console.log(`spent $${totalCost}, held $${held}`)
await bursar.close()
await standIn.close()
