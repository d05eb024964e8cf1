// How much is read of a request body: an upper bound of its text, and nothing that is no text is taken for it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countIn, hasInside, isAllText, snapshotOf, textOfBody, type TextShape } from '../../../src/integrations/body-text.js'
import { Conversations } from '../../../src/integrations/conversations.js'
import { assertProperty } from '../../support/property.js'

const shape: TextShape = { types: new Set(['text', 'call']), references: new Set(['file_id']), data: new Set(['input']) }
const text = fc.string({ unit: 'binary', maxLength: 40 })

describe('what a model reads of a body', () => {
  it('is never less than the bytes of every text in it', async () => {
    const body = fc.record({ messages: fc.array(fc.record({ role: text, content: fc.oneof(text, fc.array(fc.record({ type: fc.constant('text'), text }))) })), system: text, metadata: text })
    await assertProperty(
      'body-text',
      fc.asyncProperty(body, async (given) => {
        const texts = [given.system, ...given.messages.flatMap(({ role, content }) => [role, ...(typeof content === 'string' ? [content] : content.map((part) => part.text))])]
        const bytes = texts.reduce((sum, one) => sum + Buffer.byteLength(one), 0)
        const read = Buffer.byteLength(textOfBody(given, new Set(['metadata'])))
        expect(read).toBeGreaterThanOrEqual(bytes)
        expect(read).toBe(Buffer.byteLength(textOfBody({ ...given, metadata: 'other' }, new Set(['metadata']))))
      }),
      300,
    )
  })

  it.each([
    ['a string', 'x', true],
    ['parts of text', [{ role: 'user', content: [{ type: 'text', text: 'x' }] }], true],
    ['data with types of its own', [{ type: 'call', input: { type: 'image', file_id: 'f' } }], true],
    ['a reference that is empty', [{ type: 'text', file_id: null }], true],
    ['a type that nobody knows', [{ content: [{ type: 'text' }, { type: 'hologram' }] }], false],
    ['a reference', [{ content: [{ type: 'text', nested: { file_id: 'f' } }] }], false],
  ])('is text or not: %s', (_what, value, isText) => {
    expect(isAllText(value, shape)).toBe(isText)
  })

  it('is copied as JSON reads it, and keeps what JSON has no word for', async () => {
    const odd = { at: new Date(0), url: new URL('https://example.org/'), none: undefined, boxed: [new String('x'), new Number(1), new Boolean(false)], nan: Number.NaN, list: [() => 1, undefined], skip: () => 1, self: { own: 1, toJSON: () => ({ toJSON: () => 'never', x: 2 }) }, map: new Map([[1, 2]]) }
    const copy = snapshotOf(odd) as typeof odd
    expect(JSON.stringify(copy)).toBe(JSON.stringify(odd))
    expect(copy.nan).toBeNaN()
    await assertProperty('snapshot', fc.asyncProperty(fc.object({ withNullPrototype: true, withDate: true, maxDepth: 4 }), async (given) => {
      const before = JSON.stringify(given)
      const taken = snapshotOf(given) as Record<string, unknown>
      for (const value of [given, ...Object.values(given)]) if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) Object.assign(value, { added: 'x' })
      expect(JSON.stringify(taken)).toBe(before)
    }), 300)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, '5', true, {}, []])('has no count in %s', (value) => {
    expect(() => countIn({ max_tokens: value }, 'max_tokens')).toThrow('max_tokens:')
  })

  it('has no count in what is absent or null, and finds what stands deep inside', () => {
    expect([countIn({}, 'n'), countIn({ n: null }, 'n'), countIn({ n: 0 }, 'n')]).toEqual([undefined, undefined, 0])
    const isHour = (field: string, content: unknown): boolean => field === 'ttl' && content === '1h'
    expect([hasInside({ a: [{ b: { ttl: '1h' } }] }, isHour), hasInside({ a: ['1h', null] }, isHour), hasInside('ttl', isHour)]).toEqual([true, false, false])
  })
})

describe('the conversations that a provider keeps', () => {
  it('are remembered by their last answers, and the oldest are forgotten', () => {
    const conversations = new Conversations()
    conversations.note('b', { inputTokens: 5 }, false)
    conversations.note('a', { inputTokens: 5, outputTokens: 2 }, true)
    conversations.note('c', { outputTokens: 2 }, true)
    conversations.note(undefined, { inputTokens: 5 }, true)
    expect(['a', 'b', 'c', undefined].map((id) => conversations.behind(id))).toEqual([{ tokens: 7, isText: true }, { tokens: 5, isText: false }, undefined, undefined])
    conversations.note('b', { inputTokens: 5 }, false)
    for (let index = 0; index < 9_999; index += 1) conversations.note(`n${index}`, { inputTokens: 1 }, true)
    expect([conversations.behind('a'), conversations.behind('b')]).toEqual([undefined, { tokens: 5, isText: false }])
  })
})
