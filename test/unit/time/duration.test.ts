import { describe, expect, it } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/errors.js'
import { formatDuration, parseDuration, type Duration } from '../../../src/time/index.js'

describe('parseDuration', () => {
  it.each([
    ['1ms', 1],
    ['500ms', 500],
    ['90s', 90_000],
    ['10m', 600_000],
    ['5h', 18_000_000],
    ['24h', 86_400_000],
    ['1d', 86_400_000],
    ['14d', 1_209_600_000],
    ['2w', 1_209_600_000],
    ['1.5h', 5_400_000],
    ['0.1s', 100],
    ['1.005s', 1005],
    ['1.10d', 95_040_000],
    [1, 1],
    [60_000, 60_000],
    ['36525d', 3_155_760_000_000],
  ] satisfies [Duration, number][])('reads %s as %d ms', (written, lengthMs) => {
    expect(parseDuration(written, 'rolling')).toBe(lengthMs)
  })

  it.each([
    [Number.NaN, 'NaN', 'positive'],
    [0, '0', 'positive'],
    ['0s', '"0s"', 'positive'],
    ['0.0d', '"0.0d"', 'positive'],
    [-1, '-1', 'positive'],
    [Number.NEGATIVE_INFINITY, '-Infinity', 'positive'],
    [Number.POSITIVE_INFINITY, 'Infinity', '100 years'],
    [1.5, '1.5', 'whole milliseconds'],
    [0.5, '0.5', 'whole milliseconds'],
    ['1.5ms', '"1.5ms"', 'whole milliseconds'],
    ['0.0001s', '"0.0001s"', 'whole milliseconds'],
    ['36526d', '"36526d"', '100 years'],
    ['999999999999999w', '"999999999999999w"', '100 years'],
    [3_155_760_000_001, '3155760000001', '100 years'],
    ['-5m', '"-5m"', 'not a duration'],
    ['5 m', '"5 m"', 'not a duration'],
    ['5M', '"5M"', 'not a duration'],
    ['5y', '"5y"', 'not a duration'],
    ['5', '"5"', 'not a duration'],
    ['1e3s', '"1e3s"', 'not a duration'],
    ['.5h', '".5h"', 'not a duration'],
    ['1h30m', '"1h30m"', 'not a duration'],
    ['', '""', 'not a duration'],
    [undefined, 'undefined', 'not a duration'],
    [null, 'null', 'not a duration'],
    [5n, '5', 'not a duration'],
    [{}, 'an object', 'not a duration'],
    [{ toString: 1 }, 'an object', 'not a duration'],
  ])('refuses %s, naming field, value and remedy', (value, shown, remedy) => {
    expect(() => parseDuration(value, 'budget.rolling')).toThrow(InvalidConfigError)
    expect(() => parseDuration(value, 'budget.rolling')).toThrow(`budget.rolling: ${shown} `)
    expect(() => parseDuration(value, 'budget.rolling')).toThrow(remedy)
  })
})

describe('formatDuration', () => {
  it.each([
    [1, '1ms'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [60_000, '1m'],
    [5_400_000, '90m'],
    [86_400_000, '1d'],
    [172_800_000, '2d'],
    [604_800_000, '1w'],
    [2_592_000_000, '30d'],
  ])('writes %d ms as %s, which reads back', (lengthMs, text) => {
    expect(formatDuration(lengthMs)).toBe(text)
    expect(parseDuration(text, 'field')).toBe(lengthMs)
  })

  it('refuses what is not a duration', () => {
    expect(() => formatDuration(Number.NaN)).toThrow(InvalidConfigError)
    expect(() => formatDuration(0)).toThrow('durationMs: 0')
  })
})
