// What a ledger says was configured while it ran, done again: tiers, overrides, restarts, limits, tenants, billing, sessions.

import type { Bursar } from '../bursar.js'
import { InvalidRequestError } from '../errors/index.js'
import type { LedgerEntry } from '../ledger/index.js'

type Data = Readonly<Record<string, unknown>>

/** The part of `bursar.limits` that is asked here. */
interface LimitsLike {
  create(limit: Data): Promise<unknown>
  change(id: string, patch: Data): Promise<unknown>
  remove(id: string): Promise<unknown>
  readonly tenants: { set(tenant: string, setting: Data): Promise<unknown>; remove(tenant: string): Promise<unknown> }
}

/** The sessions that a log has opened, for as long as they live. */
export class OpenedSessions {
  readonly #endsAt = new Map<string, number>()

  has(userId: string, tenant: string | undefined, id: string): boolean {
    return this.#endsAt.has(JSON.stringify([tenant ?? null, userId, id]))
  }

  /** Remembers one, and forgets those that have ended a day before. */
  add(userId: string, tenant: string | undefined, id: string, endsAt: number, now: number): void {
    if (this.#endsAt.size > 0 && this.#endsAt.size % 10_000 === 0) {
      for (const [key, end] of this.#endsAt) if (end + 86_400_000 < now) this.#endsAt.delete(key)
    }
    this.#endsAt.set(JSON.stringify([tenant ?? null, userId, id]), endsAt)
  }
}

/** Does what a `configured` entry says. Rejects with what the engine rejects with, and with `InvalidRequestError` for what is not known. */
export async function configure(bursar: Bursar, entry: LedgerEntry, sessions: OpenedSessions): Promise<void> {
  const { reason, metadata = {} } = entry
  const user = { userId: entry.userId, ...(entry.tenant !== undefined && { tenant: entry.tenant }) }
  const { tracker } = bursar
  const limits = (bursar as unknown as { readonly limits?: LimitsLike }).limits
  switch (reason) {
    case 'tier':
      return tracker.setUserTier(user, (metadata['to'] as string | undefined) ?? null)
    case 'budget override':
      return tracker.updateUserBudget(user, metadata['budget'] as object, metadata['until'] == null ? {} : { until: metadata['until'] as number })
    case 'windows restarted':
      await tracker.restartWindows(user, { since: instantOf(metadata['since']) })
      return undefined
    case 'billing':
      await tracker.setUserBilling(user, metadata as never)
      return undefined
    case 'limit created':
      await limits?.create(metadata['limit'] as Data)
      return undefined
    case 'limit changed': {
      const { id, scope: _scope, ...patch } = metadata['limit'] as Data
      await limits?.change(id as string, patch)
      return undefined
    }
    case 'limit removed':
      await limits?.remove(metadata['id'] as string)
      return undefined
    case 'tenant set':
      await limits?.tenants.set(entry.tenant as string, { tier: metadata['tier'], models: metadata['models'] })
      return undefined
    case 'tenant removed':
      await limits?.tenants.remove(entry.tenant as string)
      return undefined
    case 'session opened':
      return openSession(bursar, entry, user, metadata, sessions)
    case 'session raised': {
      const session = await bursar.session({ ...user, id: entry.sessionId })
      if (metadata['maxCost'] != null) await session.raiseCostCap(metadata['maxCost'] as string)
      if (metadata['maxTokens'] != null) await session.raiseTokenCap(metadata['maxTokens'] as number)
      return undefined
    }
    default:
      throw new InvalidRequestError(`configured: ${JSON.stringify(reason)} is no change that this version knows, and it was left out.`)
  }
}

async function openSession(bursar: Bursar, { sessionId, at }: LedgerEntry, user: { readonly userId: string; readonly tenant?: string }, metadata: Data, sessions: OpenedSessions): Promise<void> {
  const id = sessionId as string
  const [parent] = (metadata['parents'] ?? []) as readonly string[]
  const caps = { ...(metadata['maxCost'] != null && { maxCost: metadata['maxCost'] as string }), ...(metadata['maxTokens'] != null && { maxTokens: metadata['maxTokens'] as number }) }
  const endsAt = instantOf(metadata['endsAt'])
  if (parent === undefined) await bursar.session({ ...user, id, ...caps, ttl: endsAt - at })
  else await (await bursar.session({ ...user, id: parent })).session({ id, ...caps })
  sessions.add(user.userId, user.tenant, id, endsAt, at)
}

function instantOf(value: unknown): number {
  return new Date(value as string | number).getTime()
}
