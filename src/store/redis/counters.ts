// The counters of a scope, read from where they are kept. The layout is that of scripts/common.lua.

import type { CountedWindow } from '../auditing.js'
import { Unpacker } from './packing.js'
import { windowOfCode } from './window-codes.js'

const RING = 21
const PERCENTAGE_BYTES = 2
const MARK_BYTES = 4

/** What a scope counts. */
export interface Counters {
  readonly microcents: number
  readonly entries: number
  /** The tier of the last request; undefined where it had none. */
  readonly tier: string | undefined
  /** With the buckets of rolling windows that still count something at an instant. */
  windowsAt(now: number): CountedWindow[]
}

/** Reads a scope's counters. */
export function unpackCounters(value: Buffer): Counters {
  const from = new Unpacker(value)
  const count = from.u8()
  from.u32()
  const column = (): number[] => Array.from({ length: count }, () => from.u56())
  const held = column()
  const spent = column()
  from.u56()
  from.u56()
  const codes = Array.from({ length: count }, () => 0).map(() => from.u8())
  const tier = from.textZ()
  const starts = column()
  column()
  const microcents = from.u56()
  const entries = from.u56()
  column()
  from.bytes(MARK_BYTES * count)
  column()
  from.bytes(PERCENTAGE_BYTES * count)
  const rollingAt = from.at
  return {
    microcents,
    entries,
    tier: tier === '' ? undefined : tier,
    windowsAt(now) {
      const windows = codes.map((code, index): CountedWindow => {
        return { ...windowOfCode(code, 0), held: held[index] as number, spent: [{ startsAt: starts[index] as number, amount: spent[index] as number }] }
      })
      for (const rolling = new Unpacker(value, rollingAt); !rolling.isDone; ) windows.push(unpackRolling(rolling, now))
      return windows
    },
  }
}

function unpackRolling(from: Unpacker, now: number): CountedWindow {
  const code = from.u8()
  const lengthMs = from.u56()
  from.u56()
  const newest = from.u56() - 1
  const held = from.u56()
  from.u16()
  from.u56()
  const ring = Array.from({ length: RING }, () => from.u56())
  const bucketMs = Math.ceil(lengthMs / (RING - 1))
  const spent: { startsAt: number; amount: number }[] = []
  for (let bucket = Math.max(0, newest - RING + 1, Math.floor(now / bucketMs) - RING + 1); bucket <= newest; bucket += 1) {
    const amount = ring[bucket % RING] as number
    if (amount > 0) spent.push({ startsAt: bucket * bucketMs, amount })
  }
  return { ...windowOfCode(code, lengthMs), held, spent }
}
