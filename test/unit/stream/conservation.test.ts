// ONE-ENDING and CONSERVATION for streams: whatever a provider says, however a stream ends, and whatever the store does meanwhile, a call
// is charged once, what plain arithmetic says.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore, type AllowedDecision, type Store } from '../../../src/index.js'
import { meterStream } from '../../../src/stream/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { assertProperty } from '../../support/property.js'
import { storeWith } from '../setting.js'
import { engine, INPUT, OUTPUT, Tap, TTL_MS, type Piece } from './kit.js'

const RUNS = Math.min(Number(process.env['BURSAR_RUNS'] ?? 500), 5_000)
const MOST_WRITTEN = 50
const ESTIMATE = 100 * INPUT + MOST_WRITTEN * OUTPUT

type Said = Piece | 'unreadable' | undefined

interface Plan {
  /** `undefined`: the reader knows nothing of the piece; `unreadable`: it fails at it. */
  readonly pieces: readonly Said[]
  readonly ending: 'end' | 'error' | 'break' | 'throw' | 'abort' | 'abort between' | 'cancel' | 'never read' | 'forgotten'
  /** What the settle meets: nothing; a lost reply; a store that is away. */
  readonly fault: 'none' | 'after' | 'before'
  /** Store time between two pieces, in eighths of the time of a hold. */
  readonly pace: number
}

const count = fc.integer({ min: 0, max: 300 })
const piece: fc.Arbitrary<Said> = fc.option(
  fc.oneof({ weight: 1, arbitrary: fc.constant('unreadable' as const) }, { weight: 12, arbitrary: fc.record({ text: fc.string({ unit: 'grapheme', maxLength: 12 }), usage: fc.record({ inputTokens: count, outputTokens: count }, { requiredKeys: [] }), isFinal: fc.boolean(), model: fc.constantFrom('large', 'small'), id: fc.constantFrom('a', 'b') }, { requiredKeys: [] }) }),
  { nil: undefined },
)
const plan: fc.Arbitrary<Plan> = fc.record({
  pieces: fc.array(piece, { maxLength: 5 }),
  ending: fc.constantFrom('end', 'error', 'break', 'throw', 'abort', 'abort between', 'cancel', 'never read', 'forgotten'),
  fault: fc.constantFrom('none', 'none', 'after', 'before'),
  pace: fc.integer({ min: 0, max: 4 }),
})

interface Answered {
  model: string | undefined
  id: string | undefined
  input: number | undefined
  output: number | undefined
  written: number
  isFinal: boolean
  hasUsage: boolean
  isKnown: boolean
}

const fresh = (): Answered => ({ model: undefined, id: undefined, input: undefined, output: undefined, written: 0, isFinal: false, hasUsage: false, isKnown: true })

/** The answers that these pieces belong to, those that say nothing left out. */
function answersOf(pieces: readonly Said[]): Answered[] {
  let one = fresh()
  const answers = [one]
  for (const said of pieces) {
    if (said === 'unreadable') one.isKnown = false
    if (said === undefined || said === 'unreadable') continue
    const byId = said.id !== undefined && one.id !== undefined
    if (byId ? said.id !== one.id : said.model !== undefined && one.model !== undefined && said.model !== one.model) {
      if (!one.hasUsage && one.written === 0 && one.isKnown) answers.pop()
      answers.push((one = fresh()))
    }
    one.model = said.model ?? one.model
    one.id = said.id ?? one.id
    one.written += Buffer.byteLength(said.text ?? '')
    if (said.usage === undefined) continue
    one.hasUsage = true
    one.input = said.usage.inputTokens ?? one.input
    one.output = said.usage.outputTokens ?? one.output
    one.isFinal ||= said.isFinal === true
  }
  return answers
}

/** `undefined` where nobody knows. */
function costOfAnswer({ model, input, output, written, isFinal, isKnown }: Answered): number | undefined {
  const price = model === 'small' ? 0.1 : 1
  // A last word that says nothing is none that could be priced.
  if (isFinal ? input === undefined && output === undefined : !isKnown) return undefined
  const wrote = isFinal ? (output ?? 0) : Math.max(output ?? 0, Math.min(written, MOST_WRITTEN))
  return ((input ?? 100) * INPUT + wrote * OUTPUT) * price
}

/** What a stream costs of which these pieces were delivered. */
function costOf(pieces: readonly Said[], ending: Plan['ending']): number {
  if (pieces.length === 0) return ending === 'end' ? ESTIMATE : ending === 'error' ? 0 : 100 * INPUT
  if (pieces.every((said) => said === undefined)) return ESTIMATE
  const answers = answersOf(pieces)
  const last = answers.at(-1) as Answered
  const costs = answers.map(costOfAnswer)
  if (!costs.includes(undefined)) return (costs as number[]).reduce((sum, cost) => sum + cost, 0)
  const metered = answers.filter(({ model }) => (model ?? 'large') !== (last.model ?? 'large')).reduce((sum, answer) => sum + (costOfAnswer(answer) ?? 0), 0)
  return Math.max(ESTIMATE, metered)
}

