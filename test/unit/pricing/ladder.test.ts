// The way down from a model, by exact names.

import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/index.js'
import { Ladder } from '../../../src/pricing/index.js'

describe('Ladder', () => {
  const ladder = new Ladder({ large: 'medium', medium: 'small', 'gpt-4o': ['gpt-4o-mini', 'small'] })

  it('leads from a model down to the cheapest', () => {
    expect(ladder.chain('large')).toEqual(['large', 'medium', 'small'])
    expect(ladder.chain('medium')).toEqual(['medium', 'small'])
    expect(ladder.chain('gpt-4o')).toEqual(['gpt-4o', 'gpt-4o-mini', 'small'])
  })

  it('has only itself for a model at the bottom or one that it does not know', () => {
    expect(ladder.chain('small')).toEqual(['small'])
    expect(ladder.chain('other')).toEqual(['other'])
    expect(ladder.chain('toString')).toEqual(['toString'])
  })

  it('knows models by their exact names', () => {
    expect(['large', 'medium', 'small', 'gpt-4o', 'gpt-4o-mini'].every((model) => ladder.knows(model))).toBe(true)
    for (const model of ['gpt-4', 'gpt-4o-mini-2024-07-18', 'GPT-4o', 'toString', '']) expect(ladder.knows(model)).toBe(false)
  })

  it.each([[{ a: 'a' }, 'a → a'], [{ a: 'b', b: 'a' }, 'a → b → a'], [{ a: ['b', 'c', 'b'] }, 'a → b → c → b'], [{ a: ['b'], b: ['c'], c: 'b' }, 'b']])('refuses %j, which leads back', (config, way) => {
    expect(() => new Ladder(config)).toThrow(InvalidConfigError)
    expect(() => new Ladder(config)).toThrow(way)
  })
})
