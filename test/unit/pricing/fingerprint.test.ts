// Short names for texts, the same on every machine.

import { describe, expect, it } from 'vitest'
import { fingerprint } from '../../../src/pricing/fingerprint.js'

describe('fingerprint', () => {
  it('is twelve hex digits, the same for the same text', () => {
    expect(fingerprint('input=250/1')).toMatch(/^[0-9a-f]{12}$/)
    expect(fingerprint('input=250/1')).toBe(fingerprint(['input', '250/1'].join('=')))
    expect(fingerprint('')).toMatch(/^[0-9a-f]{12}$/)
  })

  it('differs for texts that differ a little', () => {
    const texts = Array.from({ length: 60_000 }, (_, index) => [`input=${index}/1`, `input=1/${index}\noutput=${index % 7}`, `${index}`.padStart(12, '0')][index % 3] as string)
    expect(new Set(texts.map(fingerprint)).size).toBe(new Set(texts).size)
  })
})
