// ONE-ENDING: a hold ends once, and the table of the life of a hold says what every later call gets. Within the retention of ids a
// repeat is never a second charge.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/store/memory/index.js'
import { Accountant } from '../support/accountant.js'
import { settlesTwice } from '../support/broken-stores.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { Stage, traces } from '../support/trace.js'

describe('ONE-ENDING', () => {
  it('answers every call on a hold as the table says, and charges each call once', async () => {
    await assertProperty('ONE-ENDING', endsOnce((clock) => memoryStore({ clock })))
  })

  it('is told from a store that charges a repeated settle again', async () => {
    expect(await propertyHolds(endsOnce(settlesTwice))).toBe(false)
  })
})

function endsOnce(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage: Stage = new Stage(world, open, (seen) => {
      const expected = accountant.follow(seen)
      expect(outcomeOf(seen.reply), `${seen.operation} ${JSON.stringify(seen.request)}`).toEqual(outcomeOf(expected))
    })
    const accountant = new Accountant(stage.clock)
    for (const command of commands) await stage.play(command)
    // Whatever is due has ended before the ledgers are compared.
    await stage.store.read([])
    accountant.settled()
    expect(await chargedById(stage.store.ledger.entries())).toEqual(await chargedById(accountant.ledger.entries()))
  })
}

const TOLD = ['outcome', 'state', 'replayed', 'late', 'was', 'dueAt', 'rung', 'microcents', 'heldMicrocents', 'appliedMicrocents', 'unappliedMicrocents'] as const

/** What the table speaks of in an answer, without figures of windows. */
function outcomeOf(reply: object): object {
  const given = reply as Readonly<Record<string, unknown>>
  const replay = given['replay'] as { readonly state: string } | undefined
  return { ...Object.fromEntries(TOLD.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]))), replayOf: replay?.state }
}

async function chargedById(entries: AsyncIterable<{ readonly decisionId: string; readonly microcents: number; readonly tokens: number; readonly kind: string }>): Promise<object> {
  const charged: Record<string, number[]> = {}
  for await (const { decisionId, microcents, tokens, kind } of entries) {
    if (kind === 'denied' || kind === 'configured') continue
    const [before = 0, tokensBefore = 0] = charged[decisionId] ?? []
    charged[decisionId] = [before + microcents, tokensBefore + tokens]
  }
  return charged
}
