// The service over HTTP: who asks, what they may see, and what they have left. Budgets and jobs are in one SQLite file.

import { serve } from '@hono/node-server'
import { DatabaseSync } from '@photostructure/sqlite'
import { Bursar } from 'bursar'
import { budget, type BudgetVariables } from 'bursar/hono'
import { priceBook } from 'bursar/prices'
import { sqliteStore } from 'bursar/sqlite'
import { Hono, type Context } from 'hono'
import type { AddressInfo } from 'node:net'
import OpenAI from 'openai'
import { Customers, type Customer, type NewCustomer } from './customers.js'
import { Jobs, type Job } from './jobs.js'
import { LEAST_CALL, Workers } from './workers.js'

const MOST_BYTES = 100_000
const MOST_PARTS = 20

/** Starts it; what was left undone in the file is gone on with. */
export async function startService({ path, llmUrl, port }: { path: string; llmUrl: string; port: number }) {
  const database = new DatabaseSync(path)
  const bursar = new Bursar({ tiers: { trial: { daily: '0.01' }, team: { daily: 1, monthly: 20 } }, store: sqliteStore({ database }), prices: priceBook() })
  const customers = new Customers(database)
  const jobs = new Jobs(database)
  const workers = new Workers(bursar, jobs, new OpenAI({ baseURL: llmUrl, apiKey: 'any' }))

  const app = new Hono<{ Variables: BudgetVariables & { customer: Customer } }>()
  app.use(async (c, next) => {
    const customer = customers.ofKey(/^Bearer (\S+)$/.exec(c.req.header('authorization') ?? '')?.[1] ?? '')
    if (customer === undefined) return c.json({ error: 'Send "Authorization: Bearer <key>" with a key that is valid.' }, 401)
    c.set('customer', customer)
    return next()
  })
  // Who has not enough left for one call gets a 402 (a problem document) before a job is taken.
  app.use('/analyze', budget(bursar, { identity: (c: Context) => ({ userId: c.get('customer').id }), request: LEAST_CALL }))
  app.post('/analyze', async (c) => {
    const { document } = (await c.req.json().catch(() => ({}))) as { document?: unknown }
    const parts = typeof document === 'string' ? document.split(/\n{2,}/).filter((part) => part.trim() !== '') : []
    if (parts.length === 0 || parts.length > MOST_PARTS || parts.join('').length > MOST_BYTES) return c.json({ error: `document: give a text of up to ${MOST_BYTES} characters, in 1 to ${MOST_PARTS} parts with empty lines between them.` }, 422)
    const jobId = jobs.add(c.get('customer').id, parts)
    // It was held to ask; the workers hold for each call.
    await c.get('budget').release()
    workers.wake()
    return c.json({ jobId }, 202, { location: `/jobs/${jobId}` })
  })
  app.get('/jobs/:id', (c) => {
    const job = jobs.find(c.req.param('id'))
    // Whether somebody else has such a job is nobody's business.
    return job === undefined || job.customer !== c.get('customer').id ? c.json({ error: 'There is no such job.' }, 404) : c.json(viewOf(job, jobs))
  })
  app.get('/budget', async (c) => {
    const { id } = c.get('customer')
    const { cost, limit, remaining, startsAt, resetsAt } = await bursar.tracker.getPeriodCosts(id, 'daily')
    let requests = 0
    for await (const _ of bursar.tracker.entries({ from: startsAt, where: { userId: id, kind: 'settled' } })) requests += 1
    return c.json({ customer_id: id, budget_limit_usd: limit, budget_used_usd: cost, budget_remaining_usd: remaining, requests_count: requests, period_start: startsAt, period_end: resetsAt })
  })

  const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' })
  try {
    await new Promise<void>((resolve, reject) => server.once('listening', resolve).once('error', reject))
  } catch (error) {
    await close()
    throw error
  }
  // Keys are shown once: not before somebody can use them.
  const newCustomers: NewCustomer[] = customers.isEmpty ? [customers.add('ada', 'trial'), customers.add('ben', 'team')] : []
  for (const { id, tier } of newCustomers) await bursar.tracker.setUserTier(id, tier)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, newCustomers, close }

  async function close(): Promise<void> {
    server.close()
    await workers.close()
    await bursar.close()
    database.close()
  }
}

function viewOf({ id, state, reason, parts }: Job, jobs: Jobs): object {
  const answers = jobs.answers(id)
  return { jobId: id, state, partsDone: answers.length, parts: parts.length, ...(reason !== null && { reason }), ...(state === 'done' && { summary: answers.map(({ text }) => text) }) }
}
