import { describe, expect, it } from 'vitest'
import { show, showCount, showPct, toJson } from '../../../src/cli/amounts.js'
import { listOf, tableOf } from '../../../src/cli/table.js'
import { visible } from '../../../src/cli/visible.js'

describe('tables', () => {
  it('aligns columns, numbers to the right, and cuts nothing off', () => {
    const long = 'x'.repeat(300)
    expect(tableOf([{ head: 'name' }, { head: 'cost', number: true }, { head: 'rest' }], [['a', '1', long], ['bcdef', '1000', undefined]])).toBe(`name   cost  rest\na         1  ${long}\nbcdef  1000  –\n`)
  })

  it('keeps wide characters in their columns', () => {
    const [first, second] = tableOf([{ head: 'name' }, { head: 'n', number: true }], [['日本', '1'], ['abcd', '2']]).split('\n').slice(1)
    expect([first, second]).toEqual(['日本  1', 'abcd  2'])
  })

  it('writes out what would move the cursor, colour the line or turn it around', () => {
    expect(tableOf([{ head: 'name' }], [['\u001b[31mred\u0007\u009b\n\r\t\u202eevil\ud800']])).toBe('name\n\\u001b[31mred\\u0007\\u009b\\n\\r\\t\\u202eevil\\ud800\n')
    expect(listOf([['user', 'a\u001b]0;title\u0007'], ['none', undefined]])).toBe('user  a\\u001b]0;title\\u0007\n')
  })

  it('leaves visible text alone', () => {
    const text = "Zoë 🦊 (日本) 'quoted' \"twice\" — naïve"
    expect(visible(text)).toBe(text)
  })

  it('is bold only where it is told', () => {
    expect(tableOf([{ head: 'a' }], [['b']], true)).toBe('\u001b[1ma\u001b[22m\nb\n')
    expect(tableOf([{ head: 'a' }], [['b']])).not.toContain('\u001b')
  })
})

describe('amounts', () => {
  it('shows money exactly, beyond what a number can hold', () => {
    expect(show(1)).toBe('$0.00000001')
    expect(show(123_456_789_000_000n)).toBe('$1,234,567.89')
    expect(show(9_007_199_254_740_993_000_001n)).toBe('$90,071,992,547,409.93000001')
    expect(show(-5_000_000)).toBe('−$0.05')
    expect(show(null)).toBeUndefined()
  })

  it('shows counts with their groups', () => {
    expect([showCount(0), showCount(1_234_567), show(12_345, 'tokens')]).toEqual(['0', '1,234,567', '12,345'])
  })

  it('gives programs exact decimal strings for money, and numbers for counts', () => {
    expect([toJson(10_000_000, 'usd'), toJson(5, 'tokens'), toJson(null, 'usd')]).toEqual(['0.10', 5, null])
  })

  it.each([[0, '0 %'], [12.34, '12.3 %'], [99.99, '99.9 %'], [100, '100 %'], [250.5, '251 %'], [100.01, '101 %'], [12_345, '12,345 %']])('shows %d percent as %s', (percent, text) => {
    expect(showPct(percent)).toBe(text)
  })
})
