// Who asks, and what they may: the roles of a key, and whose data it reaches. A key of a tenant reaches that tenant and nothing else, a key
// of a user that user and nothing else; one of neither is the operator's. Pure.

import type { UserRef } from '../budget/index.js'
import { limitOf } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { Problem } from './problem.js'
import type { ServerOptions } from './service.js'

/** What a key may do: `check` asks and settles, `read` looks, `admin` changes, and does the other two too. */
export type Role = 'check' | 'read' | 'admin'

/** All roles there are. */
export const ROLES: readonly Role[] = ['check', 'read', 'admin']

const DEEDS: Readonly<Record<Role, string>> = { check: 'ask or settle', read: 'read this', admin: 'change this' }

/** Whose key it is. */
export interface CallerFacts {
  /** The public part of the key; `undefined` on a server without keys. */
  readonly keyId: string | undefined
  readonly name: string
  readonly roles: readonly Role[]
  /** Absent: of no tenant in particular. */
  readonly tenant?: string | undefined
  /** Of one user, in that tenant (or in none). Such a key never has the role `admin`. */
  readonly userId?: string | undefined
}

/** Whoever has sent a request. */
export class Caller implements CallerFacts {
  readonly keyId: string | undefined
  readonly name: string
  readonly roles: readonly Role[]
  readonly tenant: string | undefined
  readonly userId: string | undefined

  constructor({ keyId, name, roles, tenant, userId }: CallerFacts) {
    this.keyId = keyId
    this.name = name
    this.roles = roles
    this.tenant = tenant
    this.userId = userId
  }

  /** Bound neither to a tenant nor to a user: reaches everything that its roles allow. */
  get isOperator(): boolean {
    return this.tenant === undefined && this.userId === undefined
  }

  may(role: Role): boolean {
    return this.roles.includes(role) || this.roles.includes('admin')
  }

  /** Throws a 403 without the role. */
  assertMay(role: Role): void {
    if (!this.may(role)) throw new Problem(403, 'FORBIDDEN', `key: "${this.name}" may not ${DEEDS[role]}. Use a key with the role "${role}".`)
  }

  /** Throws a 403 for whoever is bound to a tenant or a user. */
  assertOperator(): void {
    if (!this.isOperator) throw new Problem(403, 'FORBIDDEN', `key: "${this.name}" is bound to ${this.userId === undefined ? 'a tenant' : 'a user'}. This needs a key of the operator's, which is bound to none.`)
  }

  /** True for whoever may let somebody spend more: the operator, and, where `tenantsManageBudgets` says so, a tenant's admin. */
  mayRaise({ tenantsManageBudgets }: Pick<ServerOptions, 'tenantsManageBudgets'>): boolean {
    return this.isOperator || (tenantsManageBudgets && this.may('admin'))
  }

  /** Throws a 403 for everybody else. */
  assertMayRaise(options: Pick<ServerOptions, 'tenantsManageBudgets'>): void {
    if (this.mayRaise(options)) return
    throw new Problem(403, 'FORBIDDEN', `key: "${this.name}" may not raise what anybody may spend: no tier, budget or refund. Use a key of the operator's${this.may('admin') ? ', or set tenantsManageBudgets in the configuration of the server' : ''}.`)
  }

  /** The tenant that a request is about: the key's own, or, for the operator, the one that is named. Throws a 403 where another one's is named. */
  tenantOf(named: string | undefined): string | undefined {
    if (this.isOperator) return named
    if (named === undefined || named === this.tenant) return this.tenant
    throw new Problem(403, 'FORBIDDEN', `tenant: this key is not of that tenant. Leave it out, or use a key of it.`)
  }

  /** The user that a request is about. Throws a 403 for another user than the key's, and another tenant. */
  userOf(userId: string, tenant: string | undefined): UserRef {
    const own = this.tenantOf(tenant)
    if (this.userId !== undefined && userId !== this.userId) throw new Problem(403, 'FORBIDDEN', 'userId: this key is of another user. Use a key of that user, or of its tenant.')
    return own === undefined ? { userId } : { userId, tenant: own }
  }

  /** The user whose key it is. Throws a 422 for a key of no user. */
  get self(): UserRef {
    if (this.userId === undefined) throw new Problem(422, 'INVALID_REQUEST', 'userId: this key is of no user. Ask for /v1/users/{id}/budget, or use a key that is bound to a user.')
    return this.userOf(this.userId, undefined)
  }

  /** True for a scope of which nobody's data but the caller's can be read. */
  maySee(scope: ScopeId): boolean {
    if (this.isOperator) return true
    const { kind, id, tenant } = scope
    if (this.userId === undefined) return tenant === this.tenant || (kind === 'tenant' && id === this.tenant)
    if (tenant !== this.tenant) return false
    if (kind === 'user') return id === this.userId
    if (kind === 'session') return id.startsWith(`${/[/%]/.test(this.userId) ? encodeURIComponent(this.userId) : this.userId}/`)
    // A limit's scope says which member it counts, and not of what: a tier, a group or the tenant itself may be called as the user is.
    return this.tenant !== undefined && this.userId !== this.tenant && limitOf(scope)?.member === this.userId
  }
}
