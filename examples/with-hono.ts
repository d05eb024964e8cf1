// A server under a budget: calls in a handler spend the money of whoever asked, and a refusal becomes a problem document (RFC 9457)
// with its status; who has nothing left gets it before any handler runs. For Express there is `bursar/express`, for Next.js and other
// Fetch handlers `bursar/fetch`.
// Run it: npx tsx examples/with-hono.ts. It calls a stand-in on this machine.

import { Bursar } from 'bursar'
import { budget } from 'bursar/hono'
import { withBudget } from 'bursar/openai'
import { priceBook } from 'bursar/prices'
import { Hono } from 'hono'
import OpenAI from 'openai'
import { startStandIn } from './provider-stand-in/server.js'

const standIn = await startStandIn()
const bursar = new Bursar({ tiers: { free: { daily: '0.01' } }, defaultTier: 'free', prices: priceBook() })
const client = withBudget(new OpenAI({ baseURL: standIn.openaiUrl, apiKey: 'any' }), bursar)

const app = new Hono()
app.onError((_, c) => c.text('Internal Server Error', 500)) // yours: a refusal takes the place of what it says
app.use('/chat', async (c, next) => (c.req.header('x-user') ? next() : c.text('Who are you?', 401))) // yours: a session, a token
app.use('/chat', budget(bursar, { identity: (c) => ({ userId: String(c.req.header('x-user')) }) }))
app.post('/chat', async (c) => {
  const { model, choices } = await client.chat.completions.create({
    model: 'gpt-4o',
    messages: [{ role: 'user', content: await c.req.text() }],
    max_completion_tokens: 700,
  })
  return c.json({ model, text: choices[0]?.message.content?.slice(0, 40) })
})

for (const [user, question] of [['ada', 'What is a hold?'], ['ada', 'What is a budget?'], ['ada', 'What is a ledger?'], ['', 'Who am I?']] as const) {
  const response = await app.request('/chat', { method: 'POST', body: question, headers: { 'x-user': user } })
  const told = ['ratelimit', 'retry-after'].filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`)
  console.log(`${response.status} ${response.headers.get('content-type')}  ${told.join('  ')}`)
  console.log(`    ${await response.text()}`)
}
await bursar.close()
await standIn.close()