describe('any number of streams', () => {
  it('are charged once each, however they end', async () => {
    await assertProperty('ONE-ENDING of streams', fc.asyncProperty(fc.array(plan, { minLength: 1, maxLength: 5 }), check), RUNS)
  })
})

async function check(plans: readonly Plan[]): Promise<void> {
  const clock = manualClock()
  const store = memoryStore({ clock })
  const faults = new Map<string, Plan['fault']>()
  const { bursar, ask, standing, entries } = engine({ clock, store: storeWith(store, { settle: faulty(store, faults) }) })
  const decisions: AllowedDecision[] = []
  const wanders = plans.some(({ pace }) => pace > 0)
  await Promise.all(
    plans.map(async (one) => {
      const decision = await ask()
      decisions.push(decision)
      faults.set(decision.id, one.fault)
      await play(one, decision, () => clock.set(clock() + (one.pace * TTL_MS) / 8))
    }),
  )
  const open = plans.filter(isUnsettled).length
  if (!wanders) expect((await standing()).held).toBeCloseTo((open * ESTIMATE) / 1e8, 9)
  clock.advance(2 * TTL_MS)
  const { spent, held } = await standing()
  const written = await entries()
  expect(held).toBe(0)
  expect(written.reduce((sum, { microcents }) => sum + microcents, 0)).toBe(spent)
  for (const [index, decision] of decisions.entries()) {
    const own = written.filter(({ decisionId }) => decisionId === decision.id)
    const one = plans[index] as Plan
    const { ending, pieces } = one
    const kinds = own.map(({ kind }) => kind).join(' ')
    if (isUnsettled(one)) expect(kinds).toBe('expired')
    else expect(kinds).toMatch(hasFailed(one) ? /^(released|expired( corrected)?)$/ : /^(settled|expired( corrected)?)$/)
    const delivered = ending === 'never read' ? [] : pieces
    expect(own.reduce((sum, { microcents }) => sum + microcents, 0), `${ending} after ${JSON.stringify(delivered)}`).toBe(isUnsettled(one) ? ESTIMATE : costOf(delivered, ending))
  }
  expect(await bursar.tracker.audit()).toMatchObject({ status: 'clean', holds: 0 })
}

/** Before its first piece: its hold is released. */
function hasFailed({ ending, pieces }: Plan): boolean {
  return ending === 'error' && pieces.length === 0
}

function isUnsettled(one: Plan): boolean {
  return one.ending === 'forgotten' || (one.fault === 'before' && !hasFailed(one))
}

async function play({ pieces, ending }: Plan, decision: AllowedDecision, passTime: () => void): Promise<void> {
  const tap = new Tap<{ said: Said }>().give(...pieces.map((said) => ({ said })))
  const controller = new AbortController()
  const stream = meterStream(decision, tap, { read: ({ said }) => (said === 'unreadable' ? assert.fail('no such shape') : said), inputTokens: 100, maxOutputTokens: MOST_WRITTEN, holdTtlMs: TTL_MS, signal: controller.signal, isLazy: true })
  if (ending === 'never read') return stream.cancel()
  const iterator = stream[Symbol.asyncIterator]()
  for (const _ of pieces) {
    await iterator.next()
    passTime()
  }
  // Several at once: whoever comes second finds it ended.
  const asked = ending === 'break' || ending === 'throw' || ending === 'abort between' || ending === 'forgotten' ? undefined : iterator.next()
  const heard = asked?.catch((error: unknown) => error)
  if (ending === 'end') tap.end()
  if (ending === 'error') tap.fail(new Error('reset'))
  if (ending === 'break') await Promise.all([iterator.return?.(), stream.cancel()])
  if (ending === 'throw') await iterator.throw?.(new Error('reader')).catch(() => {})
  if (ending === 'abort' || ending === 'abort between') controller.abort(new Error('gone'))
  if (ending === 'cancel') await Promise.all([stream.cancel(), stream.cancel()])
  if (ending === 'forgotten') return
  await heard
  await stream.settled
  await stream.cancel()
}

function faulty(store: Store, faults: ReadonlyMap<string, Plan['fault']>): Store['settle'] {
  return async (request) => {
    const fault = faults.get(request.id)
    if (fault === 'before') throw new Error('away')
    const reply = await store.settle(request)
    if (fault === 'after') throw new Error('lost')
    return reply
  }
}
