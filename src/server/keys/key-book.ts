// All keys of a service, in the registry of its store: made, looked up, rotated, revoked; each process sees a change within a second.

import type { Registry } from '../../store/index.js'
import type { Clock } from '../../time/index.js'
import type { Caller, CallerFacts } from '../caller.js'
import type { Authenticator } from '../service.js'
import type { ApiKey, IssuedKey, NewKey } from './key.js'

/** What a {@link KeyBook} works with. */
export interface KeyBookOptions {
  readonly registry: Registry
  readonly clock: Clock
  /** Whether no key is needed as long as there is none: everybody is the operator. */
  readonly mayBeOpen: boolean
  /** Keys that are not in the store but given by the environment: their tokens, and whose they are. */
  readonly fixed?: readonly { readonly token: string; readonly facts: CallerFacts }[] | undefined
}

/** The keys of a service. */
export class KeyBook implements Authenticator {
  constructor(_options: KeyBookOptions) {}

  create(_key: NewKey): Promise<IssuedKey> {
    throw new Error('not yet')
  }

  list(): Promise<ApiKey[]> {
    throw new Error('not yet')
  }

  get(_id: string): Promise<ApiKey | undefined> {
    throw new Error('not yet')
  }

  rotate(_id: string, _options?: { readonly graceMs?: number }): Promise<IssuedKey> {
    throw new Error('not yet')
  }

  revoke(_id: string): Promise<void> {
    throw new Error('not yet')
  }

  /** True where there is a key that is valid now, or a fixed one. */
  hasAny(): Promise<boolean> {
    throw new Error('not yet')
  }

  authenticate(_token: string | undefined): Promise<Caller | undefined> {
    throw new Error('not yet')
  }
}
