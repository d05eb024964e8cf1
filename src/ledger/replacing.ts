// One ledger entry with chosen fields replaced, wherever in it they can be read. Amounts, times, ids, the names of fields and what bursar
// itself says stay. Knows neither options nor sinks.

import { limitOf, limitScope, sessionOf, sessionScope } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import type { AnonymisableField, Anonymiser } from './anonymise.js'
import type { LedgerEntry } from './entry.js'
import { hasOwnReason, MODELS, shapeOf, type Meaning, type Shape } from './shapes.js'
import { Words } from './words.js'

/** Of few and public values, which stand for themselves: a user called `pro` is not the tier, nor the other way round. */
const PUBLIC_NAMES: readonly string[] = ['tier', 'provider', ...MODELS]
/** What no id is made of. */
const NOT_IN_IDS: readonly string[] = [...PUBLIC_NAMES, 'reason']
const SCOPE_KEYS: readonly string[] = ['kind', 'id', 'tenant']
/** The id of a limit of each. */
const EACH = '*'

/** One entry, and the texts in it that must not be read. */
export class Replacing {
  readonly #entry: LedgerEntry
  readonly #anonymiser: Anonymiser
  readonly #words = new Words()
  /** In the first of two passes what is chosen is only collected: until all of it is known no other text can be swept. */
  #isCollecting = true

  /** `more`: texts of fields that must not be read in it either. */
  constructor(entry: LedgerEntry, anonymiser: Anonymiser, more: readonly (readonly [text: string, field: string])[] = []) {
    this.#entry = entry
    this.#anonymiser = anonymiser
    for (const [text, field] of more) this.#text(text, field)
  }

  /** All of it replaced. */
  entry(): LedgerEntry {
    return this.#twice(() => this.#whole())
  }

  /** Only what an assignment brings, the tenant and its reason: for an entry in which all else was replaced before. */
  assignment(): LedgerEntry {
    return this.#twice(() => {
      const { tenant, details, ...rest } = this.#entry
      return Object.freeze({ ...rest, tenant: this.#text(tenant, 'tenant'), details: this.#details(details) })
    })
  }

