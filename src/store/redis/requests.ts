// The contract's requests as messages to the scripts. What they hold is written in the heads of scripts/*.lua.

import { createHash } from 'node:crypto'
import { scopeKey, userScope } from '../../budget/index.js'
import { ceilingOf } from '../../enforcement/index.js'
import type { CostDetails } from '../../ledger/index.js'
import { amountIn, type Amounts } from '../../money/index.js'
import { modelOf, type ChargeFacts, type RecordRequest, type ReserveRequest, type ScopeTerms, type SettleRequest, type WindowTerms } from '../contract.js'
import { Packer } from './packing.js'
import { codeOf } from './window-codes.js'

const NO_FINGERPRINT = Buffer.alloc(8)
const NOTHING_HELD: Amounts = Object.freeze({ microcents: 0, tokens: 0 })
const GIVEN = 1
const CHARGED = 2
const DEGRADE = 4
const DEGRADE_BLOCKS = 8
const PLAIN = 16

/** Packs a reserve; `version` is that of the directory entry that it was made with. */
export function packReserve(to: Packer, request: ReserveRequest, version: number, now: number): Packer {
  const { id, fingerprint, idGiven, ttlMs, onExpiry, rungs, refusedRungs, degrade, degradeBlocks, scopes, facts } = request
  const windows = scopes.map((scope) => windowsOf(scope, now))
  const first = rungs[0] as Amounts
  const isPlain = refusedRungs?.[0] !== true && scopes[0]?.key === scopeKey(userScope(facts.user)) && windows.every(({ isPlain: plain }) => plain)
  to.u56(ttlMs)
  to.u8((idGiven ? GIVEN : 0) + (onExpiry === 'charge' ? CHARGED : 0) + (degrade === true ? DEGRADE : 0) + (degradeBlocks === true ? DEGRADE_BLOCKS : 0) + (isPlain ? PLAIN : 0))
  to.u56(version).bytes(digestOf(id, fingerprint)).text16(id)
  packKept(to, facts, rungs, scopes, windows)
  to.u56(first.microcents).u56(first.tokens).u8(scopes.length)
  if (isPlain) scopes.forEach((scope, index) => packPlain(to, scope, windows[index] as PackedWindows, first))
  to.u8(rungs.length)
  rungs.forEach(({ microcents, tokens }, rung) => {
    to.u56(microcents).u56(tokens).u8(refusedRungs?.[rung] === true ? 1 : 0).textZ(withoutZeros(modelOf(facts, rung) ?? ''))
  })
  return packScopes(to, scopes, windows)
}

/** Packs a settle. */
export function packSettle(to: Packer, { id, microcents, tokens, model = '', provider = '', details }: SettleRequest): Packer {
  to.text16(id).u56(microcents).u56(tokens === undefined ? 0 : tokens + 1).textZ(withoutZeros(model)).textZ(withoutZeros(provider))
  return packDetails(to, details)
}

/** Packs a record. */
export function packRecord(to: Packer, request: RecordRequest, version: number, now: number): Packer {
  const { id, fingerprint, idGiven, amounts, facts, scopes, details } = request
  const windows = scopes.map((scope) => windowsOf(scope, now))
  to.text16(id).bytes(digestOf(id, fingerprint)).u8(idGiven ? GIVEN : 0).u56(version).u56(amounts.microcents).u56(amounts.tokens)
  packDetails(packKept(to, facts, [NOTHING_HELD], scopes, windows), details)
  return packScopes(to, scopes, windows)
}

/** What a hold keeps from its facts to its placements, with its length before it. */
function packKept(to: Packer, facts: ChargeFacts, rungs: readonly Amounts[], scopes: readonly ScopeTerms[], windows: readonly PackedWindows[]): Packer {
  return to.sized32(() => {
    to.sized32(() => packFacts(to, facts))
    to.u8(rungs.length > 1 ? rungs.length : 0)
    if (rungs.length > 1) for (const { microcents, tokens } of rungs) to.u56(microcents).u56(tokens)
    to.sized16(() => {
      to.u8(scopes.length)
      scopes.forEach(({ key }, index) => to.text16(key).bytes((windows[index] as PackedWindows).placed))
    })
  })
}

/** As one JSON text, which the scripts pass on as it is. */
function packDetails(to: Packer, details: CostDetails | undefined): Packer {
  return to.sized32(() => details && to.text(JSON.stringify(details)))
}

/** The least use of each window at which these amounts would hit a threshold: `e > max − used or used >= pre` (DESIGN 3.2), solved for it. */
function packPlain(to: Packer, { key, windows }: ScopeTerms, { codes }: PackedWindows, amounts: Amounts): void {
  to.text16(key).u8(codes.length).bytes(codes)
  for (const { unit, block, degrade } of windows) {
    const amount = amountIn(unit, amounts)
    const least = Math.min(block.max - amount + 1, block.pre, degrade === null ? Infinity : degrade.max - amount + 1, degrade?.pre ?? Infinity)
    to.u56(Math.max(0, least))
  }
}

/** Packs the windows of scopes, with the boundaries around `now`: the client's idea of store time. */
export function packWindows(to: Packer, scopes: readonly ScopeTerms[], now: number): Packer {
  return packScopes(to, scopes, scopes.map((scope) => windowsOf(scope, now)))
}

