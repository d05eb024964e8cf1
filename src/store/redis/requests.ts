// The contract's requests as messages to the scripts. What they hold is written in the heads of scripts/*.lua.

import { createHash } from 'node:crypto'
import { scopeKey, userScope } from '../../budget/index.js'
import { ceilingOf } from '../../enforcement/index.js'
import { modelOf, type ChargeFacts, type RecordRequest, type ReserveRequest, type ScopeTerms, type WindowTerms } from '../contract.js'
import { Packer } from './packing.js'
import { codeOf } from './window-codes.js'

const NO_FINGERPRINT = Buffer.alloc(16)
const GIVEN = 1
const CHARGED = 2
const DEGRADE = 4
const DEGRADE_BLOCKS = 8

/** Packs a reserve; `version` is that of the directory entry that it was made with. */
export function packReserve(to: Packer, request: ReserveRequest, version: number, now: number): Packer {
  const { id, fingerprint, idGiven, ttlMs, onExpiry, rungs, refusedRungs, degrade, degradeBlocks, facts, scopes } = request
  to.text16(id).bytes(digestOf(id, fingerprint)).u56(ttlMs)
  to.u8((idGiven ? GIVEN : 0) + (onExpiry === 'charge' ? CHARGED : 0) + (degrade === true ? DEGRADE : 0) + (degradeBlocks === true ? DEGRADE_BLOCKS : 0))
  to.u56(version)
  packFacts(to, facts)
  to.u8(rungs.length)
  rungs.forEach(({ microcents, tokens }, rung) => {
    to.u56(microcents).u56(tokens).u8(refusedRungs?.[rung] === true ? 1 : 0).textZ(withoutZeros(modelOf(facts, rung) ?? ''))
  })
  return packWindows(to, scopes, now)
}

/** Packs a record. */
export function packRecord(to: Packer, request: RecordRequest, version: number, now: number): Packer {
  const { id, fingerprint, idGiven, amounts, facts, scopes } = request
  to.text16(id).bytes(digestOf(id, fingerprint)).u8(idGiven ? GIVEN : 0).u56(version)
  packFacts(to, facts)
  to.textZ(withoutZeros(facts.model ?? '')).u56(amounts.microcents).u56(amounts.tokens)
  return packWindows(to, scopes, now)
}

/** 16 bytes for a fingerprint: zeros where it is the id itself, as it is for all that were generated. */
export function digestOf(id: string, fingerprint: string): Buffer {
  return fingerprint === id ? NO_FINGERPRINT : createHash('sha256').update(fingerprint).digest().subarray(0, 16)
}

const HAS_TIER = 1
const HAS_PROVIDER = 2
const HAS_MODEL = 4

function packFacts(to: Packer, facts: ChargeFacts): void {
  const bytes = factsBytes(facts)
  to.u32(bytes.length).bytes(bytes)
}

// s tier | s provider | s user key | B which of them (and the model) there are | s model | the rest as JSON
function factsBytes(facts: ChargeFacts): Buffer {
  const { user, tier, provider, model, cheaperModels, sessionId, metadata } = facts
  const isOdd = [tier, provider, model].some((text) => text?.includes('\0') === true)
  const rest = { ...(isOdd && { tier, provider, model }), cheaperModels, sessionId, metadata }
  const hasRest = isOdd || cheaperModels !== undefined || sessionId !== undefined || metadata !== undefined
  const has = (tier === undefined ? 0 : HAS_TIER) + (provider === undefined ? 0 : HAS_PROVIDER) + (model === undefined ? 0 : HAS_MODEL)
  const texts = [tier, provider, scopeKey(userScope(user))].map((text) => `${withoutZeros(text ?? '')}\0`).join('')
  return Buffer.concat([Buffer.from(texts), Buffer.of(has), Buffer.from(`${withoutZeros(model ?? '')}\0${hasRest ? JSON.stringify(rest) : ''}`)])
}

/** The facts of a hold, from what {@link packReserve} made of them. `parseUser` reads the key of a user's scope. */
export function unpackFacts(bytes: Buffer, parseUser: (key: string) => ChargeFacts['user']): ChargeFacts {
  let at = 0
  const textZ = (): string => {
    const end = bytes.indexOf(0, at)
    const text = bytes.toString('utf8', at, end)
    at = end + 1
    return text
  }
  const tier = textZ()
  const provider = textZ()
  const user = parseUser(textZ())
  const has = bytes[at++] ?? 0
  const model = has === 0 && at >= bytes.length ? '' : textZ()
  const rest = bytes.toString('utf8', at)
  return {
    user,
    tier: (has & HAS_TIER) !== 0 ? tier : undefined,
    provider: (has & HAS_PROVIDER) !== 0 ? provider : undefined,
    model: (has & HAS_MODEL) !== 0 ? model : undefined,
    ...(rest !== '' && (JSON.parse(rest) as Partial<ChargeFacts>)),
  }
}

function withoutZeros(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text
}

interface PackedWindows {
  readonly from: number
  readonly until: number
  readonly bytes: Buffer
}

const packedWindows = new WeakMap<readonly WindowTerms[], PackedWindows>()

/** Packs the windows of scopes, with the boundaries around `now`: the client's idea of store time. */
export function packWindows(to: Packer, scopes: readonly ScopeTerms[], now: number): Packer {
  to.u8(scopes.length)
  for (const { key, windows } of scopes) {
    let packed = packedWindows.get(windows)
    if (packed === undefined || now < packed.from || now >= packed.until) {
      packed = windowsBytes(windows, now)
      packedWindows.set(windows, packed)
    }
    to.text16(key).u8(windows.length).bytes(packed.bytes)
  }
  return to
}

function windowsBytes(windows: readonly WindowTerms[], now: number): PackedWindows {
  const packer = new Packer()
  let from = 0
  let until = Infinity
  for (const { window, source, limit, block, degrade, alerts } of windows) {
    const { code, lengthMs } = codeOf(window)
    packer.u8(code).u56(lengthMs).u56(limit === null ? 0 : limit + 1).u56(block.max).u56(block.pre)
    packer.u56(degrade === null ? 0 : degrade.max + 1).u56(degrade?.pre ?? 0)
    if (source.kind === 'rolling') {
      packer.u56(0).u56(0).u56(0).u56(0)
    } else {
      const [previous, running, next] = source.calendar.around(now)
      packer.u56(previous.startsAt).u56(running.startsAt).u56(running.endsAt).u56(next.endsAt)
      from = Math.max(from, running.startsAt)
      until = Math.min(until, running.endsAt)
    }
    packer.u8(alerts.length)
    for (const { thresholdPct, at } of alerts) {
      // The scripts work out the amount from the percentage themselves: it must be the same.
      if (limit === null || ceilingOf(limit, thresholdPct).pre !== at) throw new TypeError(`window "${window}": ${at} is not ${thresholdPct} % of ${String(limit)}`)
      packer.u16(Math.round(thresholdPct * 100))
    }
  }
  return { from, until, bytes: packer.take() }
}
