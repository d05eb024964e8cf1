// CONSERVATION: a window's spent is the sum of the ledger entries charged to it; its held is the sum of its open holds. Requests
// carry no money: a window of requests counts the holds that were opened and the costs that were recorded in it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LedgerEntry } from '../../src/index.js'
import type { ScopeTerms, Store, WindowTerms } from '../../src/store/index.js'
import { memoryStore } from '../../src/store/memory/index.js'
import { bucketExpiresAt, bucketIndex } from '../../src/time/index.js'
import { Accountant } from '../support/accountant.js'
import { emptiesAtRestart, forgetsOverage } from '../support/broken-stores.js'
import { assertProperty, propertyHolds, type StoreFactory } from '../support/property.js'
import { keyOf, Stage, traces } from '../support/trace.js'

const LOOK_EVERY = 4

describe('CONSERVATION', () => {
  it('spends what the ledger says and holds what is open', async () => {
    await assertProperty('CONSERVATION', conserves((clock) => memoryStore({ clock })))
  })

  it('is told from a store that forgets the overage in its ledger', async () => {
    expect(await propertyHolds(conserves(forgetsOverage))).toBe(false)
  })

  it('is told from a store that empties a window at a restart instead of beginning another', async () => {
    expect(await propertyHolds(conserves(emptiesAtRestart))).toBe(false)
  })
})

function conserves(open: StoreFactory): fc.IAsyncProperty<unknown> {
  return fc.asyncProperty(traces, async ({ world, commands }) => {
    const stage: Stage = new Stage(world, open, (seen) => accountant.follow(seen))
    const accountant = new Accountant(stage.clock)
    for (const [step, command] of commands.entries()) {
      await stage.play(command)
      if (step % LOOK_EVERY !== 0 && step < commands.length - 1) continue
      const scopes = [...stage.scopes.values()]
      const { readings, now } = await stage.store.read(scopes)
      const truth = accountant.truth(scopes)
      const entries = await entriesOf(stage.store)
      const windows = scopes.flatMap((scope) => scope.windows.map((terms) => ({ scope, terms })))
      windows.forEach(({ scope, terms }, index) => {
        const [startsAt, , spent, held] = readings.slice(index * 4, index * 4 + 4) as [number, number, number, number]
        const what = `${scope.key} ${terms.window} after ${JSON.stringify(command)}`
        expect(held, `held in ${what}`).toBe(truth[index * 4 + 3])
        if (terms.unit === 'requests') expect(spent, `requests in ${what}`).toBe(truth[index * 4 + 2])
        else expect(spent, `spent in ${what}`).toBe(chargedTo(entries, scope, terms, startsAt, now))
      })
    }
  })
}

async function entriesOf(store: Store): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = []
  for await (const entry of store.ledger.entries()) entries.push(entry)
  return entries
}

function chargedTo(entries: readonly LedgerEntry[], scope: ScopeTerms, { window, unit, source }: WindowTerms, startsAt: number, now: number): number {
  let sum = 0
  for (const entry of entries) {
    for (const charged of entry.charged) {
      if (charged.window !== window || keyOf(charged.scope) !== scope.key) continue
      const counts = source.kind === 'calendar' ? charged.startsAt === startsAt : now < bucketExpiresAt(source.rule, bucketIndex(source.rule, charged.startsAt))
      if (counts) sum += unit === 'usd' ? entry.microcents : entry.tokens
    }
  }
  return sum
}
