// How costs were found, in memory: lines of the ledger and charges are used again, and what an earlier one had must be gone by then.

import { describe, expect, it } from 'vitest'
import type { CostDetails } from '../../../../src/index.js'
import { memoryStore } from '../../../../src/store/memory/index.js'
import { Bench, entriesOf, MINUTE, userOf, windowOf } from '../../../../src/testing/contract/kit.js'

const ann = [userOf('ann', windowOf(1_000))]
const facts = { user: { userId: 'ann' }, tier: 'free', model: 'large', provider: 'openai' }

describe('how a cost was found', () => {
  it('is gone from a line and a charge that another one has taken', async () => {
    const bench = await Bench.at((clock) => memoryStore({ clock, ledgerCapacity: 3, maxGeneratedIds: 1 }))
    for (let index = 0; index < 20; index += 1) {
      const details: CostDetails | undefined = index % 2 === 0 ? { usage: { inputTokens: index } } : undefined
      await bench.hold(ann, { id: `h${index}`, microcents: 1, idGiven: false, facts })
      await bench.settle({ id: `h${index}`, microcents: 1, ...(index % 4 === 0 && { provider: 'azure' }), details })
      const expected = [index - 2, index - 1, index].filter((each) => each >= 0)
      expect((await entriesOf(bench)).map(({ provider, details: kept }) => [provider, kept])).toEqual(
        expected.map((each) => [each % 4 === 0 ? 'azure' : 'openai', each % 2 === 0 ? { usage: { inputTokens: each } } : undefined]),
      )
      bench.clock.advance(2 * MINUTE)
    }
  })
})
