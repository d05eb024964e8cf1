// Ledger entries of which nobody can read whose they are: chosen fields are given over to a function before anything is written. What it
// does not replace is blacked out; amounts, times and ids stay, so that sums are those of the real entries. Knows no sink.

import { limitOf, limitScope, sessionOf, sessionScope } from '../budget/index.js'
import type { ScopeId } from '../enforcement/index.js'
import { InvalidConfigError } from '../errors/index.js'
import type { LedgerEntry } from './entry.js'
import { keyed } from './filter.js'

/** The fields that can be replaced. Not the ids: an entry that is written again is known by them. */
export type AnonymisableField = 'tenant' | 'userId' | 'tier' | 'sessionId' | 'provider' | 'requestedModel' | 'model' | 'reason' | `scopes.${string}` | `metadata.${string}`

/** Which fields are replaced, and by what. */
export interface AnonymisingOptions {
  readonly fields: readonly AnonymisableField[]
  /**
   * Gives what is written in place of a text: not empty, at once (no promise), and the same each time, or what was one user's is no longer
   * found together. Where it throws or gives something else, `[redacted]` is written.
   */
  readonly using: (text: string, field: AnonymisableField) => string
  /** Told once for each write in which `using` failed. By default the process is warned. */
  readonly onFailure?: ((error: unknown, field: AnonymisableField) => void) | undefined
}

/** What stands where an anonymiser has failed. */
export const REDACTED = '[redacted]'

const NAMED: readonly string[] = ['tenant', 'userId', 'tier', 'sessionId', 'provider', 'requestedModel', 'model', 'reason'] satisfies AnonymisableField[]
const KEYED: readonly string[] = ['scopes', 'metadata']
const MODELS: readonly string[] = ['requestedModel', 'model']
/** Fields of few and public values, which are no part of other texts: a user called `pro` is not the tier. */
const PUBLIC_NAMES: readonly string[] = ['tier', 'provider', 'requestedModel', 'model']

/** Checks the options. Throws `InvalidConfigError` for a field that cannot be replaced, and for no function. */
export function parseAnonymised(options: AnonymisingOptions): AnonymisingOptions {
  const { fields, using, onFailure, ...unknown } = options ?? {}
  const [other] = Object.keys(unknown)
  if (other !== undefined) throw new InvalidConfigError(`${other}: is no option of anonymised(). Use fields, using and onFailure.`)
  if (!Array.isArray(fields) || fields.length === 0) throw new InvalidConfigError(`fields: ${JSON.stringify(fields)} are no fields. Give a list of at least one, such as ['userId', 'metadata.email'].`)
  for (const field of fields as readonly unknown[]) {
    if (typeof field === 'string' && (NAMED.includes(field) || (keyed(field)[1] !== '' && KEYED.includes(keyed(field)[0])))) continue
    throw new InvalidConfigError(`fields: ${JSON.stringify(field)} cannot be replaced. Use ${NAMED.join(', ')}, or a key such as scopes.team or metadata.email. Entries are known by their ids: give requests ids that say nothing.`)
  }
  if (typeof using !== 'function') throw new InvalidConfigError(`using: ${typeof using} is no function. Give one that replaces a text.`)
  if (onFailure !== undefined && typeof onFailure !== 'function') throw new InvalidConfigError(`onFailure: ${typeof onFailure} is no function.`)
  return { fields: [...fields], using, onFailure }
}

/** What an anonymiser said, remembered for one write. */
export class Anonymiser {
  readonly #fields: ReadonlySet<string>
  readonly #using: AnonymisingOptions['using']
  readonly #said = new Map<string, string>()
  #failure: { readonly error: unknown; readonly field: AnonymisableField } | undefined

  /** Takes options that {@link parseAnonymised} has passed. */
  constructor({ fields, using }: AnonymisingOptions) {
    this.#fields = new Set(fields)
    this.#using = using
  }

  /** The first failure. */
  get failure(): { readonly error: unknown; readonly field: AnonymisableField } | undefined {
    return this.#failure
  }

  /** True where the field is replaced. */
  replaces(field: string): field is AnonymisableField {
    return this.#fields.has(field)
  }

  /** What is written in place of a text of a field. */
  replaced(text: string, field: AnonymisableField): string {
    const key = JSON.stringify([field, text])
    const known = this.#said.get(key)
    if (known !== undefined) return known
    const said = this.#ask(text, field)
    this.#said.set(key, said)
    return said
  }

  #ask(text: string, field: AnonymisableField): string {
    let error: unknown
    try {
      const said: unknown = this.#using(text, field)
      if (typeof said === 'string' && said !== '') return said
      // One that is late may fail as well, and nobody waits for it.
      void Promise.resolve(said).catch(() => {})
      error = new InvalidConfigError(`using: gave ${said === '' ? 'an empty text' : said instanceof Promise ? 'a promise' : `a ${typeof said}`} for ${field}. Give a text, at once.`)
    } catch (thrown) {
      error = thrown
    }
    this.#failure ??= { error, field }
    return REDACTED
  }
}

/**
 * An entry with the chosen fields replaced wherever they can be read: in the field, in the scopes that it is charged to, in scopes that its
 * metadata describes, and as words of their own within other texts. `id`, `decisionId`, amounts and times stay.
 */
