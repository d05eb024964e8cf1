// The queue of open holds, against a list that is sorted each time.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DueQueue } from '../../../../src/store/memory/due-queue.js'
import type { Charge } from '../../../../src/store/memory/charge.js'

type Due = { id: string; dueAt: number; queueIndex: number }
const first = (due: Due[]) => [...due].sort((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1))[0]

describe('DueQueue', () => {
  it('always gives the hold that is due first, whatever was added, taken out or moved', () => {
    const step = fc.record({ what: fc.constantFrom('add', 'add', 'remove', 'move'), at: fc.nat({ max: 20 }), which: fc.nat() })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new DueQueue()
        const open: Due[] = []
        let count = 0
        for (const { what, at, which } of steps) {
          const index = which % Math.max(1, open.length)
          if (what === 'add') {
            const charge = { id: `h${(count += 1)}`, dueAt: at, queueIndex: -1 }
            open.push(charge)
            queue.add(charge as Charge)
          } else if (what === 'remove' && open.length > 0) {
            const [charge] = open.splice(index, 1)
            queue.remove(charge as Charge)
            expect(charge?.queueIndex).toBe(-1)
          } else if (open.length > 0) {
            const charge = open[index] as Due
            charge.dueAt = at
            queue.moved(charge as Charge)
          }
          expect(queue.size).toBe(open.length)
          expect(queue.first).toBe(first(open))
        }
        const drained: string[] = []
        while (queue.first !== undefined) {
          drained.push(queue.first.id)
          queue.remove(queue.first)
        }
        expect(drained).toEqual([...open].sort((a, b) => a.dueAt - b.dueAt || (a.id < b.id ? -1 : 1)).map(({ id }) => id))
      }),
      { numRuns: 300 },
    )
  })
})
