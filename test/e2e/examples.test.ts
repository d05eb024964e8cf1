// Every example runs as its reader would run it: in a process of its own, without a key, from the built package.

import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'

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
    'agent-session': [
      /^agent, step 2: \$0\.01443 spent, \$0\.01557 left$/,
      /^ {2}sub-agent, step 1: \$0\.0053025 spent, \$0\.0046975 left$/,
      /^ {2}sub-agent is stopped: The cap of session report\/research is \$0\.01; \$0\.0053025 is used and this request would add/,
      // What the sub-agent spent is in it.
      /^agent, step 3: \$0\.022605 spent, \$0\.007395 left$/,
      /^agent is stopped: The cap of session report is \$0\.03; \$0\.022605 is used/,
      /^somebody raises the cap: \$0\.017395 left, and ada has spent \$0\.022605 of \$5$/,
    ],
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
    'own-prices': [
      /^ada, gpt-4o: held \$0\.0075, cost \$0\.0035$/,
      /^ada, our-deployment: held \$0\.0075, cost \$0\.0035$/,
      /^ada, our-llama: held \$0, cost \$0$/,
      /^wile, gpt-4o: held \$0\.006, cost \$0\.0034$/,
      /^ada, our-painter: \{"images":3\} cost \$0\.12$/,
      /^ada, our-scribe: \{"audioSeconds":90\.5\} cost \$0\.00905$/,
      /^refused: model: "gpt-40" has no price\./,
    ],
    stream: [
      /^Read to the end\? 1586 words read: held \$0\.04008, charged \$0\.01588125$/,
      /^Left early\? 800 words read: held \$0\.\d+, charged \$0\.\d+$/,
      /^ {2}1588125 microcents, as the provider counts$/,
      /^ {2}\d+ microcents, estimated: /,
      /^spent \$0\.\d+, held \$0$/,
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
    simulate: [
      /^sample of 4,000 requests \(seed 3\): 4,000 requests of 100 users, 2026-01-05/,
      /^ +log +today +cheaper models first +twice as much$/,
      /^Blocked +0 \(0 %\) +1,016 \(25\.4 %\) +644 \(16\.1 %\) +662 \(16\.6 %\)$/,
      /^Spent +\$18\.5144 +\$11\.3140 +\$11\.1120 +\$14\.0322$/,
      /^\$0\.75 is the smallest limit at which at most 1 % of users of tier free are ever blocked\.$/,
    ],
    'with-ai-sdk': [
      /^gpt-4o-2024-08-06: ".+…" \(spent \$0\.\d+\)$/,
      /^gpt-4o-mini-2024-07-18: ".+…" \(spent \$0\.\d+\)$/,
      /^streamed \d+ words \(spent \$0\.\d+\)$/,
      /^refused: The daily budget of user ada is \$0\.01; .+ output tokens, gpt-4o-mini would fit now\.$/,
    ],
    'with-anthropic': [
      /^ada: claude-sonnet-4-6, 10 \+ \d+ cached tokens read, \d+ written$/,
      /^ada: The daily budget of user ada is \$0\.01; .+ output tokens, claude-sonnet-4-6 would fit now\.$/,
      /^ada has spent \$0\.0016872$/,
      /^pat: claude-sonnet-4-6, /,
      /^pat: claude-haiku-4-5-20251001, /,
      /^pat has spent \$0\.0071296$/,
    ],
    'with-hono': [
      /^200 application\/json {2}ratelimit: "daily";r=1000000;t=\d+$/,
      /^ {4}\{"model":"gpt-4o-2024-08-06","text":".+"\}$/,
      /^402 application\/problem\+json {2}ratelimit: "daily";r=\d+;t=\d+ {2}retry-after: \d+$/,
      /^ {4}\{"type":.+"status":402,"detail":"The daily budget of user ada is \$0\.01; /,
      /^401 text\/plain/,
      /^ {4}Who are you\?$/,
    ],
    'with-openai': [
      /^ {2}settled: \$0\.00052125 for gpt-4o$/,
      /^a completion by gpt-4o-2024-08-06: ".+…"$/,
      /^a stream: ".+…"$/,
      /^ {2}settled: \$0\.\d+ for gpt-4o-mini$/,
      /^a response by gpt-4o-mini-2024-07-18: ".+…"$/,
      /^refused with 402, before anything was sent: The daily budget of user ada is \$0\.01; /,
      /^spent: \$0\.0025404$/,
    ],
  }

  test.each(['agent-session', 'own-prices', 'simulate', 'stream', 'with-ai-sdk', 'with-anthropic', 'with-hono', 'with-openai'])('%s can be read at a glance', (name) => {
    expect(readFileSync(`${root}/examples/${name}.ts`, 'utf8').trimEnd().split('\n').length).toBeLessThanOrEqual(40)
  })

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
