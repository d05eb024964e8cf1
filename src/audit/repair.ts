// From differences to what mends them: additions to counters, or entries that the ledger lacks. Pure. Entries are as few as can
// be, and what several windows lack is one amount in one entry: the ledger's own totals must not count it twice.

import { scopeKey } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import type { ChargedWindow, LedgerEntry } from '../ledger/index.js'
import { MAX_AMOUNT } from '../money/index.js'
import type { CounterCorrection } from '../store/index.js'
import { LIFETIME_COST, type CountedUnit } from './audit-entry.js'
import type { Difference } from './compare.js'

/** What to add to the counters so that they say what the ledger and the open holds say. */
export function correctionsOf(differences: readonly Difference[]): CounterCorrection[] {
  return differences.map(({ scope, window, startsAt, endsAt, what, counted, expected }) => {
    const missing = expected - counted
    if (what === 'held') return { scope, window, startsAt, endsAt, spent: 0, held: missing, entries: 0 }
    if (what === 'spent') return { scope, window, startsAt, endsAt, spent: missing, held: 0, entries: 0 }
    const isCost = window === LIFETIME_COST
    return { scope, startsAt, spent: isCost ? missing : 0, held: 0, entries: isCost ? 0 : missing }
  })
}

/** A counter that the ledger lacks an amount of (or has too much of, where it is negative). */
interface Gap {
  readonly scope: ScopeId
  readonly charged: ChargedWindow
  readonly unit: CountedUnit
  amount: bigint
}

/** One amount of each unit, with the counters that lack it. */
type Layers = Partial<Record<CountedUnit, Layer>>
interface Layer {
  readonly amount: bigint
  readonly charged: ChargedWindow[]
}

/**
 * The entries that the ledger lacks, so that it says what the counters say of spent and lifetime; what is held is no matter of
 * the ledger. A user's own windows come first; a shared scope is charged with the same entries as far as it lacks as much.
 */
export function entriesFor(differences: readonly Difference[], at: number, newId: () => string): LedgerEntry[] {
  const gaps = differences.filter(({ what }) => what !== 'held').map(gapOf)
  const shared = gaps.filter(({ scope }) => scope.kind !== 'user')
  const entries: LedgerEntry[] = []
  for (const own of byScope(gaps.filter(({ scope }) => scope.kind === 'user'))) {
    const { scope } = own[0] as Gap
    for (const layers of layersOf(own)) {
      for (const [unit, layer] of unitsOf(layers)) for (const gap of shared) if (lacks(gap, scope, unit, layer.amount)) chargeToo(gap, layer)
      entries.push(entryOf(layers, scope, at, newId()))
    }
  }
  for (const layers of layersOf(shared.filter(({ amount }) => amount !== 0n))) entries.push(entryOf(layers, undefined, at, newId()))
  return entries
}

function gapOf({ scope, window, unit, startsAt, counted, sum }: Difference): Gap {
  return { scope, charged: { scope, window, startsAt }, unit, amount: BigInt(counted) - sum }
}

function byScope(gaps: readonly Gap[]): Iterable<readonly Gap[]> {
  const scopes = new Map<string, Gap[]>()
  for (const gap of gaps) {
    const key = scopeKey(gap.scope)
    scopes.set(key, [...(scopes.get(key) ?? []), gap])
  }
  return scopes.values()
}

/** Gaps cut into layers: the first is as high as the smallest gap and charged to all, and so on; those of each unit side by side. */
function layersOf(gaps: readonly Gap[]): Layers[] {
  const layers: Layers[] = []
  for (const unit of ['usd', 'tokens', 'requests', 'entries'] as const) {
    const ofUnit = gaps.filter((gap) => gap.unit === unit)
    const cut = [1n, -1n].flatMap((sign) => cutIntoLayers(ofUnit.filter(({ amount }) => amount * sign > 0n), sign))
    cut.forEach((layer, index) => {
      layers[index] = { ...layers[index], [unit]: layer }
    })
  }
  return layers
}

function cutIntoLayers(gaps: readonly Gap[], sign: bigint): Layer[] {
  const layers: Layer[] = []
  let reached = 0n
  for (const height of gaps.map(({ amount }) => amount * sign).sort((a, b) => (a < b ? -1 : 1))) {
    const lacking = gaps.filter(({ amount }) => amount * sign >= height)
    // An entry carries no more than an exact number.
    for (; reached < height; reached += smaller(height - reached, BigInt(MAX_AMOUNT))) {
      layers.push({ amount: smaller(height - reached, BigInt(MAX_AMOUNT)) * sign, charged: lacking.map((gap) => gap.charged) })
    }
  }
  return layers
}

function lacks(gap: Gap, user: ScopeId, unit: CountedUnit, amount: bigint): boolean {
  if (gap.unit !== unit || (amount > 0n ? gap.amount < amount : gap.amount > amount)) return false
  return gap.scope.kind === 'tenant' ? gap.scope.id === user.tenant : gap.scope.tenant === undefined || gap.scope.tenant === user.tenant
}

function chargeToo(gap: Gap, layer: Layer): void {
  gap.amount -= layer.amount
  layer.charged.push(gap.charged)
}

function entryOf(layers: Layers, user: ScopeId | undefined, at: number, name: string): LedgerEntry {
  const id = `audit:${name}`
  const amounts = Object.fromEntries(unitsOf(layers).map(([unit, { amount }]) => [unit, Number(amount)])) as Partial<Record<CountedUnit, number>>
  const { usd: microcents = 0, tokens = 0, requests, entries } = amounts
  return {
    id,
    kind: 'corrected',
    at,
    // Its own: it belongs to no decision, and is known for an audit's by that.
    decisionId: id,
    tenant: user?.tenant,
    userId: user?.id ?? '',
    microcents,
    tokens,
    charged: unitsOf(layers).flatMap(([, { charged }]) => charged),
    reason: 'audit',
    ...((requests !== undefined || entries !== undefined) && { metadata: { ...(requests !== undefined && { requests }), ...(entries !== undefined && { entries }) } }),
  }
}

function unitsOf(layers: Layers): [CountedUnit, Layer][] {
  return Object.entries(layers) as [CountedUnit, Layer][]
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}