export function anonymiseEntry(entry: LedgerEntry, anonymiser: Anonymiser): LedgerEntry {
  return new Replacing(entry, anonymiser).entry()
}

/** One entry, and the texts in it that must not be read. */
class Replacing {
  readonly #entry: LedgerEntry
  readonly #anonymiser: Anonymiser
  /** What is chosen in this entry, and what stands for it. */
  readonly #words = new Map<string, string>()
  readonly #pattern: RegExp | undefined

  constructor(entry: LedgerEntry, anonymiser: Anonymiser) {
    this.#entry = entry
    this.#anonymiser = anonymiser
    const { tenant, userId, sessionId, scopes = {}, metadata = {} } = entry
    const texts = { tenant, userId, sessionId, ...prefixed('scopes', scopes), ...prefixed('metadata', metadata) }
    for (const [field, text] of Object.entries(texts)) if (typeof text === 'string' && text !== '' && anonymiser.replaces(field) && !this.#words.has(text)) this.#words.set(text, anonymiser.replaced(text, field))
    const longestFirst = [...this.#words.keys()].sort((one, other) => other.length - one.length)
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map((word) => `(?<![\\p{L}\\p{N}])${word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}(?![\\p{L}\\p{N}])`).join('|'), 'gu')
  }

  entry(): LedgerEntry {
    const { tenant, userId, tier, sessionId, provider, requestedModel, model, reason, scopes, metadata, rungs, charged, details, ...rest } = this.#entry
    return Object.freeze({
      ...rest,
      tenant: this.#text(tenant, 'tenant'),
      userId: userId === '' ? '' : (this.#text(userId, 'userId') as string),
      tier: this.#text(tier, 'tier'),
      sessionId: this.#text(sessionId, 'sessionId'),
      provider: this.#text(provider, 'provider'),
      requestedModel: this.#text(requestedModel, 'requestedModel'),
      model: this.#text(model, 'model'),
      scopes: scopes && mapped(scopes, (id, kind) => this.#text(id, `scopes.${kind}`) as string),
      rungs: rungs?.map((rung) => ({ ...rung, model: this.#model(rung.model) })),
      charged: charged.map((window) => ({ ...window, scope: this.#scope(window.scope) })),
      reason: this.#text(reason, 'reason'),
      details: details?.labels === undefined ? details : { ...details, labels: mapped(details.labels, (tokens) => tokens, (label) => this.#swept(label)) },
      metadata: metadata && this.#metadata(metadata),
    })
  }

  #text(text: string | undefined, field: string): string | undefined {
    if (text === undefined) return undefined
    if (this.#anonymiser.replaces(field)) return this.#anonymiser.replaced(text, field)
    return PUBLIC_NAMES.includes(field) ? text : this.#swept(text)
  }

  /** A rung has the model asked for and those used instead: it is hidden where either is. */
  #model(model: string | undefined): string | undefined {
    const field = MODELS.find((name) => this.#anonymiser.replaces(name))
    return this.#text(model, field ?? 'model')
  }

  #scope(scope: ScopeId): ScopeId {
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
      return limitScope({ limitId: this.#swept(limitId), generation, member: member && (this.#words.get(member) ?? this.#swept(member)), tenant: this.#text(tenant, 'tenant') })
    }
    const { kind, id, tenant } = scope
    const shown = { ...scope, id: this.#text(id, fieldOfKind(kind)) as string }
    return tenant === undefined ? shown : { ...shown, tenant: this.#text(tenant, 'tenant') as string }
  }

  #metadata(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
    return mapped(metadata, (value, key) => {
      const field = `metadata.${key}`
      if (!this.#anonymiser.replaces(field) || value === null || value === undefined) return this.#value(value)
      return this.#anonymiser.replaced(typeof value === 'string' ? value : JSON.stringify(value), field)
    }, (key) => this.#swept(key))
  }

  #value(value: unknown): unknown {
    if (typeof value === 'string') return this.#swept(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((each) => this.#value(each))
    const object = mapped(value as Readonly<Record<string, unknown>>, (each) => this.#value(each), (key) => this.#swept(key))
    // Whom a limit is for that was made, for one.
    const { kind, id, tenant } = value as Partial<Record<keyof ScopeId, unknown>>
    if (typeof kind === 'string' && typeof id === 'string') object['id'] = this.#text(id, fieldOfKind(kind))
    if (typeof kind === 'string' && typeof tenant === 'string') object['tenant'] = this.#text(tenant, 'tenant')
    return object
  }

  /** A text without the words that must not be read. */
  #swept(text: string): string {
    return this.#pattern === undefined ? text : text.replace(this.#pattern, (word) => this.#words.get(word) as string)
  }
}

function fieldOfKind(kind: string): string {
  if (kind === 'tenant' || kind === 'tier') return kind
  return kind === 'user' ? 'userId' : `scopes.${kind}`
}

function prefixed(prefix: string, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [`${prefix}.${key}`, value]))
}

function mapped<Value, Mapped>(object: Readonly<Record<string, Value>>, map: (value: Value, key: string) => Mapped, keyOf: (key: string) => string = (key) => key): Record<string, Mapped> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [keyOf(key), map(value, key)]))
}
