// The windows of a single life: its own, and lengths of it around.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lifetime } from '../../../src/time/index.js'

const START = Date.UTC(2026, 0, 15)
const life = new Lifetime({ startsAt: START, endsAt: START + 1_000 })

describe('a lifetime', () => {
  it('is one window from its start to its end', () => {
    expect(life.at(START)).toBe(life.span)
    expect(life.at(START + 999.9)).toBe(life.span)
    expect(life.span).toEqual({ startsAt: START, endsAt: START + 1_000 })
  })

  it('is followed by windows of its length, which are not its own', () => {
    expect(life.at(START + 1_000)).toEqual({ startsAt: START + 1_000, endsAt: START + 2_000 })
    expect(life.at(START + 12_345)).toEqual({ startsAt: START + 12_000, endsAt: START + 13_000 })
    expect(life.at(START - 1)).toEqual({ startsAt: 0, endsAt: START })
    expect(life.around(START + 5)).toEqual([{ startsAt: 0, endsAt: START }, life.span, { startsAt: START + 1_000, endsAt: START + 2_000 }])
    expect(life.around(START + 5)).toBe(life.around(START + 6))
  })

  it('tiles time: an instant is in its window, which begins where the one before ends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: START }), fc.integer({ min: 1, max: 10 ** 9 }), fc.integer({ min: 0, max: 2 * START }), (startsAt, length, instant) => {
        const tiling = new Lifetime({ startsAt, endsAt: startsAt + length })
        const [previous, running, next] = tiling.around(instant)
        expect(running.startsAt <= instant && instant < running.endsAt).toBe(true)
        expect(next.startsAt).toBe(running.endsAt)
        expect(tiling.at(running.endsAt)).toEqual(next)
        if (running.startsAt > 0) expect(previous.endsAt).toBe(running.startsAt)
        expect(tiling.at(running.endsAt - 1)).toEqual(running)
      }),
    )
  })

  it.each([[{ startsAt: START, endsAt: START }], [{ startsAt: START, endsAt: START - 1 }], [{ startsAt: 0, endsAt: START }], [{ startsAt: Number.NaN, endsAt: START }], [{ startsAt: START, endsAt: Infinity }]])('refuses %j', (span) => {
    expect(() => new Lifetime(span)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })

  it('refuses what is no instant', () => {
    expect(() => life.at(Number.NaN)).toThrow('instant: NaN')
    expect(() => life.around(Infinity)).toThrow('instant: Infinity')
  })
})