  #twice<Result>(pass: () => Result): Result {
    const collected = pass()
    this.#isCollecting = false
    return this.#words.isEmpty ? collected : pass()
  }

  #whole(): LedgerEntry {
    const { tenant, userId, tier, sessionId, provider, requestedModel, model, reason, scopes, metadata, rungs, charged, details, ...rest } = this.#entry
    return Object.freeze({
      ...rest,
      tenant: this.#text(tenant, 'tenant'),
      userId: userId === '' ? '' : (this.#text(userId, 'userId') as string),
      tier: this.#text(tier, 'tier'),
      sessionId: this.#text(sessionId, 'sessionId'),
      provider: this.#text(provider, 'provider'),
      requestedModel: this.#model(requestedModel, 'requestedModel'),
      model: this.#model(model, 'model'),
      scopes: scopes && mapped(scopes, (id, kind) => this.#text(id, `scopes.${kind}`) as string),
      rungs: rungs?.map((rung, index) => ({ ...rung, model: this.#model(rung.model, index === 0 ? 'requestedModel' : 'model') })),
      charged: charged.map((window) => ({ ...window, scope: this.#scope(window.scope) })),
      reason: reason === undefined || hasOwnReason(this.#entry) ? reason : this.#reason(reason),
      details: this.#details(details),
      metadata: metadata && mapped(metadata, (value, key) => this.#found(value, key, shapeOf(this.#entry)[key])),
    })
  }

  #text(text: string | undefined, field: string): string | undefined {
    if (text === undefined) return undefined
    if (this.#anonymiser.replaces(field)) return this.#replaced(text, field)
    return PUBLIC_NAMES.includes(field) || this.#isCollecting ? text : this.#words.sweptId(text)
  }

  #replaced(text: string, field: AnonymisableField): string {
    const shown = this.#anonymiser.replaced(text, field)
    if (this.#isCollecting) this.#words.add(text, shown, !NOT_IN_IDS.includes(field))
    return shown
  }

  #model(model: string | undefined, field: string): string | undefined {
    return this.#text(model, this.#anonymiser.replaces(field) ? field : (MODELS.find((name) => this.#anonymiser.replaces(name)) ?? field))
  }

  #reason(reason: string): string {
    return this.#anonymiser.replaces('reason') ? this.#replaced(reason, 'reason') : this.#free(reason)
  }

  #details(details: LedgerEntry['details']): LedgerEntry['details'] {
    const { assignment } = details ?? {}
    return assignment?.reason === undefined ? details : { ...details, assignment: { ...assignment, reason: this.#reason(assignment.reason) } }
  }

  #scope(scope: ScopeId): ScopeId {
    if (scope.kind === 'global') return scope
    const session = sessionOf(scope)
    if (session !== undefined) {
      const { user, sessionId } = session
      const shownTenant = this.#text(user.tenant, 'tenant')
      const shown = { userId: this.#text(user.userId, 'userId') as string, ...(shownTenant !== undefined && { tenant: shownTenant }) }
      return sessionScope(shown, this.#text(sessionId, 'sessionId') as string)
    }
    const limit = limitOf(scope)
    if (limit !== undefined) {
      const { limitId, generation, member, tenant } = limit
      const shownId = this.#isCollecting ? limitId : this.#words.sweptId(limitId)
      return limitScope({ limitId: shownId, generation, member: member && this.#member(member), tenant: this.#text(tenant, 'tenant') })
    }
    const { kind, id, tenant } = scope
    const shown = { ...scope, id: this.#text(id, fieldOfKind(kind)) as string }
    return tenant === undefined ? shown : { ...shown, tenant: this.#text(tenant, 'tenant') as string }
  }

  /** One whom a limit counts apart. Its scope does not say of which kind they are: the entry does, or else it is taken for what is hidden. */
  #member(member: string): string {
    const { userId, tenant, tier, scopes = {} } = this.#entry
    const named = Object.entries<string | undefined>({ userId, tenant, tier, ...prefixed('scopes', scopes) }).filter(([, text]) => text === member)
    const field = named.map(([name]) => name).find((name) => this.#anonymiser.replaces(name)) ?? (named.length === 0 ? this.#anonymiser.memberField : undefined)
    return field === undefined ? (this.#text(member, named[0]?.[0] ?? '') as string) : this.#replaced(member, field as AnonymisableField)
  }

  /** A value of the metadata; `path`: its keys from the top, with dots. */
  #found(value: unknown, path: string, meaning: Meaning | undefined): unknown {
    const field = `metadata.${path}`
    if (this.#anonymiser.replaces(field) && value !== null && value !== undefined) {
      if (this.#isCollecting) this.#collect(value, field)
      return this.#anonymiser.replaced(typeof value === 'string' ? value : JSON.stringify(value), field)
    }
    if (meaning === 'own') return value
    if (Array.isArray(value)) return value.map((each) => this.#found(each, path, meaning))
    if (typeof value === 'object' && value !== null) return this.#object(value as Readonly<Record<string, unknown>>, path, meaning)
    if (typeof value === 'number') return this.#isCollecting ? value : (this.#words.get(String(value)) ?? value)
    if (typeof value !== 'string') return value
    if (meaning === 'model') return this.#model(value, 'model')
    return meaning === 'tier' || meaning === 'sessionId' ? this.#text(value, meaning) : this.#free(value)
  }

  #object(object: Readonly<Record<string, unknown>>, path: string, meaning: Meaning | undefined): Record<string, unknown> {
    const shape: Shape = typeof meaning === 'object' ? meaning : {}
    // A scope may be described anywhere, and one that bursar describes has an id only where its kind has several.
    const { kind, id, tenant } = object
    const isScope = typeof kind === 'string' && (meaning === 'scope' || (meaning === undefined && typeof id === 'string'))
    const valueOf = (value: unknown, key: string): unknown => {
      if (isScope && !this.#anonymiser.replaces(`metadata.${path}.${key}`)) {
        if (key === 'kind' && meaning === 'scope') return value
        if (key === 'id' && id === EACH) return value
        if (key === 'id' && typeof id === 'string') return this.#text(id, fieldOfKind(kind))
        if (key === 'tenant' && typeof tenant === 'string') return this.#text(tenant, 'tenant')
      }
      return this.#found(value, `${path}.${key}`, shape[key])
    }
    // Keys that the application has chosen within a value are what it says; the names of fields are not.
    return mapped(object, valueOf, (key) => (meaning !== undefined || (isScope && SCOPE_KEYS.includes(key)) ? key : this.#free(key)))
  }

  /** Texts and numbers of a value that is replaced as a whole: each may stand elsewhere. */
  #collect(value: unknown, field: AnonymisableField): void {
    if (typeof value === 'string') this.#words.add(value, this.#anonymiser.replaced(value, field), true)
    else if (typeof value === 'number') this.#words.add(String(value), this.#anonymiser.replaced(String(value), field), false)
    else if (typeof value === 'object' && value !== null) {
      const whole = JSON.stringify(value)
      this.#words.add(whole, this.#anonymiser.replaced(whole, field), true)
      for (const each of Object.values(value)) this.#collect(each, field)
    }
  }

  #free(text: string): string {
    return this.#isCollecting ? text : this.#words.sweptText(text)
  }
}

function fieldOfKind(kind: string): string {
  if (kind === 'tenant' || kind === 'tier') return kind
  return kind === 'user' ? 'userId' : `scopes.${kind}`
}

function prefixed(prefix: string, values: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}.${key}`, value]))
}

/** With keys that have become the same kept apart. */
function mapped<Value, Mapped>(object: Readonly<Record<string, Value>>, map: (value: Value, key: string) => Mapped, keyOf: (key: string) => string = (key) => key): Record<string, Mapped> {
  const entries = new Map<string, Mapped>()
  for (const [key, value] of Object.entries(object)) {
    const shown = keyOf(key)
    let free = shown
    for (let more = 2; entries.has(free); more += 1) free = `${shown} (${more})`
    entries.set(free, map(value, key))
  }
  return Object.fromEntries(entries)
}
