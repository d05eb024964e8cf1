// What is packed is read back unchanged, whatever the numbers and texts, and however much of it there is.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Packer, Unpacker } from '../../../../src/store/redis/packing.js'
import { codeOf, FIRST_ROLLING, windowOfCode } from '../../../../src/store/redis/window-codes.js'
import { assertProperty } from '../../../support/property.js'

const RUNS = 300
const u56 = fc.oneof(fc.maxSafeNat(), fc.constantFrom(0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 48, 2 ** 53 - 1, 2 ** 53))
const i64 = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, 2 ** 53 - 1, 1 - 2 ** 53, -(2 ** 32), 2 ** 32, -(2 ** 32) - 1))
const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'é', '大型', '𝒳', 'a/b//c', '👩‍👩‍👧'))
const textZ = text.map((value) => value.replaceAll('\0', ''))

type Part = readonly [write: (to: Packer) => Packer, read: (from: Unpacker) => unknown, value: unknown]
const parts: fc.Arbitrary<Part> = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((value): Part => [(to) => to.u8(value), (from) => from.u8(), value]),
  fc.integer({ min: 0, max: 0xffff }).map((value): Part => [(to) => to.u16(value), (from) => from.u16(), value]),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map((value): Part => [(to) => to.u32(value), (from) => from.u32(), value]),
  u56.map((value): Part => [(to) => to.u56(value), (from) => from.u56(), value]),
  i64.map((value): Part => [(to) => to.i64(value), (from) => from.i64(), value]),
  text.map((value): Part => [(to) => to.text16(value), (from) => from.text16(), value]),
  textZ.map((value): Part => [(to) => to.textZ(value), (from) => from.textZ(), value]),
  fc.uint8Array({ maxLength: 6_000 }).map((value): Part => [(to) => to.bytes(value), (from) => Buffer.from(from.bytes(value.length)), Buffer.from(value)]),
)

describe('a message', () => {
  it('is read as it was written', async () => {
    const packer = new Packer()
    const property = fc.asyncProperty(fc.array(parts, { maxLength: 30 }), async (message) => {
      packer.begin()
      for (const [write] of message) write(packer)
      const unpacker = new Unpacker(packer.take())
      for (const [, read, value] of message) expect(read(unpacker)).toEqual(value)
      expect(unpacker.isDone).toBe(true)
    })
    await assertProperty('a message is read as it was written', property, RUNS)
  })

  it('keeps what was written before it outgrew its room, many times over', () => {
    const packer = new Packer()
    const numbers = Array.from({ length: 20_000 }, (_, index) => 2 ** 53 - 1 - index * 2 ** 33)
    for (const number of numbers) packer.u56(number)
    packer.text16('é'.repeat(20_000)).textZ('大'.repeat(200_000))
    const unpacker = new Unpacker(packer.take())
    expect(numbers.map(() => unpacker.u56())).toEqual(numbers)
    expect(unpacker.text16()).toBe('é'.repeat(20_000))
    expect(unpacker.textZ()).toBe('大'.repeat(200_000))
    expect(unpacker.isDone).toBe(true)
  })

  it('has bytes of its own: the next one does not touch them', () => {
    const packer = new Packer()
    const first = packer.u56(7).textZ('first').take()
    packer.u56(9).textZ('other').take()
    expect(first).toEqual(Buffer.concat([Buffer.of(7, 0, 0, 0, 0, 0, 0), Buffer.from('first\0')]))
  })

  it('begins anew after one that was given up half way', () => {
    const packer = new Packer()
    packer.u56(1).textZ('given up')
    expect(packer.begin().u8(5).take()).toEqual(Buffer.of(5))
  })

  it('refuses a text that is too long for its length', () => {
    expect(() => new Packer().text16('x'.repeat(65_536))).toThrow(RangeError)
    expect(() => new Packer().text16('é'.repeat(32_768))).toThrow(RangeError)
    expect(new Unpacker(new Packer().text16('x'.repeat(65_535)).take()).text16()).toHaveLength(65_535)
  })

  it('lays numbers out as Lua reads them: little-endian, the sign in the highest bit', () => {
    expect(new Packer().u16(0x0102).take()).toEqual(Buffer.of(2, 1))
    expect(new Packer().u32(0x01020304).take()).toEqual(Buffer.of(4, 3, 2, 1))
    expect(new Packer().u56(2 ** 53 - 1).take()).toEqual(Buffer.of(255, 255, 255, 255, 255, 255, 31))
    expect(new Packer().i64(-1).take()).toEqual(Buffer.alloc(8, 255))
    expect(new Packer().i64(1 - 2 ** 53).take()).toEqual(Buffer.of(1, 0, 0, 0, 0, 0, 0xe0, 0xff))
  })
})

describe('the code of a window', () => {
  const names = fc.oneof(
    fc.tuple(fc.constantFrom('daily', 'weekly', 'monthly', 'total'), fc.constantFrom('usd', 'tokens', 'requests')).map(([period, unit]) => `${period}/${unit}`),
    fc.tuple(fc.integer({ min: 1, max: 400 * 86_400_000 }), fc.constantFrom('usd', 'tokens', 'requests')).map(([length, unit]) => `rolling:${length}/${unit}`),
  )

  it('gives the window back, and is the same for no other', async () => {
    const property = fc.asyncProperty(names, names, async (one, other) => {
      const { code, lengthMs } = codeOf(one)
      expect(windowOfCode(code, lengthMs)).toEqual({ window: one, unit: one.split('/')[1] })
      expect(code >= FIRST_ROLLING).toBe(one.startsWith('rolling:'))
      if (one !== other) expect(codeOf(other)).not.toEqual({ code, lengthMs })
    })
    await assertProperty('the code of a window gives it back', property, RUNS)
  })

  it('never changes: it is stored', () => {
    expect(['daily/usd', 'daily/requests', 'weekly/tokens', 'monthly/usd', 'total/tokens', 'rolling:60000/requests'].map((window) => codeOf(window).code)).toEqual([0, 2, 5, 8, 13, 18])
  })

  it.each(['hourly/usd', 'daily', 'daily/eur', 'rolling:/usd', 'rolling:1m/usd', '', '/'])('refuses "%s"', (window) => {
    expect(() => codeOf(window)).toThrow(TypeError)
  })
})
