// EXPLAINED: a decision carries all that is needed to recompute it: its policies on its own context give its action (raised to
// DEGRADE where the model is not the one asked for). Recomputed here by an evaluator that shares nothing with the engine.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Decision } from '../../src/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { readsTooLate } from '../support/broken-stores.js'
import { explainedAction, mostSevere, type Action } from '../support/evaluator.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'
import type { World } from '../support/world.js'

describe('EXPLAINED', () => {
  it('gives the action of every decision from its own context alone', async () => {
    const counts = new Map<string, number>()
    await assertProperty('EXPLAINED', isExplained((clock) => memoryStore({ clock }), counts))
    // Nothing would be shown by traces in which one of the answers hardly comes.
    for (const kind of ['ALLOW', 'WARN', 'DEGRADE', 'DEGRADE to a cheaper model', 'BLOCK', 'BLOCK by policy', 'replayed']) expect(counts.get(kind) ?? 0, kind).toBeGreaterThan(20)
  })

  it('is told from a store that reads the windows after it placed the hold', async () => {
    expect(await propertyHolds(isExplained(readsTooLate))).toBe(false)
  })
})

function isExplained(open: StoreFactory, counts = new Map<string, number>()): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage = new Stage(world, open)
    for (const command of commands) {
      for (const seen of await stage.play(command)) {
        if (!('decision' in seen)) continue
        count(counts, seen.decision)
        explains(seen.decision, world)
      }
    }
  })
}

function explains(decision: Decision, world: World): void {
  const { context, action, requestedModel, verdicts } = decision
  expect(explainedAction(context, world.rules, requestedModel), `${action} of ${JSON.stringify(context)}`).toBe(action)
  const raised: Action[] = decision.allowed && decision.model !== requestedModel ? ['DEGRADE'] : []
  expect(mostSevere([...verdicts.map((verdict) => verdict.action), ...raised]), 'the verdicts say the same').toBe(action)
  if (decision.allowed) expect(context.model).toBe(decision.model)
  expect(Object.isFrozen(decision) && Object.isFrozen(context) && Object.isFrozen(context.windows)).toBe(true)
}

function count(counts: Map<string, number>, decision: Decision): void {
  const kinds = [decision.action as string]
  if (decision.allowed && decision.model !== decision.requestedModel) kinds.push('DEGRADE to a cheaper model')
  if (!decision.allowed && decision.code === 'policy') kinds.push('BLOCK by policy')
  if (decision.replayed) kinds.push('replayed')
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1)
}
