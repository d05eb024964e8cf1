// Reading what limits have counted: the scopes of a limit, one for each member where it counts each apart.

import { limitOf, toUserRef, type UserArgument, type UserRef } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidRequestError } from '../errors/index.js'
import { EACH, limitsOf, scopeFor, type KnownLimit } from '../limits/index.js'
import { READING_SIZE } from '../store/index.js'
import type { JudgedScope } from './accounts.js'
import type { Foundation } from './foundation.js'
import { isUsed, type ReadScope } from './limit-windows.js'

/** How many scopes are read at once. */
const READ_AT_ONCE = 100

/** Reads the scopes of limits: of `member`, or of each in which anything is spent or held. */
export async function* readLimits(foundation: Foundation, limits: readonly KnownLimit[], member?: UserArgument): AsyncGenerator<ReadScope> {
  const counted = member === undefined && limits.some(({ value }) => value.scope.id === EACH) ? await countedScopes(foundation) : undefined
  for (const limit of limits) {
    const { id } = limit.value.scope
    if (member !== undefined || id !== EACH) {
      const scope = member === undefined ? scopeFor(limit) : memberScope(limit, member)
      yield* readScopes(foundation, [foundation.accounts.limitScope(limit, scope)])
      continue
    }
    for await (const batch of batches(counted === undefined ? membersOf(foundation, limit) : (counted.get(nameOf(limit.id, limit.value.generation)) ?? []))) {
      const judged = batch.map((scope) => foundation.accounts.limitScope(limit, scope))
      for await (const read of readScopes(foundation, judged)) if (isUsed(read)) yield read
    }
  }
}

/** Reads scopes as they stand: those of a store that keeps tenants apart one by one, as they may be in several places. */
export async function* readScopes({ store, effects, keepsTenantsApart }: Foundation, scopes: readonly JudgedScope[]): AsyncGenerator<ReadScope> {
  const atOnce = keepsTenantsApart ? 1 : READ_AT_ONCE
  for (let first = 0; first < scopes.length; first += atOnce) {
    const batch = scopes.slice(first, first + atOnce)
    const { readings, effects: brought } = await store.read(batch)
    effects.announce(brought)
    let at = 0
    for (const judged of batch) {
      const end = at + judged.windows.length * READING_SIZE
      yield { judged, readings: readings.slice(at, end) }
      at = end
    }
  }
}

function memberScope(limit: KnownLimit, member: UserArgument): ScopeId {
  const { kind, id, tenant } = limit.value.scope
  if (id !== EACH) throw new InvalidRequestError(`member: limit "${limit.id}" counts nobody apart. Leave it out.`)
  if (kind === 'user') {
    const user = toUserRef(typeof member === 'string' && tenant !== undefined ? { userId: member, tenant } : member)
    if (tenant !== undefined && user.tenant !== tenant) throw new InvalidRequestError(`member: limit "${limit.id}" counts users of tenant "${tenant}" only. Give one of them.`)
    return scopeFor(limit, user.userId, user.tenant)
  }
  const { userId, tenant: other } = toUserRef(member)
  if (other !== undefined) throw new InvalidRequestError(`member: limit "${limit.id}" counts each ${kind} apart. Give the id of one.`)
  return scopeFor(limit, userId, kind === 'tenant' ? userId : undefined)
}

/** The scopes in which limits have counted, by limit: only the store knows who has met one of `'*'`. `undefined`: it does not say. */
async function countedScopes({ store }: Foundation): Promise<ReadonlyMap<string, readonly ScopeId[]> | undefined> {
  if (store.auditor === undefined) return undefined
  const counted = new Map<string, ScopeId[]>()
  for (const { scope } of (await store.auditor.snapshot()).scopes) {
    const of = limitOf(scope)
    if (of === undefined) continue
    const name = nameOf(of.limitId, of.generation ?? 1)
    const scopes = counted.get(name)
    if (scopes === undefined) counted.set(name, [scope])
    else scopes.push(scope)
  }
  return counted
}

function nameOf(limitId: string, generation: number): string {
  return `${generation} ${limitId}`
}

/** Who may have met a limit, as far as this process can tell. */
async function* membersOf({ store, plan, accounts }: Foundation, limit: KnownLimit): AsyncGenerator<ScopeId> {
  const { kind, tenant } = limit.value.scope
  if (kind === 'user') {
    for await (const { user } of store.users()) if (tenant === undefined || user.tenant === tenant) yield scopeFor(limit, user.userId, user.tenant)
  } else if (kind === 'tenant') {
    const seen = new Set(accounts.limits.records.known.tenants.keys())
    for await (const { user } of store.users()) noteTenant(seen, user)
    for (const each of seen) yield scopeFor(limit, each, each)
  } else {
    const ids = kind === 'tier' ? plan.tiers : plan.namedScopes().flatMap(({ scope }) => (scope.kind === kind ? [scope.id] : []))
    const known = limitsOf(accounts.limits.records.known).flatMap(({ value: { scope } }) => (scope.kind === kind && scope.id !== EACH && scope.id !== undefined ? [scope.id] : []))
    for (const each of new Set([...ids, ...known])) yield scopeFor(limit, each)
  }
}

function noteTenant(seen: Set<string>, { tenant }: UserRef): void {
  if (tenant !== undefined) seen.add(tenant)
}

async function* batches<T>(values: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const value of values) {
    batch.push(value)
    if (batch.length < READ_AT_ONCE) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
