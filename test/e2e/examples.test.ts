// Every example runs as its reader would run it: in a process of its own, without a key, from the built package. And the
// stand-in that they call is held against the official SDK.

import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startStandIn, type StandIn } from '../../examples/openai-stand-in/server.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Finished {
  readonly code: number
  readonly lines: readonly string[]
  readonly errors: string
}

function runExample(name: string, keys: Readonly<Record<string, string>> = {}): Promise<Finished> {
  const { OPENAI_API_KEY: _, STRIPE_SECRET_KEY: _1, STRIPE_WEBHOOK_SECRET: _2, ...own } = process.env
  const env = { ...own, ...keys }
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', `examples/${name}.ts`], { cwd: root, env, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), lines: stdout.trimEnd().split('\n'), errors: stderr })
    })
  })
}

beforeAll(() => {
  if (!existsSync(`${root}/dist/src/index.js`)) throw new Error('dist/ is missing, and the examples import the built package. Run npm run build first.')
})

describe('examples', () => {
  const expected: Readonly<Record<string, readonly RegExp[]>> = {
    'basic-enforcement': [
      /^call 1: ALLOW held \$0.03, cost \$0.021$/,
      /^call 4: WARN  held/,
      /^call 5: BLOCK \(HTTP 402\) The daily budget of user ada is \$0.10; \$0.084 is used and this request would add \$0.03\./,
      /A call of up to \$0.016 would still fit/,
      /^today: \$0.084 of \$0.1 spent, \$0 held/,
    ],
    'custom-policy': [
      /^uma from DE: ALLOW   calls gpt-4o$/,
      /^uma from DE: WARN    calls gpt-4o$/,
      /^uma from DE: DEGRADE calls gpt-4o-mini$/,
      /^tim from DE: DEGRADE calls gpt-4o-mini$/,
      /^uma from ZZ: BLOCK   Policy "notAbroad" refuses/,
    ],
    'guard-openai': [
      /^gpt-4o-mini: ".+…" \(held \$0\.\d+\)$/,
      /^gpt-4o-mini, streamed: ".+…" \(held \$0\.\d+\)$/,
      /^gpt-4o: refused with status 402\. The daily budget of user ada is \$0\.001;/,
      /^spent \$0\.000\d+ of \$0\.001$/,
    ],
    'stripe-tiers': [
      /^Stripe: a stand-in on this machine$/,
      /^2027-03-01: ada has bought nothing$/,
      /^ {2}tier free, standing unknown$/,
      /^ {2}ALLOW {4}today \$0\.06 of \$0\.1: calls gpt-4o$/,
      /^ {2}BLOCK {4}today \$0\.06 of \$0\.1: The daily budget of user ada is \$0\.10;.* Upgrade to Pro \(\$29\/mo\) for more\.$/,
      /^2027-03-01: ada buys Pro$/,
      /^ {2}customer\.subscription\.created, invoice\.paid, checkout\.session\.completed$/,
      /^ {2}tier pro, standing active, until 2027-04-01$/,
      /^ {2}ALLOW {4}today \$0\.12 of \$1: calls gpt-4o$/,
      /^ {2}WARN {5}today \$0\.9 of \$1: calls gpt-4o$/,
      /^ {2}DEGRADE {2}today \$0\.9636 of \$1: calls gpt-4o-mini$/,
      /^2027-03-01: ada upgrades to Enterprise$/,
      /^ {2}tier enterprise, standing active, until 2027-04-01$/,
      /^ {2}ALLOW {4}today \$1\.0236 of \$50: calls gpt-4o$/,
      /^2027-04-01: the renewal is not paid$/,
      /^ {2}tier enterprise, standing grace, until 2027-04-04$/,
      /^ {2}ALLOW {4}today \$0\.06 of \$50: calls gpt-4o$/,
      /^2027-04-04: three days later, grace is over$/,
      /^ {2}tier enterprise, standing past_due, until 2027-05-01$/,
      /^ {2}DEGRADE {2}today \$0\.0036 of \$50: calls gpt-4o-mini$/,
      /^2027-04-04: the subscription is canceled$/,
      /^ {2}customer\.subscription\.deleted$/,
      /^ {2}tier free, standing none$/,
      /^ {2}BLOCK {4}today \$0\.0432 of \$0\.1: .* Upgrade to Pro \(\$29\/mo\) for more\.$/,
      /^That is the story as it should be\.$/,
    ],
    'tier-based': [
      /^free: 4 calls of \$0\.03$/,
      /^ {3}2 {4}60 % {2}ALLOW/,
      /^ {3}3 {4}90 % {2}WARN/,
      /^ {3}4 {3}120 % {2}BLOCK/,
      /^pro: 13 calls of \$0\.08$/,
      /^ {2}11 {4}88 % {2}ALLOW/,
      /^ {2}12 {4}96 % {2}WARN/,
      /^ {2}13 {3}104 % {2}DEGRADE {2}calls gpt-4o-mini$/,
      /^enterprise: 11 calls of \$5$/,
      /^ {3}8 {4}80 % {2}ALLOW/,
      /^ {3}9 {4}90 % {2}WARN/,
      /^ {2}11 {3}110 % {2}WARN/,
    ],
  }

  test('each of them is run here, the demo by a test of its own', () => {
    const files = readdirSync(`${root}/examples`).filter((name) => name.endsWith('.ts'))
    expect(files.toSorted()).toEqual([...Object.keys(expected), 'demo'].map((name) => `${name}.ts`).toSorted())
  })

  test.each(Object.entries(expected))('%s says what it promises', async (name, patterns) => {
    const { code, lines, errors } = await runExample(name)
    expect(errors).toBe('')
    expect(code).toBe(0)
    let from = 0
    for (const pattern of patterns) {
      const found = lines.findIndex((line, index) => index >= from && pattern.test(line))
      expect(found, `${pattern} after line ${from} of:\n${lines.join('\n')}`).toBeGreaterThanOrEqual(from)
      from = found + 1
    }
  })

  test('basic-enforcement stops at the first refusal; the plans of tier-based refuse nobody but free', async () => {
    const basic = await runExample('basic-enforcement')
    expect(basic.lines.filter((line) => line.startsWith('call'))).toHaveLength(5)
    const tiers = await runExample('tier-based')
    expect(tiers.lines.filter((line) => line.includes('BLOCK'))).toHaveLength(1)
    expect(tiers.lines.filter((line) => line.includes('ALLOW'))).toHaveLength(2 + 11 + 8)
  })

  test('stripe-tiers refuses a live key before it asks Stripe for anything', async () => {
    const { code, lines, errors } = await runExample('stripe-tiers', { STRIPE_SECRET_KEY: 'sk_live_of_nobody', STRIPE_WEBHOOK_SECRET: 'whsec_of_nobody' })
    expect(code).toBe(1)
    expect(lines).toEqual([''])
    expect(errors).toContain('STRIPE_SECRET_KEY: is no key of test mode.')
    expect(errors).not.toContain('sk_live_of_nobody')
  })
})

