// EXPLAINED, from the explanation alone: whoever has only the JSON of a decision can work out again which rung it got, its action,
// every sum and what would have fitted. Worked out here by an evaluator that shares nothing with the engine.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Explanation, ExplainedRung, ExplainedWindow } from '../../../src/index.js'
import { memoryStore } from '../../../src/store/memory/index.js'
import { mostSevere, type Action } from '../../support/evaluator.js'
import { assertProperty } from '../../support/property.js'
import { Stage, traces } from '../../support/trace.js'

type Ceiling = { readonly max: number; readonly pre: number }

describe('an explanation', () => {
  it('gives the rung, the action and every sum from itself alone (EXPLAINED), at once and at the end of the trace', async () => {
    const seenActions = new Map<string, number>()
    await assertProperty(
      'EXPLAINED again',
      fc.asyncProperty(traces, async ({ world, commands }) => {
        const stage = new Stage({ ...world, config: { ...world.config, decisionLog: { keep: 'all' } } as never }, (clock) => memoryStore({ clock }))
        const first = new Map<string, string>()
        for (const command of commands) {
          for (const seen of await stage.play(command)) {
            if (!('decision' in seen)) continue
            const { id, action } = seen.decision
            const explanation = await stage.bursar.explain(id)
            const text = JSON.stringify(explanation)
            expect(JSON.parse(text), 'plain JSON data').toEqual(explanation)
            if (command.do === 'batch' && explanation.action !== action) continue
            expect(explanation.action).toBe(action)
            checkExplanation(explanation)
            first.set(id, text)
            seenActions.set(action, (seenActions.get(action) ?? 0) + 1)
            if (explanation.rung > 0) seenActions.set('cheaper', (seenActions.get('cheaper') ?? 0) + 1)
          }
        }
        for (const [id, text] of first) expect(JSON.stringify(await stage.bursar.explain(id)), 'as it was then').toBe(text)
      }),
      Math.min(100, Number(process.env['BURSAR_RUNS'] ?? 100)),
    )
    for (const kind of ['ALLOW', 'WARN', 'DEGRADE', 'BLOCK', 'cheaper']) expect(seenActions.get(kind) ?? 0, kind).toBeGreaterThan(5)
  })
})

function checkExplanation(explanation: Explanation): void {
  const { windows, rungs, admitted, rung, degrade, degradeBlocks, verdicts, action, replayed, fitting, code } = explanation
  const shown = JSON.stringify(explanation)
  const hitsOf = (ceiling: Ceiling | null | undefined, window: ExplainedWindow, at: ExplainedRung): boolean => {
    if (ceiling == null) return false
    const used = BigInt(window.exact.spent) + BigInt(window.exact.held)
    return used + amountOf(window, at) > BigInt(ceiling.max) || used >= BigInt(ceiling.pre)
  }
  const first = rungs[0] as ExplainedRung
  const says = (at: ExplainedRung, word: string): boolean => at.against.some((each) => 'policy' in each && each.action === word && each.afterHold === undefined)
  const blocks = (at: ExplainedRung, includingDegrade: boolean): boolean =>
    says(at, 'BLOCK') || (includingDegrade && says(at, 'DEGRADE')) || windows.some((window) => hitsOf(window.ceilings.block.exact, window, at) || (includingDegrade && hitsOf(window.ceilings.degrade?.exact, window, at)))
  if (!replayed) {
    const asks = says(first, 'DEGRADE') || windows.some((window) => hitsOf(window.ceilings.degrade?.exact, window, first))
    expect(degrade, shown).toBe(asks)
    const blocked = blocks(first, degradeBlocks)
    const cheaper = rungs.findIndex((each, index) => index > 0 && !blocks(each, false))
    const expected = !blocked && !asks ? 0 : cheaper > 0 ? cheaper : blocked ? -1 : 0
    expect(admitted ? rung : -1, shown).toBe(expected)
  }
  const counted = rungs[rung] as ExplainedRung
  const said: Action[] = admitted ? verdicts.map((verdict) => verdict.action) : ['BLOCK']
  if (admitted) {
    if (rung > 0 || (degrade && !replayed)) said.push('DEGRADE')
    if (windows.some((window) => hitsOf(window.ceilings.warn?.exact, window, counted))) said.push('WARN')
  }
  expect(mostSevere(said), shown).toBe(action)
  for (const window of windows) {
    expect(BigInt(window.exact.estimate)).toBe(amountOf(window, counted))
    expect(window.exact.remaining).toBe(window.exact.limit === null ? null : Math.max(0, window.exact.limit - window.exact.spent - window.exact.held))
    checkSum(window.arithmetic.integers, window, counted)
    expect(/[>≥]/.test(window.arithmetic.integers), shown).toBe(window.hit !== null)
    if (window.hit === null) for (const ceiling of Object.values(window.ceilings)) expect(hitsOf(ceiling?.exact, window, counted) && !(ceiling === window.ceilings.degrade && rung > 0)).toBe(false)
  }
  for (const each of rungs) {
    for (const objection of each.against) {
      if (!('threshold' in objection)) continue
      const window = windows[objection.window] as ExplainedWindow
      expect(hitsOf(window.ceilings[objection.threshold]?.exact, window, each)).toBe(true)
      checkSum(objection.arithmetic.integers, window, each)
    }
  }
  const largest = fitting.exact?.largestFittingMicrocents
  if (largest === undefined || (code === undefined && replayed)) return
  const strict = code === undefined || degradeBlocks
  const fits = (microcents: number): boolean => {
    const tried = { ...first, exact: { ...first.exact, microcents } }
    return !windows.some((window) => hitsOf(window.ceilings.block.exact, window, tried) || (strict && hitsOf(window.ceilings.degrade?.exact, window, tried)))
  }
  if (largest === null) expect(fits(0) && windows.some(({ unit, limit }) => unit === 'usd' && limit !== null), shown).toBe(false)
  else expect([fits(largest), fits(largest + 1)], shown).toEqual([true, false])
}

function amountOf({ unit }: ExplainedWindow, { exact }: ExplainedRung): bigint {
  return unit === 'usd' ? BigInt(exact.microcents) : unit === 'tokens' ? BigInt(exact.tokens) : 1n
}

function checkSum(integers: string, { exact: { spent, held } }: ExplainedWindow, rung: ExplainedRung): void {
  const parts = /^(\d+) \+ (\d+) \+ (\d+) = (\d+) ([<>≤≥]) (\d+)$/.exec(integers)
  expect(parts, integers).not.toBeNull()
  const [, a, b, c, sum, sign, bound] = parts as unknown as [string, string, string, string, string, string, string]
  expect([BigInt(a), BigInt(b)]).toEqual([BigInt(spent), BigInt(held)])
  expect([BigInt(rung.exact.microcents), BigInt(rung.exact.tokens), 1n]).toContain(BigInt(c))
  expect(BigInt(a) + BigInt(b) + BigInt(c), integers).toBe(BigInt(sum))
  const [left, right] = [BigInt(sum), BigInt(bound)]
  expect(sign === '>' ? left > right : sign === '≥' ? left >= right : sign === '≤' ? left <= right : left < right, integers).toBe(true)
}
