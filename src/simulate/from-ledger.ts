// Ledger entries as what happened: an entry that ends a hold tells of the whole request, from its opening on. A ledger is in the order of
// endings; here it is put in the order of openings, in bounded memory.

import { InvalidRowError } from '../errors/index.js'
import { ASSIGNED, type LedgerEntry, type LedgerRung } from '../ledger/index.js'
import { formatDuration } from '../time/index.js'
import { Heap } from './heap.js'
import { compareCalls, type LoggedCall, type LoggedRequest } from './logged-call.js'

/** The reason of entries that a repair of the books wrote: the store's, and not what anybody did. */
const REPAIRED = 'audit'

/** What an entry tells; `undefined` where it is bookkeeping that no request would have felt. */
export function callOf(entry: LedgerEntry, row: number): LoggedCall | undefined {
  const { kind, at, reason } = entry
  if (kind === 'recorded' || kind === 'configured') return { kind, row, at, order: row, opensLast: false, entry }
  if (kind === 'corrected') return reason === ASSIGNED || reason === REPAIRED ? undefined : { kind, row, at, order: row, opensLast: false, entry }
  const { userId, tenant, tier, sessionId, scopes, provider, requestedModel, metadata, estimatedMicrocents, estimatedTokens, rungs, details, decisionId } = entry
  const isDenied = kind === 'denied'
  const openedAt = isDenied ? at : (entry.openedAt ?? at)
  const decidedModel = isDenied ? undefined : decidedOf(entry)
  return {
    kind: 'request',
    row,
    at: openedAt,
    order: row,
    opensLast: openedAt < at,
    id: decisionId,
    userId,
    tenant,
    tier,
    sessionId,
    scopes,
    provider,
    model: requestedModel,
    metadata,
    inputTokens: undefined,
    maxOutputTokens: undefined,
    estimatedMicrocents: estimatedMicrocents ?? (isDenied ? 0 : entry.microcents),
    estimatedTokens: estimatedTokens ?? (isDenied ? 0 : entry.tokens),
    rungs,
    action: isDenied ? 'BLOCK' : details?.action,
    decidedModel,
    answeredModel: entry.model === decidedModel ? undefined : entry.model,
    ending: isDenied ? undefined : kind,
    endedAt: at,
    microcents: isDenied ? undefined : entry.microcents,
    tokens: isDenied ? undefined : entry.tokens,
    usage: details?.usage,
    windowsSince: windowsSinceOf(entry),
  } satisfies LoggedRequest
}

/** When the first of the windows began that an entry was charged to; `undefined` where it does not say. */
export function windowsSinceOf({ charged }: Pick<LedgerEntry, 'charged'>): number | undefined {
  return charged.length === 0 ? undefined : charged.reduce((first, { startsAt }) => Math.min(first, startsAt), Infinity)
}

/** The model that was decided on: its estimate is what was held. */
function decidedOf({ rungs, requestedModel, model, estimatedMicrocents, estimatedTokens }: LedgerEntry): string | undefined {
  if (rungs === undefined) return requestedModel
  const isHeld = (rung: LedgerRung): boolean => rung.microcents === estimatedMicrocents && (estimatedTokens === undefined || rung.tokens === estimatedTokens)
  const held = rungs.filter(isHeld)
  const named = (held.length === 0 ? rungs : held).find((rung) => rung.model === model)
  return (named ?? held[0] ?? rungs[0])?.model
}

/**
 * Puts what batches tell in the order of {@link compareCalls}, looking ahead so far in time. What comes later than that is given to `late`
 * and left out where that does not throw.
 */
export async function* inOrder(batches: AsyncIterable<readonly LoggedCall[]>, lookAheadMs: number, late: (error: InvalidRowError) => void): AsyncIterable<LoggedCall[]> {
  const waiting = new Heap<LoggedCall>(compareCalls)
  let writtenAt = -Infinity
  let last: LoggedCall | undefined
  for await (const batch of batches) {
    const ready: LoggedCall[] = []
    for (const call of batch) {
      if (last !== undefined && compareCalls(call, last) < 0) {
        late(tooLate(call, last, lookAheadMs))
        continue
      }
      waiting.push(call)
      // A change of configuration is written without asking the store: holds that expired long before may be written after it.
      if (call.kind !== 'configured') writtenAt = Math.max(writtenAt, call.kind === 'request' ? call.endedAt : call.at)
      while ((waiting.first as LoggedCall | undefined) !== undefined && (waiting.first as LoggedCall).at < writtenAt - lookAheadMs) ready.push((last = waiting.pop() as LoggedCall))
    }
    if (ready.length > 0) yield ready
  }
  const rest: LoggedCall[] = []
  for (let call = waiting.pop(); call !== undefined; call = waiting.pop()) rest.push(call)
  if (rest.length > 0) yield rest
}

function tooLate(call: LoggedCall, last: LoggedCall, lookAheadMs: number): InvalidRowError {
  const backMs = Math.max(1, last.at - call.at)
  const what = call.kind === 'request' && call.endedAt > call.at ? `was opened at ${iso(call.at)} and held for ${formatDuration(call.endedAt - call.at)}` : `is of ${iso(call.at)}`
  return new InvalidRowError(call.row, `time: ${what}, and row ${last.row} of ${iso(last.at)} was replayed before it. Rows may be out of order, and holds may last, for as long as lookAhead (${lookAheadMs === 0 ? 'none' : formatDuration(lookAheadMs)}): give at least ${formatDuration(lookAheadMs + backMs)}, or sort the log.`)
}

function iso(instant: number): string {
  return new Date(instant).toISOString()
}
