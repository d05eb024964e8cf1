// What stands in the outbox, as ledger entries and alerts. The layout is that of scripts/endings.lua.

import { parseScopeKey } from '../../budget/index.js'
import type { ChargedWindow, CostDetails, LedgerEntry, LedgerKind, LedgerRung } from '../../ledger/index.js'
import { modelOf, type Effect } from '../contract.js'
import { userOf, unpackHold, type StoredHold } from './holds.js'
import { Unpacker } from './packing.js'
import { unpackFacts } from './requests.js'
import { windowOfCode } from './window-codes.js'

const KINDS: readonly LedgerKind[] = ['settled', 'settled', 'released', 'expired', 'recorded', 'corrected', 'released']
const UNCOUNTED = 6

/** The first byte of what is in the outbox: an entry as a script writes it, an alert, or an entry as JSON. */
const ENTRY = 0x65
const ALERT = 0x61
const JSON_ENTRY = 0x6a

/** The ledger entry of an item of the outbox, with the details of its cost where it has any (JSON); `undefined` for an alert. */
export function unpackEntry(item: Buffer, details?: Buffer): LedgerEntry | undefined {
  if (item[0] === JSON_ENTRY) return Object.freeze(JSON.parse(item.toString('utf8', 1)) as LedgerEntry)
  if (item[0] !== ENTRY) return undefined
  const from = new Unpacker(item, 1)
  const kind = from.u8()
  const at = from.u56()
  const microcents = from.i64()
  const tokens = from.i64()
  const microcentsAt = from.u56()
  const tokensAt = from.u56()
  const reason = from.text16()
  const id = from.text16()
  const hold = unpackHold(from)
  const { facts, held, openedAt, corrections } = hold
  const name = KINDS[kind] as LedgerKind
  return Object.freeze({
    id: `${id}:${name}${name === 'corrected' ? `:${corrections}` : ''}`,
    kind: name,
    at,
    decisionId: id,
    tenant: facts.user.tenant,
    userId: facts.user.userId,
    tier: facts.tier,
    sessionId: facts.sessionId,
    scopes: facts.scopes,
    provider: hold.provider,
    requestedModel: facts.model,
    model: hold.model === '' ? undefined : hold.model,
    microcents,
    tokens,
    estimatedMicrocents: held.microcents,
    estimatedTokens: held.tokens,
    rungs: rungsOf(hold),
    openedAt,
    charged: chargedBy(hold, microcentsAt, tokensAt, kind === UNCOUNTED),
    reason: reason === '' ? undefined : reason,
    details: details === undefined ? undefined : (JSON.parse(details.toString()) as CostDetails),
    metadata: facts.metadata,
  })
}

/** The alert of an item of the outbox; `undefined` for an entry. */
export function unpackAlert(item: Buffer): Extract<Effect, { kind: 'threshold' }> | undefined {
  const effect = item[0] === ALERT ? unpackEffect(item) : undefined
  return effect?.kind === 'threshold' ? effect : undefined
}

/** Packs an entry that no hold stands behind. */
export function packJsonEntry(entry: LedgerEntry): Buffer {
  return Buffer.from(`${String.fromCharCode(JSON_ENTRY)}${JSON.stringify(entry)}`)
}

/** The windows of a hold with the instances that it was placed in; a rolling one's instant says which bucket was charged. */
export function chargedBy({ scopes, placements, openedAt }: StoredHold, microcentsAt: number, tokensAt: number, isUncounted: boolean): ChargedWindow[] {
  const charged: ChargedWindow[] = []
  let index = 0
  for (const { scope, windows } of scopes) {
    for (const { window, unit } of windows) {
      const placed = placements[index]
      index += 1
      if (isUncounted && unit === 'requests') continue
      const countedAt = unit === 'usd' ? microcentsAt : unit === 'tokens' ? tokensAt : openedAt
      charged.push({ scope, window, startsAt: window.startsWith('rolling:') ? countedAt : (placed?.startsAt ?? 0) })
    }
  }
  return charged
}

function rungsOf({ rungs, facts }: StoredHold): LedgerRung[] | undefined {
  return rungs.length > 1 ? rungs.map(({ microcents, tokens }, rung) => ({ model: modelOf(facts, rung), microcents, tokens })) : undefined
}

/** Reads an effect that a script reports: a hold that expired, an alert, or a window that began anew. */
export function unpackEffect(item: Buffer): Effect {
  const from = new Unpacker(item, 1)
  switch (String.fromCharCode(item[0] as number)) {
    case 'x': {
      const dueAt = from.u56()
      const charged = { microcents: from.u56(), tokens: from.u56() }
      const id = from.text16()
      return { kind: 'hold-expired', id, dueAt, charged, facts: unpackFacts(from.rest(), userOf) }
    }
    case 'w': {
      const { window } = windowOfCode(from.u8(), 0)
      const startsAt = from.u56()
      const endsAt = from.u56()
      return { kind: 'window-reset', scope: parseScopeKey(from.rest().toString()), window, startsAt, endsAt }
    }
    default: {
      const { window, unit } = windowOfCode(from.u8(), from.u56())
      const thresholdPct = from.u16() / 100
      const limit = from.u56()
      const limitSeen = from.u56()
      const spent = from.u56()
      const startsAt = from.u56()
      const endsAt = from.u56()
      const key = from.rest().toString()
      const alertId = `${key}:${window}:${startsAt}:${limitSeen}:${thresholdPct}`
      return { kind: 'threshold', alertId, scope: parseScopeKey(key), window, unit, thresholdPct, limit, spent, startsAt, endsAt }
    }
  }
}
