// What the unit tests share: decisions narrowed or refused loudly, and everything that can be seen of an engine's state.

import type { AllowedDecision, CostTracker, Decision, DeniedDecision, EnforcementCallbacks, LedgerEntry, Store, UserArgument } from '../../src/index.js'

/** 2026-01-15, a Thursday, at noon UTC. */
export const START = Date.UTC(2026, 0, 15, 12)
export const DAY = 86_400_000
export const MIDNIGHT = Date.UTC(2026, 0, 16)

/** The decision as an allowed one, or a failed test. */
export function allowedOf(decision: Decision): AllowedDecision {
  if (!decision.allowed) throw new Error(`expected an allowed decision, and it is refused: ${decision.reason}`)
  return decision
}

/** The decision as a denied one, or a failed test. */
export function deniedOf(decision: Decision): DeniedDecision {
  if (decision.allowed) throw new Error(`expected a denied decision, and it says ${decision.action}`)
  return decision
}

/** All entries of a ledger. */
export async function entriesOf(tracker: { entries(): AsyncIterable<LedgerEntry> }): Promise<LedgerEntry[]> {
  const entries: LedgerEntry[] = []
  for await (const entry of tracker.entries()) entries.push(entry)
  return entries
}

/** All values of an async iterable. */
export async function allOf<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}

interface Engine {
  readonly tracker: CostTracker
  readonly callbacks?: EnforcementCallbacks | undefined
}

/** What can be seen of a state: summaries, windows, users, ledger, sums and counts. Two equal ones are the same state. */
export async function stateOf(engine: unknown, users: readonly { readonly user: UserArgument; readonly tier?: string }[]): Promise<object> {
  const { tracker, callbacks } = engine as Engine
  const seen: object[] = []
  for (const { user, tier } of users) {
    const ref = typeof user === 'string' ? { userId: user } : user
    const { windows } = await tracker.context({ ...ref, ...(tier !== undefined && { userTier: tier }) })
    seen.push({ user: ref, summary: await tracker.getUserSummary(ref, tier), windows, cost: await tracker.getUserCost(ref), tier: await tracker.getUserTier(ref) })
  }
  return { seen, known: await allOf(tracker.users()), entries: await entriesOf(tracker), summary: await tracker.getSummary(), stats: callbacks?.getStats() }
}

/** A store in which some operations are replaced. */
export function storeWith(store: Store, replaced: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(replaced, name)) return (replaced as unknown as Record<PropertyKey, unknown>)[name]
      const value: unknown = (target as unknown as Record<PropertyKey, unknown>)[name]
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
