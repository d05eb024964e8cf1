// What an API key is: whose, for what, until when. Its secret is shown once, when it is made, and nowhere kept: only its hash is.

import type { Role } from '../caller.js'

/** What a key may be made of. */
export interface NewKey {
  /** For people. */
  readonly name: string
  readonly roles: readonly Role[]
  readonly tenant?: string | undefined
  /** Binds it to one user; then `admin` is none of its roles. */
  readonly userId?: string | undefined
  readonly expiresAt?: Date | undefined
}

/** A key, without its secret. */
export interface ApiKey extends NewKey {
  /** Its public part: it stands in the key, in logs and in the dashboard. */
  readonly id: string
  readonly createdAt: Date
  readonly state: 'active' | 'expired' | 'revoked'
  /** When it was revoked. */
  readonly revokedAt?: Date | undefined
  /** How many secrets are valid now, and until when the last of those before the newest is. */
  readonly secrets: { readonly valid: number; readonly earlierUntil?: Date | undefined }
}

/** A key that has just been made: `token` is what a client sends, and is shown this once. */
export interface IssuedKey {
  readonly key: ApiKey
  readonly token: string
}
