// Which limits a request meets at an instant: found by who spends, among all that are known. Pure but for what it remembers; asks no
// store.

import { limitBudget, limitOf, limitScope, scopeKey, userScope, type BudgetWindow, type CompiledBudget, type Spender } from '../budget/index.js'
import { definePolicy, observe, type ScopeId, type Thresholds, type ThresholdPolicy } from '../enforcement/index.js'
import { EACH, type LimitRecord, type LimitTarget } from './limit.js'
import type { Known, KnownRecords } from './records.js'

/** A limit that a request meets. */
export interface MetLimit {
  readonly limit: KnownLimit
  readonly scope: ScopeId
}

/** A limit that is there. */
export type KnownLimit = Known<LimitRecord>

/** Members are found by it: of users the key of their scope, as two tenants may have the same id. */
type ByMember = Map<string, KnownLimit[]>

const NONE: readonly MetLimit[] = Object.freeze([])
const DEFAULT_WARN_PCT = 80

/** The limits that apply from `startsAt` (inclusive) to `endsAt` (exclusive); no limit begins or ends in between. */
export class LimitsInForce {
  readonly startsAt: number
  readonly endsAt: number
  /** By kind, then by member: those of one, and those of each apart. */
  readonly #kinds = new Map<string, ByMember>()
  readonly #isEmpty: boolean

  constructor(limits: readonly KnownLimit[], now: number) {
    let [startsAt, endsAt] = [-Infinity, Infinity]
    for (const { value: { from, until } } of limits) {
      for (const at of [from, until]) {
        if (at === null) continue
        if (at <= now) startsAt = Math.max(startsAt, at)
        else endsAt = Math.min(endsAt, at)
      }
    }
    this.startsAt = startsAt
    this.endsAt = endsAt
    const applying = limits.filter(({ value: { from, until } }) => (from === null || now >= from) && (until === null || now < until))
    this.#isEmpty = applying.length === 0
    for (const limit of applying) {
      const { kind } = limit.value.scope
      const members = this.#kinds.get(kind) ?? new Map<string, KnownLimit[]>()
      this.#kinds.set(kind, members)
      const member = memberOf(limit.value.scope)
      const same = members.get(member)
      if (same === undefined) members.set(member, [limit])
      else same.push(limit)
    }
  }

  /** Those that a spender of this tier meets, in the order of their ids within each kind. */
  of({ user, scopes }: Spender, tier: string | undefined): readonly MetLimit[] {
    if (this.#isEmpty) return NONE
    const met: MetLimit[] = []
    const { userId, tenant } = user
    this.#meet(met, 'global', undefined, undefined, EACH)
    if (tenant !== undefined) this.#meetMember(met, 'tenant', tenant, tenant)
    if (tier !== undefined) this.#meetMember(met, 'tier', tier, undefined)
    if (this.#kinds.has('user')) {
      this.#meet(met, 'user', userId, tenant, scopeKey(userScope(user)))
      if (tenant !== undefined) this.#meet(met, 'user', userId, tenant, eachOf(tenant))
      this.#meet(met, 'user', userId, tenant, EACH)
    }
    for (const [kind, id] of Object.entries(scopes ?? {})) if (id !== undefined) this.#meetMember(met, kind, id, undefined)
    return met
  }

  /** One member, by its own id and as one of all. */
  #meetMember(met: MetLimit[], kind: string, member: string, tenant: string | undefined): void {
    this.#meet(met, kind, member, tenant, member)
    if (member !== EACH) this.#meet(met, kind, member, tenant, EACH)
  }

  #meet(met: MetLimit[], kind: string, member: string | undefined, tenant: string | undefined, key: string): void {
    for (const limit of this.#kinds.get(kind)?.get(key) ?? []) met.push({ limit, scope: scopeFor(limit, member, tenant) })
  }
}

/** The limits that are there, of all records. */
export function limitsOf({ limits }: Pick<KnownRecords, 'limits'>): KnownLimit[] {
  return [...limits.values()]
}

/** The scope in which a limit counts one member: a user, a tenant, a tier, an id of a group; `tenant`: of it, or which it is. */
export function scopeFor({ id: limitId, value: { scope, generation } }: KnownLimit, member?: string, tenant?: string): ScopeId {
  // A user's stands apart in a store that keeps tenants apart: its scope says whose it is.
  const isApart = scope.id === EACH || scope.kind === 'user'
  return limitScope({ limitId, generation, member: isApart ? (member ?? scope.id) : undefined, tenant: tenant ?? (scope.kind === 'tenant' && scope.id !== EACH ? scope.id : scope.tenant) })
}

/** For a sentence: `everybody`, `tenant acme`, `each user of tenant acme`. */
function describeTarget({ kind, id, tenant }: LimitTarget): string {
  if (kind === 'global') return 'everybody'
  return `${id === EACH ? `each ${kind}` : `${kind} ${id}`}${tenant === undefined ? '' : ` of tenant ${tenant}`}`
}

/** For a sentence: the limit with whom it covers and what it is for. */
export function describeLimit({ id, value: { scope, description } }: KnownLimit): string {
  return `limit "${id}" (${describeTarget(scope)}${description === null ? '' : `: ${visible(description)}`})`
}

/** What would break a line of a log, move a terminal's cursor or turn its text around stands as a dot. */
function visible(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '·')
}

/**
 * The budget of a limit with who judges it: its own thresholds, else the strict policy; only watching, where it only alerts. `strict`:
 * absent where nobody judges.
 */
export function budgetFor({ id, value: { budget, mode, thresholds } }: KnownLimit, strict: ThresholdPolicy<string> | undefined): CompiledBudget {
  const name = `limit "${id}"`
  if (mode === 'block') return limitBudget(id, budget, thresholds === null ? undefined : [definePolicy({ name, thresholds: blocking(thresholds) })], false)
  const watched = thresholds === null ? strict : definePolicy({ name, thresholds })
  return limitBudget(id, budget, watched === undefined ? undefined : [observe(watched) as unknown as ThresholdPolicy<string>], true)
}

/** The windows of the limit whose scope this is, where they have always turned as they do now. */
export function windowsFor(scope: ScopeId, { limits }: Pick<KnownRecords, 'limits'>): readonly BudgetWindow[] {
  const of = limitOf(scope)
  const known = of && limits.get(of.limitId)
  if (known === undefined || known.value.generation !== of?.generation || known.value.moved === true) return []
  return limitBudget(known.id, known.value.budget, undefined, false).windows
}

/** A limit that blocks does so at 100 % where it does not say when, and warns from 80 % where it does not say that and blocks later. */
function blocking({ warn, degrade, block = 100 }: Thresholds): Thresholds {
  const first = Math.min(degrade ?? block, block)
  const warnPct = warn ?? (DEFAULT_WARN_PCT < first ? DEFAULT_WARN_PCT : undefined)
  return { block, ...(degrade !== undefined && { degrade }), ...(warnPct !== undefined && { warn: warnPct }) }
}

function memberOf({ kind, id = EACH, tenant }: LimitTarget): string {
  if (kind !== 'user') return id
  if (id !== EACH) return scopeKey(userScope(tenant === undefined ? { userId: id } : { userId: id, tenant }))
  return tenant === undefined ? EACH : eachOf(tenant)
}

/** What no key of a user's scope is: ids have no control characters. */
function eachOf(tenant: string): string {
  return `\u0000${tenant}`
}
