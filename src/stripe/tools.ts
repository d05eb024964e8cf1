// What a look at a customer is made with.

import type { Bindings } from './bindings.js'
import type { ParkedCustomers } from './parked.js'
import type { StripeTierSyncConfig } from './sync-config.js'

/** What is looked with. */
export interface LookTools<Tier extends string> extends Pick<StripeTierSyncConfig<Tier>, 'stripe' | 'mapper' | 'tracker' | 'resetOnRenewal' | 'findUser'> {
  readonly bindings: Bindings
  readonly parked: ParkedCustomers
  readonly graceMs: number
  readonly userKey: string
  readonly tenantKey: string
}
