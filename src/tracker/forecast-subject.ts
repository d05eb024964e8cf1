// Whom a forecast is for: a user, a shared scope, or a limit that was made at run time. Says which entries of the ledger are its own, and
// in which scopes a store counts it; reads neither windows nor history.

import { assertId, limitOf, toUserRef, userScope, type UserArgument, type UserRef } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidRequestError, UnknownLimitError } from '../errors/index.js'
import type { EntryFilter } from '../ledger/index.js'
import { EACH, limitsOf, stateAt, type KnownLimit } from '../limits/index.js'
import type { JudgedScope } from './accounts.js'
import type { Foundation } from './foundation.js'
import { readLimits } from './limit-reader.js'
import { assertKnownFields } from './requests.js'

/**
 * Whose budget: a user; a shared scope: `{ kind: 'global' }`, `{ kind: 'tenant', id }`, `{ kind: 'tier', id }`, or an id of a configured
 * group; or a limit that was made at run time, by its id, and of one that counts each member apart (`'*'`) a member.
 */
export type ForecastSubject =
  | UserArgument
  | { readonly scope: { readonly kind: string; readonly id?: string | undefined; readonly tenant?: string | undefined } }
  | { readonly limit: string; readonly member?: UserArgument | undefined }

/** Whose entries, and where their windows stand. */
export interface Subject {
  readonly scope: ScopeId
  readonly filter: NonNullable<EntryFilter['where']>
  /** The scopes that have its windows. */
  readonly judged: readonly JudgedScope[]
  /** From when on (inclusive, ms since the epoch) it counts; `undefined`: ever. */
  readonly since: number | undefined
  /** All periods that it has, where it can have no others. */
  readonly periods: readonly string[] | undefined
}

/** A user or a shared scope, and as whom its windows are asked for. */
interface Asked extends Pick<Subject, 'scope' | 'filter'> {
  readonly user: UserRef
  readonly tier: string | undefined
  readonly scopes: Readonly<Record<string, string>> | undefined
}

/** Whoever asks for a shared scope is no user: nothing is known of this one. */
const NOBODY = 'nobody'

/** Finds whom a forecast is for. Throws `InvalidRequestError`, `UnknownLimitError`, `UnknownScopeError` or `UnknownTierError`. */
export async function findSubject(foundation: Foundation, subject: ForecastSubject): Promise<Subject> {
  if (typeof subject === 'object' && subject !== null && 'limit' in subject) return ofLimit(foundation, subject)
  const { scope, filter, user, tier, scopes } = askedFor(foundation, subject)
  const account = await foundation.accounts.find({ user, tier, scopes })
  const judged = account.scopes.filter(({ scope: { kind, id, tenant } }) => kind === scope.kind && id === scope.id && tenant === scope.tenant)
  return { scope, filter, judged, since: undefined, periods: undefined }
}

async function ofLimit(foundation: Foundation, subject: { readonly limit: string; readonly member?: UserArgument | undefined }): Promise<Subject> {
  assertKnownFields(subject, ['limit', 'member'], 'subject')
  const { limit: id, member } = subject
  assertId(id, 'subject.limit')
  const known = limitsOf(await foundation.accounts.limits.records.load()).find((limit) => limit.id === id)
  if (known === undefined) throw new UnknownLimitError(id)
  if (known.value.scope.id === EACH && member === undefined) throw new InvalidRequestError(`member: is missing. Limit "${id}" counts each ${known.value.scope.kind} apart: give { limit, member }.`)
  const { now, effects } = await foundation.store.read([])
  foundation.effects.announce(effects)
  if (stateAt(known.value, now) === 'expired') throw new InvalidRequestError(`limit: "${id}" has ended, and nothing counts in it any more. Ask limits.progress() what it has counted.`)
  const judged: JudgedScope[] = []
  for await (const read of readLimits(foundation, [known], member)) judged.push(read.judged)
  const { scope, windows } = judged[0] as JudgedScope
  const { createdAt, from } = known.value
  return { scope, filter: filterOf(known, scope), judged, since: Math.max(createdAt, from ?? createdAt), periods: [...new Set(windows.map(({ period }) => period))] }
}

/** Whose spend a limit counts in a scope of its own. */
function filterOf({ value: { scope: { kind, id } } }: KnownLimit, scope: ScopeId): Subject['filter'] {
  const { member = id as string, tenant } = limitOf(scope) ?? {}
  if (kind === 'global') return {}
  if (kind === 'user') return { userId: member, tenant: tenant ?? null }
  return kind === 'tenant' || kind === 'tier' ? { [kind]: member } : { [`scopes.${kind}`]: member }
}

function askedFor({ plan }: Foundation, subject: Exclude<ForecastSubject, { readonly limit: string }>): Asked {
  if (typeof subject !== 'object' || subject === null || !('scope' in subject)) return ofUser(toUserRef(subject))
  assertKnownFields(subject, ['scope'], 'subject')
  const { scope } = subject
  if (typeof scope !== 'object' || scope === null) throw new InvalidRequestError(`scope: ${String(scope)} is no scope. Give { kind, id }.`)
  assertKnownFields(scope, ['kind', 'id', 'tenant'], 'scope')
  const { kind, tenant } = scope
  assertId(kind, 'scope.kind')
  if (tenant !== undefined) assertId(tenant, 'scope.tenant')
  const id = kind === 'global' ? 'global' : scope.id
  assertId(id, 'scope.id')
  if (kind === 'user') return ofUser(tenant === undefined ? { userId: id } : { userId: id, tenant })
  if (kind === 'session') throw new InvalidRequestError('scope.kind: a session has a budget for one run, which has no forecast. Ask its summary.')
  // Any tier will do where it is not the tier's own pool: shared budgets are the same for all.
  const tier = kind === 'tier' ? id : plan.tiers[0]
  const within = tenant === undefined ? {} : { tenant }
  const base = { scope: { kind, id, ...within }, user: { userId: NOBODY, ...within }, tier, scopes: undefined }
  if (kind === 'global') return { ...base, scope: { kind, id }, filter: {} }
  if (kind === 'tenant') return { ...base, scope: { kind, id }, user: { userId: NOBODY, tenant: id }, filter: { tenant: id } }
  if (kind === 'tier') return { ...base, scope: { kind, id }, filter: { tier: id } }
  return { ...base, scopes: { [kind]: id }, filter: { [`scopes.${kind}`]: id, ...within } }
}

function ofUser(user: UserRef): Asked {
  return { scope: userScope(user), filter: { userId: user.userId, tenant: user.tenant ?? null }, user, tier: undefined, scopes: undefined }
}
