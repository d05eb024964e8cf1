// Reports as text: made once for those who ask at the same time, whole for everybody, and too long ones given as they are made.

import { describe, expect, it } from 'vitest'
import { ReportTexts } from '../../../../src/server/seeing/report-texts.js'

const read = async (pieces: AsyncIterable<string>): Promise<string> => {
  let text = ''
  for await (const piece of pieces) text += piece
  return text
}

function counted(...pieces: string[]): { make: () => AsyncIterable<string>; made: () => number; ended: () => number } {
  let made = 0
  let ended = 0
  return {
    make: async function* () {
      made += 1
      try {
        yield* pieces
      } finally {
        ended += 1
      }
    },
    made: () => made,
    ended: () => ended,
  }
}

describe('the text of a report', () => {
  it('is made once for all who ask for the same at the same time', async () => {
    const texts = new ReportTexts()
    const { make, made } = counted('a', 'b')
    const asked = ['one', 'one', 'other', 'one'].map((key) => texts.pieces(key, make))
    expect(await Promise.all(asked.map(async (pieces) => read(await pieces)))).toEqual(['ab', 'ab', 'ab', 'ab'])
    expect(made()).toBe(2)
  })

  it('is whole for everybody, also where it is too long to be kept, and is given up with its reader', async () => {
    const texts = new ReportTexts()
    const long = ['x'.repeat(1_000_000), 'y'.repeat(1_000_000), 'z']
    const { make, made, ended } = counted(...long)
    const asked = await Promise.all([texts.pieces('one', make), texts.pieces('one', make)])
    for (const pieces of asked) expect((await read(pieces)) === long.join('')).toBe(true)
    expect([made(), ended()]).toEqual([2, 2])
    const pieces = await texts.pieces('another', make)
    for await (const _ of pieces) break
    expect([made(), ended()]).toEqual([3, 3])
  })

  it('fails for whoever asked where its beginning does, and is asked for anew', async () => {
    const texts = new ReportTexts()
    const failing = async function* (): AsyncIterable<string> {
      yield 'a'
      throw new Error('away')
    }
    await expect(texts.pieces('one', failing)).rejects.toThrow('away')
    expect(await read(await texts.pieces('one', counted('b').make))).toBe('b')
  })
})
