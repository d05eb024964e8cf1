// Pages of records: whatever their order and number, each once and in the order of the keys.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pageByKey } from '../../../../src/server/administration/paging.js'
import { assertProperty } from '../../../support/property.js'

describe('pages', () => {
  it('give every record of the prefix once, in the order of the keys', async () => {
    const keysOf = fc.uniqueArray(fc.string({ unit: fc.constantFrom('a', 'b', 'é', '/', '%', '=', '😀') }), { maxLength: 30 })
    const pages = fc.asyncProperty(keysOf, fc.integer({ min: 1, max: 9 }), fc.constantFrom('', 'a', 'a/'), async (keys, limit, prefix) => {
      const wanted = keys.filter((key) => key.startsWith(prefix) && key !== prefix)
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await pageByKey(keys.filter((key) => key !== prefix).map((key) => ({ key })), prefix, { limit, cursor })
        expect(page.items.length).toBeLessThanOrEqual(limit)
        seen.push(...page.items.map(({ key }) => key))
        cursor = page.next
      } while (cursor !== undefined)
      expect(seen).toEqual(wanted.sort())
    })
    await assertProperty('pages', pages)
  })

  it('hold no more than a part of many records', async () => {
    const many = Array.from({ length: 25_000 }, (_, index) => ({ key: String((index * 7_919) % 25_000).padStart(5, '0') }))
    const { items, next } = await pageByKey(many, '', { limit: 3, cursor: Buffer.from('00041').toString('base64url') })
    expect(items.map(({ key }) => key)).toEqual(['00042', '00043', '00044'])
    expect(next).toBe(Buffer.from('00044').toString('base64url'))
  })

  it.each(['', '=', 'a', '!', 'YQ==', '💥'])('refuse the cursor %j', async (cursor) => {
    await expect(pageByKey([], '', { cursor })).rejects.toMatchObject({ status: 422 })
  })
})
