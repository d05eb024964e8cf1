// How a request ended while the store was away: all that is needed to tell the store later, in this process or in another one.

import { InvalidConfigError } from '../errors/index.js'
import type { CostDetails } from '../ledger/index.js'
import type { ChargeFacts, ScopeTerms } from '../store/index.js'
import { plainScopes, scopesFromPlain, type PlainScope } from './terms-text.js'

/** Where a cost is charged if the store does not know its hold. */
export interface Placement {
  readonly scopes: readonly ScopeTerms[]
  readonly facts: ChargeFacts
  /** The id was given by the caller, and is remembered for longer. */
  readonly idGiven: boolean
}

/** A settle, a release, or a cost that nothing held, which the store has not confirmed. */
export interface Ending {
  readonly id: string
  /** When the call ended, in ms since the epoch. */
  readonly at: number
  /** `withdraw`: a reserve whose outcome is unknown, or a hold that nobody was told of. `record`: no hold of this id ever was. */
  readonly kind: 'settle' | 'release' | 'withdraw' | 'record'
  readonly microcents: number
  /** Absent: what the hold estimated. */
  readonly tokens?: number | undefined
  /** The model that answered. */
  readonly model?: string | undefined
  /** Whose model it was, where it was another provider's than the request's. */
  readonly provider?: string | undefined
  /** How the cost was found. */
  readonly details?: CostDetails | undefined
  /** Absent where only the store knows it: then a hold that the store does not know is reported and cannot be charged. */
  readonly placed?: Placement | undefined
  /** When it was first sent to the store without an answer, in ms since the epoch: it may have taken effect. */
  readonly sentAt?: number | undefined
}

const KINDS = ['settle', 'release', 'withdraw', 'record']

/** An ending as plain data for JSON. Throws `InvalidRequestError` for what cannot be written down. */
export function plainEnding(ending: Ending): object {
  const { placed } = ending
  return placed === undefined ? ending : { ...ending, placed: { ...placed, scopes: plainScopes(placed.scopes) } }
}

/** The ending that {@link plainEnding} wrote, parsed from JSON. `where` names the line. Throws `InvalidConfigError`. */
export function endingFromPlain(value: unknown, where: string): Ending {
  const plain = value as Ending & { readonly placed?: Omit<Placement, 'scopes'> & { readonly scopes: readonly PlainScope[] } }
  const { id, at, kind, microcents, placed } = plain
  if (typeof id !== 'string' || id === '' || !KINDS.includes(kind) || !Number.isSafeInteger(microcents) || microcents < 0 || !Number.isFinite(at)) {
    throw new InvalidConfigError(`${where}: is no ending of a call. Move the file away to start without it; what it holds has not been charged.`)
  }
  return placed === undefined ? plain : { ...plain, placed: { ...placed, scopes: scopesFromPlain(placed.scopes) } }
}
