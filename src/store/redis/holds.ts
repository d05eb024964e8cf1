// A stored hold, read back: what it was placed in, what it says of its request, and how it stands. The layout is that of
// scripts/endings.lua.

import { parseScopeKey, parseUserKey } from '../../budget/index.js'
import type { Amounts } from '../../money/index.js'
import type { ChargeFacts, HoldState, PlacedScope } from '../contract.js'
import { Unpacker } from './packing.js'
import { unpackFacts } from './requests.js'
import { FIRST_ROLLING, windowOfCode } from './window-codes.js'

const OTHER_MODEL = 16
const OTHER_PROVIDER = 32
const MARK_BYTES = 4
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
  /** Whose model that was; that of the request, where nothing else was said. */
  readonly provider: string | undefined
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
  const flags = from.u8()
  const dueAt = from.u56()
  const ownModel = (flags & OTHER_MODEL) === 0 ? undefined : from.textZ()
  const ownProvider = (flags & OTHER_PROVIDER) === 0 ? undefined : from.textZ()
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
  from.bytes(8)
  const facts = unpackFacts(from.bytes(from.u32()), userOf)
  const count = from.u8()
  const rungs = count === 0 ? [held] : Array.from({ length: count }, () => ({ microcents: from.u56(), tokens: from.u56() }))
  from.u16()
  const scopes = Array.from({ length: from.u8() }, () => unpackScope(from))
  const readings = readingsIn(from, scopes.map(({ windows }) => windows.length))
  const placements = scopes.flatMap(({ windows }) => windows).map((_, index) => ({ startsAt: readings[4 * index] as number, endsAt: readings[4 * index + 1] as number }))
  const model = ownModel ?? facts.model ?? ''
  const provider = ownProvider ?? facts.provider
  return { state, dueAt, model, provider, endedAt, corrections, openedAt, rung, degrade, held, rungs, facts, scopes, placements, readings }
}

function unpackScope(from: Unpacker): PlacedScope {
  const key = from.text16()
  const codes = Array.from({ length: from.u8() }, () => 0).map(() => from.u8())
  const limits = codes.map(() => from.u56())
  from.bytes(MARK_BYTES * codes.length)
  const windows = codes.map((code, index) => {
    const { window, unit } = windowOfCode(code, code >= FIRST_ROLLING ? from.u56() : 0)
    const limit = limits[index] as number
    return { window, unit, limit: limit === 0 ? null : limit - 1 }
  })
  for (let index = 0; index < codes.length; index += 1) from.bytes(2 * from.u8())
  return { scope: parseScopeKey(key), key, windows }
}

/** Readings as the contract has them, from columns: scope by scope held, spent, startsAt and endsAt of its windows. */
export function readingsIn(from: Unpacker, windowsOfScopes: readonly number[]): number[] {
  const readings: number[] = []
  for (const count of windowsOfScopes) {
    const base = readings.length
    readings.length += 4 * count
    for (const column of [3, 2, 0, 1]) for (let window = 0; window < count; window += 1) readings[base + 4 * window + column] = from.u56()
  }
  return readings
}

/** The user of a key; a tombstone has none. */
export function userOf(key: string): ChargeFacts['user'] {
  return parseUserKey(key) ?? { userId: '' }
}