describe('the stand-in for the OpenAI API', () => {
  let standIn: StandIn
  let openai: OpenAI
  const messages = [{ role: 'user' as const, content: 'What is a hold?' }]

  beforeAll(async () => {
    standIn = await startStandIn({ latencyMs: 0 })
    openai = new OpenAI({ baseURL: standIn.url, apiKey: 'any', maxRetries: 0 })
  })

  afterAll(() => standIn.close())

  interface BillOfOne {
    readonly requests: number
    readonly failed: number
    readonly microcents: number
  }

  async function servedTo(user: string, server = standIn): Promise<BillOfOne | undefined> {
    const bill = (await (await fetch(new URL('/served', server.url))).json()) as { users: Record<string, BillOfOne> }
    return bill.users[user]
  }

  test('answers a completion with usage, the same one each time, and bills it in integers', async () => {
    const request = { model: 'gpt-4o', messages, max_completion_tokens: 40, user: 'whole' }
    const reply = await openai.chat.completions.create(request)
    const usage = reply.usage as OpenAI.CompletionUsage
    expect(reply.object).toBe('chat.completion')
    expect(reply.choices[0]?.message.content?.trim().split(' ')).toHaveLength(usage.completion_tokens)
    expect(usage.completion_tokens).toBeLessThanOrEqual(40)
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens)
    expect((await openai.chat.completions.create(request)).usage).toEqual(usage)
    const each = usage.prompt_tokens * 250 + usage.completion_tokens * 1_000
    expect(await servedTo('whole')).toMatchObject({ requests: 2, failed: 0, microcents: 2 * each })
  })

  test('streams the same answer, and its usage only where include_usage asks for it', async () => {
    const request = { model: 'gpt-4o-mini', messages, max_completion_tokens: 1_500, user: 'streamed' }
    const whole = await openai.chat.completions.create({ ...request, user: 'other' })
    const texts: string[] = []
    for (const options of [{ stream_options: { include_usage: true } }, {}]) {
      let text = ''
      const usages: unknown[] = []
      const reasons: unknown[] = []
      for await (const chunk of await openai.chat.completions.create({ ...request, ...options, stream: true })) {
        text += chunk.choices[0]?.delta.content ?? ''
        if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason)
        if (chunk.usage) usages.push(chunk.usage)
      }
      texts.push(text)
      expect(usages).toEqual('stream_options' in options ? [whole.usage] : [])
      expect(reasons).toEqual([whole.choices[0]?.finish_reason])
    }
    expect(texts).toEqual([whole.choices[0]?.message.content, whole.choices[0]?.message.content])
    expect(await servedTo('streamed')).toMatchObject({ requests: 2, microcents: 2 * ((await servedTo('other'))?.microcents ?? 0) })
  })

  test('bills a stream that the client leaves for what was sent, and no more', async () => {
    const slow = await startStandIn({ latencyMs: 100 })
    try {
      const request = { model: 'gpt-4o', messages, max_completion_tokens: 16_000 }
      const client = new OpenAI({ baseURL: slow.url, apiKey: 'any', maxRetries: 0 })
      const stream = await client.chat.completions.create({ ...request, user: 'left', stream: true })
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content) break
      stream.controller.abort()
      await client.chat.completions.create({ ...request, user: 'stayed' })
      await expect.poll(async () => (await servedTo('left', slow))?.requests).toBe(1)
      const [left, stayed] = [await servedTo('left', slow), await servedTo('stayed', slow)]
      expect(left?.microcents).toBeGreaterThanOrEqual(400 * 1_000)
      expect(left?.microcents).toBeLessThan(stayed?.microcents ?? 0)
    } finally {
      await slow.close()
    }
  })

  test('fails as it is asked to, and bills nothing for that', async () => {
    const request = { model: 'gpt-4o', messages: [{ role: 'user' as const, content: 'please #503' }], user: 'failing' }
    await expect(openai.chat.completions.create(request)).rejects.toMatchObject({ status: 503 })
    expect(await servedTo('failing')).toMatchObject({ requests: 0, failed: 1, microcents: 0 })
  })

  test('refuses what the real API refuses: no key, an unknown model, a malformed request', async () => {
    const completions = `${standIn.url}/chat/completions`
    expect((await fetch(completions, { method: 'POST', body: '{}' })).status).toBe(401)
    const broken = await fetch(completions, { method: 'POST', headers: { authorization: 'Bearer any' }, body: '{"model":' })
    expect(broken.status).toBe(400)
    expect(await broken.json()).toMatchObject({ error: { type: 'invalid_request_error' } })
    await expect(openai.chat.completions.create({ model: 'gpt-4', messages })).rejects.toBeInstanceOf(OpenAI.NotFoundError)
    await expect(openai.chat.completions.create({ model: 'gpt-4o', messages: [] })).rejects.toMatchObject({ status: 400, param: 'messages' })
    const nothing = openai.chat.completions.create({ model: 'gpt-4o', messages, max_completion_tokens: 0 })
    await expect(nothing).rejects.toMatchObject({ status: 400, param: 'max_completion_tokens' })
    await expect(openai.models.list()).rejects.toMatchObject({ status: 404 })
  })
})