/** 8 bytes for a fingerprint: zeros where it is the id itself, as it is for all that were generated. */
export function digestOf(id: string, fingerprint: string): Buffer {
  return fingerprint === id ? NO_FINGERPRINT : createHash('sha256').update(fingerprint).digest().subarray(0, 8)
}

const HAS_TIER = 1
const HAS_PROVIDER = 2
const HAS_MODEL = 4

// s tier | s provider | s user key | B which of them (and the model) there are | s model | the rest as JSON
function packFacts(to: Packer, facts: ChargeFacts): void {
  const { user, tier, provider, model, cheaperModels, sessionId, scopes, metadata } = facts
  to.textZ(withoutZeros(tier ?? '')).textZ(withoutZeros(provider ?? '')).textZ(scopeKey(userScope(user)))
  to.u8((tier === undefined ? 0 : HAS_TIER) + (provider === undefined ? 0 : HAS_PROVIDER) + (model === undefined ? 0 : HAS_MODEL)).textZ(withoutZeros(model ?? ''))
  const isOdd = tier?.includes('\0') === true || provider?.includes('\0') === true || model?.includes('\0') === true
  if (!isOdd && cheaperModels === undefined && sessionId === undefined && scopes === undefined && metadata === undefined) return
  to.text(JSON.stringify({ ...(isOdd && { tier, provider, model }), cheaperModels, sessionId, scopes, metadata }))
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
  const model = textZ()
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

/** The windows of a scope in the ways in which scripts read them; only the first changes with time. */
interface PackedWindows {
  readonly from: number
  readonly until: number
  /** B count, and all that there is to say of each. */
  readonly whole: Buffer
  /** B count, codes, limits, lengths and alerts: what a hold remembers. */
  readonly placed: Buffer
  readonly codes: Buffer
  /** They are a calendar's, of money and tokens alone. */
  readonly isPlain: boolean
}

const packedWindows = new WeakMap<readonly WindowTerms[], PackedWindows>()

function windowsOf({ windows }: ScopeTerms, now: number): PackedWindows {
  let packed = packedWindows.get(windows)
  if (packed === undefined || now < packed.from || now >= packed.until) {
    packed = packedAt(windows, now)
    packedWindows.set(windows, packed)
  }
  return packed
}

function packScopes(to: Packer, scopes: readonly ScopeTerms[], windows: readonly PackedWindows[]): Packer {
  to.u8(scopes.length)
  scopes.forEach(({ key }, index) => to.text16(key).bytes((windows[index] as PackedWindows).whole))
  return to
}

function packedAt(windows: readonly WindowTerms[], now: number): PackedWindows {
  let from = 0
  let until = Infinity
  const whole = new Packer().u8(windows.length)
  for (const { window, source, limit, block, degrade, alerts } of windows) {
    const { code, lengthMs } = codeOf(window)
    whole.u8(code).u56(lengthMs).u56(limit === null ? 0 : limit + 1).u56(block.max).u56(block.pre)
    whole.u56(degrade === null ? 0 : degrade.max + 1).u56(degrade?.pre ?? 0)
    if (source.kind === 'rolling') {
      whole.u56(0).u56(0).u56(0).u56(0)
    } else {
      const [previous, running, next] = source.calendar.around(now)
      whole.u56(previous.startsAt).u56(running.startsAt).u56(running.endsAt).u56(next.endsAt)
      from = Math.max(from, running.startsAt)
      until = Math.min(until, running.endsAt)
    }
    packAlerts(whole.u32(markOf(alerts)), window, limit, alerts)
  }
  const codes = Buffer.from(windows.map(({ window }) => codeOf(window).code))
  const isPlain = windows.every(({ source, unit }) => source.kind === 'calendar' && unit !== 'requests')
  return { from, until, whole: whole.take(), placed: placedWindows(windows, codes), codes, isPlain }
}

function placedWindows(windows: readonly WindowTerms[], codes: Buffer): Buffer {
  const placed = new Packer().u8(windows.length).bytes(codes)
  for (const { limit } of windows) placed.u56(limit === null ? 0 : limit + 1)
  for (const { alerts } of windows) placed.u32(markOf(alerts))
  for (const { window, source } of windows) if (source.kind === 'rolling') placed.u56(codeOf(window).lengthMs)
  for (const { window, limit, alerts } of windows) packAlerts(placed, window, limit, alerts)
  return placed.take()
}

/** Tells lists of percentages apart (FNV-1a); 0 for an empty one. */
function markOf(alerts: WindowTerms['alerts']): number {
  return alerts.reduce((hash, { thresholdPct }) => Math.imul(hash ^ Math.round(thresholdPct * 100), 0x01000193) >>> 0, alerts.length === 0 ? 0 : 0x811c9dc5)
}

function packAlerts(to: Packer, window: string, limit: number | null, alerts: WindowTerms['alerts']): void {
  to.u8(alerts.length)
  for (const { thresholdPct, at } of alerts) {
    // The scripts work out the amount from the percentage themselves: it must be the same.
    if (limit === null || ceilingOf(limit, thresholdPct).pre !== at) throw new TypeError(`window "${window}": ${at} is not ${thresholdPct} % of ${String(limit)}`)
    to.u16(Math.round(thresholdPct * 100))
  }
}
