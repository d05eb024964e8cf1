// The official OpenAI SDK behind bursar.guard: no call without a hold, every call settled at what it cost.
// Run it: npx tsx examples/guard-openai.ts. With OPENAI_API_KEY set it calls the real API, else a stand-in on this machine.

import { Bursar, BudgetExceededError, formatUsd } from 'bursar'
import OpenAI from 'openai'
import { startStandIn } from './openai-stand-in/server.js'

const standIn = process.env.OPENAI_API_KEY ? undefined : await startStandIn()
const openai = new OpenAI(standIn === undefined ? {} : { baseURL: standIn.url, apiKey: 'any' })

// Microcents per token: $0.15 per million tokens are 15 microcents each.
const PRICES = { 'gpt-4o': { input: 250, output: 1_000 }, 'gpt-4o-mini': { input: 15, output: 60 } }
const cost = (model: string, input: number, output: number): string => {
  const price = PRICES[model as keyof typeof PRICES]
  return formatUsd(input * price.input + output * price.output)
}

const bursar = new Bursar({ tiers: { free: { daily: '0.001' } }, defaultTier: 'free' })

async function ask(asked: string, question: string, stream: boolean): Promise<void> {
  const maxTokens = 200
  // An upper bound: a token has at least one byte, and each message adds a few.
  const estimatedCost = cost(asked, Buffer.byteLength(question) + 16, maxTokens)
  const prompt = { messages: [{ role: 'user' as const, content: question }], max_completion_tokens: maxTokens }
  try {
    const text = await bursar.guard({ userId: 'ada', model: asked, estimatedCost }, async ({ model = asked }) => {
      const request = { ...prompt, model }
      if (!stream) {
        const reply = await openai.chat.completions.create(request)
        return { result: reply.choices[0]?.message.content ?? '', ...charge(model, reply.usage) }
      }
      let result = ''
      let usage: OpenAI.CompletionUsage | null | undefined
      // Without include_usage a stream never says what it cost.
      const options = { stream: true, stream_options: { include_usage: true } } as const
      for await (const chunk of await openai.chat.completions.create({ ...request, ...options })) {
        result += chunk.choices[0]?.delta.content ?? ''
        usage = chunk.usage ?? usage
      }
      return { result, ...charge(model, usage) }
    })
    console.log(`${asked}${stream ? ', streamed' : ''}: "${text.trim().slice(0, 48)}…" (held $${estimatedCost})`)
  } catch (error) {
    if (!(error instanceof BudgetExceededError)) throw error
    console.log(`${asked}: refused with status ${error.denial.status}. ${error.message}`)
  }
}

/** What the call cost. Without usage, nothing: guard then charges the estimate and says so. */
function charge(model: string, usage: OpenAI.CompletionUsage | null | undefined): { cost?: string } {
  return usage == null ? {} : { cost: cost(model, usage.prompt_tokens, usage.completion_tokens) }
}

bursar.on('settled', (event) => console.log(`  settled $${event.cost.toFixed(8)}`))
await ask('gpt-4o-mini', 'What is a budget?', false)
await ask('gpt-4o-mini', 'And what is a hold?', true)
await ask('gpt-4o', 'Now think harder.', false)
console.log(`spent $${await bursar.tracker.getUserCost('ada')} of $0.001`)

await bursar.close()
await standIn?.close()
