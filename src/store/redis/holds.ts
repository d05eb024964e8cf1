// A stored hold, read back: what it was placed in, what it says of its request, and how it stands. The layout is that of
// scripts/endings.lua.

import { parseScopeKey, parseUserKey } from '../../budget/index.js'
import type { Amounts } from '../../money/index.js'
import type { ChargeFacts, HoldState, PlacedScope } from '../contract.js'
import { Unpacker } from './packing.js'
import { unpackFacts } from './requests.js'
import { windowOfCode } from './window-codes.js'

const STATES: readonly HoldState[] = ['open', 'settled', 'released', 'expired']

/** A window instance in which a hold was placed. */
export interface Placement {
  readonly startsAt: number
  readonly endsAt: number
}

/** A hold as a script gives it. */
export interface StoredHold {
  readonly state: HoldState
  readonly dueAt: number
  /** The model that was decided, or that answered; empty for none. */
  readonly model: string
  readonly endedAt: number
  readonly corrections: number
  readonly openedAt: number
  readonly rung: number
  readonly degrade: boolean
  readonly held: Amounts
  readonly rungs: readonly Amounts[]
  readonly facts: ChargeFacts
  readonly scopes: readonly PlacedScope[]
  /** In the order of the scopes and their windows. */
  readonly placements: readonly Placement[]
  readonly readings: readonly number[]
}

/** Reads a hold that ends where the message ends. */
export function unpackHold(from: Unpacker): StoredHold {
  const state = STATES[from.u8()] as HoldState
  from.u8()
  const dueAt = from.u56()
  const model = from.textZ()
  let endedAt = 0
  let corrections = 0
  if (state !== 'open') {
    endedAt = from.u56()
    for (let skipped = 0; skipped < 5; skipped += 1) from.u56()
    corrections = from.u16()
  }
  const openedAt = from.u56()
  const rung = from.u8()
  const degrade = from.u8() === 1
  const held = { microcents: from.u56(), tokens: from.u56() }
  from.bytes(16)
  const facts = unpackFacts(from.bytes(from.u32()), userOf)
  const count = from.u8()
  const rungs = count === 0 ? [held] : Array.from({ length: count }, () => ({ microcents: from.u56(), tokens: from.u56() }))
  const readings: number[] = []
  const placements: Placement[] = []
  const scopes = Array.from({ length: from.u8() }, () => {
    const key = from.text16()
    const windows = Array.from({ length: from.u8() }, () => {
      const { window, unit } = windowOfCode(from.u8(), from.u56())
      const limit = from.u56()
      const startsAt = from.u56()
      const endsAt = from.u56()
      readings.push(startsAt, endsAt, from.u56(), from.u56())
      placements.push({ startsAt, endsAt })
      from.bytes(2 * from.u8())
      return { window, unit, limit: limit === 0 ? null : limit - 1 }
    })
    return { scope: parseScopeKey(key), key, windows }
  })
  return { state, dueAt, model, endedAt, corrections, openedAt, rung, degrade, held, rungs, facts, scopes, placements, readings }
}

/** The user of a key; a tombstone has none. */
export function userOf(key: string): ChargeFacts['user'] {
  return parseUserKey(key) ?? { userId: '' }
}
