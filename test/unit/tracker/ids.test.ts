// Which operation is a repeat of which.

import { describe, expect, it } from 'vitest'
import { fingerprintOf, newId } from '../../../src/tracker/index.js'

describe('ids and fingerprints', () => {
  it('never repeats an id', () => {
    const ids = Array.from({ length: 10_000 }, newId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const id of ids) expect(id).toMatch(/^[\w-]+$/)
  })

  it('gives the same fingerprint for the same arguments in any order', () => {
    expect(fingerprintOf('check', { b: { y: [1, { q: 1, p: 2 }], x: 1 }, a: 1 })).toBe(fingerprintOf('check', { a: 1, b: { x: 1, y: [1, { p: 2, q: 1 }] } }))
    expect(fingerprintOf('check', { a: [1, 2] })).not.toBe(fingerprintOf('check', { a: [2, 1] }))
    expect(fingerprintOf('check', { a: 1 })).not.toBe(fingerprintOf('record', { a: 1 }))
    expect(fingerprintOf('check', { at: new Date(0) })).toBe(fingerprintOf('check', { at: new Date(0) }))
  })

  it('refuses what no JSON can be', () => {
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    for (const value of [{ metadata: 1n }, circle]) expect(() => fingerprintOf('check', value)).toThrow(expect.objectContaining({ code: 'INVALID_REQUEST' }))
  })
})
