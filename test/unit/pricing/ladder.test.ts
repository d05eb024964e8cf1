// The way down from a model, by exact names.

import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/index.js'
import { Ladder, PriceBook, type LadderConfig } from '../../../src/pricing/index.js'

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

describe('a ladder with prices', () => {
  const at = Date.UTC(2026, 0, 15, 12)
  const book = new PriceBook({
    models: {
      large: { input: 10, output: 40 },
      small: { input: 1, output: 4 },
      reader: { input: 0.5, output: 50 },
      twin: { input: 10, output: 40 },
      free: { input: 0, output: 0 },
      embeds: { input: 1 },
      'embeds-small': { input: '0.1' },
      nightly: [{ input: 1, output: 1 }, { daily: { from: '18:00', to: '06:00' }, input: 20, output: 20 }],
    },
    tenants: { acme: { small: { input: 11, output: 4 } } },
  })
  const priced = (config: LadderConfig, prices = book, mayBeUnpriced = false) => new Ladder(config, { book: prices, at, mayBeUnpriced })
  const plain = new PriceBook({ models: { large: { input: 10, output: 40 }, small: { input: 1, output: 4 } } })

  it.each([
    [{ large: 'reader' }, /"reader" is not cheaper.*10\.00 in and 40\.00 out, "reader" 0\.50 in and 50\.00 out/],
    [{ large: 'twin' }, /"twin" is not cheaper/],
    [{ free: 'free2' }, /"free2" has no price/],
    [{ large: ['free', 'twin'] }, /"twin" is not cheaper/],
    [{ large: 'embeds' }, /"embeds" is not cheaper.*1\.00 in and nothing known out/],
    [{ large: 'nightly' }, /"nightly" is not cheaper at 2026-01-15T/],
    [{ large: 'small' }, /"small" is not cheaper for tenant "acme"/],
  ])('refuses %j', (config, says) => {
    expect(() => priced(config)).toThrow(InvalidConfigError)
    expect(() => priced(config)).toThrow(says)
  })

  it('takes steps that lead down, free models and those without output', () => {
    expect(priced({ large: ['small', 'free'] }, new PriceBook({ models: { large: { input: 10, output: 40 }, small: { input: 1, output: 40 }, free: { input: 0, output: 0 } } })).getDegradationChain('large')).toEqual(['large', 'small', 'free'])
    expect(priced({ embeds: 'embeds-small' }).getCheaperModel('embeds')).toBe('embeds-small')
    expect(priced({ large: 'unheard-of' }, book, true).getCheaperModel('large')).toBe('unheard-of')
  })

  it('names the next model down, or none', () => {
    const ladder = new Ladder({ large: ['medium', 'small'] })
    expect([ladder.getCheaperModel('large'), ladder.getCheaperModel('small'), ladder.getCheaperModel('other')]).toEqual(['medium', undefined, undefined])
  })

  it('says what a call saves below, exactly', () => {
    const ladder = priced({ large: 'small' }, plain)
    expect(ladder.estimateCostSavings('large', { inputTokens: 1_000, outputTokens: 500 })).toEqual({
      from: 'large',
      to: 'small',
      cost: 0.03,
      cheaperCost: 0.003,
      saved: 0.027,
      savedPct: 90,
      exact: { costMicrocents: 3_000_000, cheaperMicrocents: 300_000, savedMicrocents: 2_700_000 },
    })
    expect(ladder.estimateCostSavings('small', { inputTokens: 1, outputTokens: 1 })).toBeUndefined()
    expect(ladder.estimateCostSavings('large', { inputTokens: 0, outputTokens: 0 })).toMatchObject({ saved: 0, savedPct: 0 })
  })

  it('refuses to say what cannot be known', () => {
    expect(() => new Ladder({ large: 'small' }).estimateCostSavings('large', { inputTokens: 1, outputTokens: 1 })).toThrow('prices: are not configured')
    const ladder = priced({ large: 'small' }, plain)
    expect(() => ladder.estimateCostSavings('large', { inputTokens: -1, outputTokens: 1 })).toThrow('inputTokens: -1')
    expect(() => ladder.estimateCostSavings('small', { inputTokens: 1, outputTokens: 1 }, { to: 'large' })).toThrow('"large" does not stand below "small"')
  })
})
