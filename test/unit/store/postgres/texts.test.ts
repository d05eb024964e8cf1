// Texts that Postgres cannot keep, and back.

import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { givenText, keptJson, keptText, readJson } from '../../../../src/store/postgres/texts.js'
import { assertProperty } from '../../../support/property.js'

const text = fc.array(fc.oneof(fc.constantFrom('\0', '\uffff', '\ud800', '\udfff', '😀', '\\', '\\u0000', '0000', 'd800', '"', 'a'), fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit))), { maxLength: 8 }).map((parts) => parts.join(''))

describe('texts as Postgres keeps them', () => {
  it('hold nothing that it cannot keep, and come back as they were', async () => {
    await assertProperty('KEPT-TEXTS', fc.asyncProperty(text, async (given) => {
      const kept = keptText(given)
      expect(kept).not.toContain('\0')
      expect(Buffer.from(kept).toString()).toBe(kept)
      expect(givenText(kept)).toBe(given)
    }))
  })

  it('are in JSON what they are alone', async () => {
    await assertProperty('KEPT-JSON', fc.asyncProperty(text, text, async (key, value) => {
      const kept = keptJson(JSON.stringify([{ [key]: value }]))
      expect(JSON.parse(kept)).toEqual([JSON.parse(JSON.stringify({ [keptText(key)]: keptText(value) }))])
      expect(kept).toBe(JSON.stringify([{ [keptText(key)]: keptText(value) }]))
      expect(readJson(kept)).toEqual([JSON.parse(JSON.stringify({ [key]: value }))])
    }))
  })

  it('are as they were where nothing is odd', () => {
    expect(keptText('José 😀 \\u0000')).toBe('José 😀 \\u0000')
    expect(keptJson(JSON.stringify({ a: '\\u0000\\' }))).toBe(JSON.stringify({ a: '\\u0000\\' }))
  })
})
