// How long what has ended is remembered: by time and by number.

import { describe, expect, it } from 'vitest'
import { Retention } from '../../../../src/store/memory/retention.js'

function retention(keepMs: number, most: number) {
  const forgotten: string[] = []
  return { forgotten, kept: new Retention<{ id: string }>(keepMs, most, ({ id }) => forgotten.push(id)) }
}

describe('Retention', () => {
  it('forgets what ended long enough ago, in that order', () => {
    const { kept, forgotten } = retention(100, 10)
    kept.add({ id: 'a' }, 0)
    kept.add({ id: 'b' }, 50)
    kept.advance(99)
    expect(forgotten).toEqual([])
    kept.advance(100)
    expect(forgotten).toEqual(['a'])
    kept.advance(1_000)
    kept.advance(1_000)
    expect(forgotten).toEqual(['a', 'b'])
  })

  it('forgets the oldest where there are too many', () => {
    const { kept, forgotten } = retention(1_000, 2)
    for (const id of ['a', 'b', 'c', 'd']) kept.add({ id }, 0)
    expect(forgotten).toEqual(['a', 'b'])
  })

  it('forgets each once, also past its own tidying', () => {
    const { kept, forgotten } = retention(10, 100_000)
    for (let index = 0; index < 5_000; index += 1) {
      kept.add({ id: String(index) }, index)
      kept.advance(index)
    }
    expect(forgotten).toEqual(Array.from({ length: 4_990 }, (_, index) => String(index)))
  })
})
