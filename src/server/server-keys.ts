// The keys of a server, and when none is needed: only while it listens on this machine alone. What a key is, src/server/keys knows.

import type { Registry } from '../store/index.js'
import type { Clock } from '../time/index.js'
import type { Caller } from './caller.js'
import { KeyBook } from './keys/index.js'

/** What {@link ServerKeys} work with. */
export interface ServerKeysOptions {
  readonly registry: Registry
  readonly clock: Clock
  /** The token of the operator's key that stands in no store. */
  readonly adminKey: string | undefined
}

const NOBODY = Promise.resolve(undefined)

/** Keys of a server that may be open, but is not before somebody says so. */
export class ServerKeys extends KeyBook {
  /** Whether requests without a key are taken as long as there is no key: only whoever is on this machine can make them. */
  isOpen = false

  constructor({ registry, clock, adminKey }: ServerKeysOptions) {
    const fixed = adminKey === undefined ? [] : [{ token: adminKey, facts: { keyId: 'environment', name: "the environment's key", roles: ['admin'] as const } }]
    super({ registry, clock, mayBeOpen: true, fixed })
  }

  /** As a book of keys does it; who has none is nobody unless the server is open. */
  override authenticate(token: string | undefined): Promise<Caller | undefined> {
    return token === undefined && !this.isOpen ? NOBODY : super.authenticate(token)
  }
}
