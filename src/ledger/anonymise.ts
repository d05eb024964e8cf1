// Ledger entries of which nobody can read whose they are: chosen fields are given over to a function before anything is written. What it
// does not replace is blacked out; amounts, times and ids stay, so that sums are those of the real entries. Knows no sink.

import { InvalidConfigError } from '../errors/index.js'
import type { LedgerEntry } from './entry.js'
import { keyed } from './filter.js'
import { Replacing } from './replacing.js'
import { MODELS } from './shapes.js'

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
/** The fields of which a limit may count each apart. */
const COUNTED_APART = /^(userId|tenant|tier|scopes\..*)$/

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

  /** True where the field is replaced, or is one of models of which another is. */
  hides(field: string): boolean {
    return this.#fields.has(field) || (MODELS.includes(field) && MODELS.some((other) => this.#fields.has(other)))
  }

  /** The first chosen field of which a limit may count each apart. */
  get memberField(): string | undefined {
    return [...this.#fields].find((field) => COUNTED_APART.test(field))
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
 * An entry with the chosen fields replaced wherever they can be read: in the field, in the scopes that it is charged to, in scopes, tiers,
 * models and sessions that its metadata describes, and as words of their own within other texts. `id`, `decisionId`, amounts and times stay,
 * and so do the names of fields and what bursar says itself.
 */
export function anonymiseEntry(entry: LedgerEntry, anonymiser: Anonymiser): LedgerEntry {
  return new Replacing(entry, anonymiser).entry()
}
