// The rule of admission: what a store refuses in integers is what the policies say of the context that the decision shows, in a
// million cases, most of them on a boundary or beside one.

import { describe, expect, it } from 'vitest'
import { Bursar, definePolicy, type Decision, type Thresholds, type Unit } from '../../src/index.js'
import { isReached, judge, mostSevere, wouldSaturate, type Action } from '../support/evaluator.js'
import { readingsStore } from '../support/readings-store.js'
import { usd } from '../support/world.js'

const CASES = 1_000_000
const CASES_PER_WORLD = 500
const MAX = Number.MAX_SAFE_INTEGER
const NOW = Date.UTC(2026, 0, 15, 12)
const UNITS: readonly Unit[] = ['usd', 'tokens', 'requests']
const STRICT = { warn: 80, block: 100 }

describe('admission', () => {
  it('agrees with the policies evaluated on each returned context in a million random cases, boundaries included', async () => {
    const seed = Number(process.env['BURSAR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff))
    console.log(`admission seed=${seed} cases=${CASES}`)
    const random = randomNumbers(seed)
    const seen: Record<string, number> = {}
    let cases = 0
    while (cases < CASES) cases += await tryWorld(random, seen)
    expect(cases).toBe(CASES)
    // Every answer in every unit; only rate limits never degrade.
    const answers = UNITS.flatMap((unit) => ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK'].map((action) => `${unit} ${action}`)).filter((answer) => answer !== 'requests DEGRADE')
    for (const answer of answers) expect(seen[answer] ?? 0, answer).toBeGreaterThan(1_000)
    for (const kind of ['cheaper', 'saturating', 'on the limit']) expect(seen[kind] ?? 0, kind).toBeGreaterThan(100)
  })
})

type Random = (below: number) => number

/** Plays some cases on one configuration, and gives their number. */
async function tryWorld(random: Random, seen: Record<string, number>): Promise<number> {
  const limits = { usd: someLimit(random), tokens: someLimit(random), requests: someLimit(random) }
  const tables = [someThresholds(random), ...(random(2) === 0 ? [someThresholds(random)] : [])]
  const laddered = random(2) === 0
  const stands = new Map<string, readonly number[]>()
  const bursar = new Bursar<string, string>({
    tiers: { tier: { daily: { usd: usd(limits.usd), tokens: limits.tokens, requests: limits.requests } } },
    policies: tables.map((thresholds, index) => definePolicy({ name: `policy ${index}`, thresholds })),
    ...(laddered && { ladder: { large: 'small' }, estimate: ({ estimatedCost }, model) => (model === 'small' ? usd(Math.floor(toMicrocents(estimatedCost) / 2)) : usd(toMicrocents(estimatedCost))) }),
    store: readingsStore(({ scopes }) => (scopes[0]?.windows ?? []).flatMap(({ window }) => [NOW, NOW + 1, ...(stands.get(window) ?? [0, 0])]), NOW),
    clock: () => NOW,
  })
  const percents = tables.flatMap((table) => Object.values(table) as number[])
  for (let index = 0; index < CASES_PER_WORLD; index += 1) {
    const unit = UNITS[random(3)] as Unit
    const percent = random(4) === 0 ? 100 : unit === 'requests' ? [80, 100][random(2)] as number : (percents[random(percents.length)] as number)
    const { spent, held, estimate } = atBoundary(random, limits[unit], percent, unit)
    stands.clear()
    stands.set(`daily/${unit}`, [spent, held])
    const decision = await bursar.check({
      userId: 'ann',
      userTier: 'tier',
      ...(laddered && { model: 'large' }),
      estimatedCost: unit === 'usd' ? (estimate < 1e15 ? estimate / 1e8 : usd(estimate)) : 0,
      inputTokens: unit === 'tokens' ? estimate : 0,
      maxOutputTokens: 0,
    })
    const expected = expectedAction(bursar, decision)
    if (decision.action !== expected || (index % 16 === 0 && fromFractions(decision, tables) !== expected)) {
      expect.fail(`${decision.action} and not ${expected}: ${JSON.stringify({ limits, tables, unit, percent, spent, held, estimate, laddered })}`)
    }
    count(seen, decision, unit)
  }
  return CASES_PER_WORLD
}

/** What the registered policies say of the decision's own context, with what they do not judge, raised where the model is another. */
function expectedAction(bursar: Bursar<string, string>, decision: Decision): Action {
  const { context } = decision
  const said: Action[] = [bursar.callbacks.check(context)]
  for (const window of context.windows) {
    if (window.limit !== null && (window.unit === 'requests' || window.limit === 0)) said.push(judge(window, STRICT))
    // No admission passes the largest exact integer, whatever the policies say.
    if (window.exact.spent + window.exact.held + window.exact.estimate > MAX - 2 && wouldSaturate(window)) said.push('BLOCK')
  }
  if (context.model !== decision.requestedModel) said.push('DEGRADE')
  return mostSevere(said)
}

/** The same from fractions of integers, without the engine's percentages. */
function fromFractions(decision: Decision, tables: readonly Thresholds[]): Action {
  const said: Action[] = []
  for (const window of decision.context.windows) {
    if (wouldSaturate(window)) said.push('BLOCK')
    if (window.limit === null) continue
    const strict = window.unit === 'requests' || window.limit === 0
    for (const table of strict ? [STRICT] : tables) said.push(judge(window, table as typeof STRICT))
  }
  if (decision.context.model !== decision.requestedModel) said.push('DEGRADE')
  return mostSevere(said)
}

function count(seen: Record<string, number>, decision: Decision, unit: Unit): void {
  const add = (kind: string): void => {
    seen[kind] = (seen[kind] ?? 0) + 1
  }
  add(`${unit} ${decision.action}`)
  if (decision.allowed && decision.model !== decision.requestedModel) add('cheaper')
  const window = decision.windows.find((each) => each.unit === unit && each.period === 'daily')
  if (window === undefined) return
  if (wouldSaturate(window)) add('saturating')
  if (decision.allowed && window.exact.spent + window.exact.held + window.exact.estimate === window.exact.limit && !isReached(window, 100)) add('on the limit')
}

function someLimit(random: Random): number {
  const kind = random(6)
  if (kind === 0) return random(12)
  if (kind === 1) return Math.max(0, 10_000 * random(1_000) + random(3) - 1)
  if (kind === 2) return MAX - random(20_000)
  if (kind === 3) return MAX - random(3)
  return kind === 4 ? random(2 ** 31) : Math.floor((random(2 ** 31) / 2 ** 31) * MAX)
}

function someThresholds(random: Random): Thresholds {
  const usual = [80, 90, 100, 99.99, 0.01, 33.33, 50]
  const percent = (): number => (random(2) === 0 ? (usual[random(usual.length)] as number) : (1 + random(10_000)) / 100)
  const thresholds = {
    ...(random(4) > 0 && { warn: percent() }),
    ...(random(3) === 0 && { degrade: percent() }),
    ...(random(4) > 0 && { block: percent() }),
  }
  return Object.keys(thresholds).length === 0 ? { block: percent() } : thresholds
}

/** Amounts whose total, or what was used before, is at a threshold of the limit or one beside it. */
function atBoundary(random: Random, limit: number, percent: number, unit: Unit): { spent: number; held: number; estimate: number } {
  const basis = BigInt(Math.round(percent * 100))
  const reached = Number((BigInt(limit) * basis + 9_999n) / 10_000n)
  const beside = clamp(reached + random(3) - 1)
  const part = (of: number): number => [0, of, 1, Math.floor((random(1_000) / 1_000) * of)][random(4)] as number
  const before = random(3) === 0
  const estimate = unit === 'requests' ? 1 : before ? clamp(part(limit)) : Math.min(part(beside), beside)
  const used = before ? beside : Math.max(0, beside - estimate)
  const held = Math.min(part(used), used)
  return { spent: used - held, held, estimate }
}

function clamp(amount: number): number {
  return Math.min(MAX, Math.max(0, amount))
}

function toMicrocents(cost: number | string | undefined): number {
  return typeof cost === 'string' ? Number(cost.replace('.', '')) : Math.round((cost ?? 0) * 1e8)
}

/** Mulberry32: numbers from 0 to below a bound. */
function randomNumbers(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below)
  }
}
