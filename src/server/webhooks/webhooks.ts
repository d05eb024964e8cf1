// Tells others of thresholds and denials: endpoints and deliveries in the registry of the store, signed after Standard Webhooks, sent again
// until they are taken.

import type { Clock } from '../../time/index.js'
import type { Engine, ServerLog } from '../service.js'

/** What {@link Webhooks} work with. */
export interface WebhooksOptions {
  readonly engine: Engine
  readonly clock: Clock
  readonly log: ServerLog
  /** Whether addresses of a private network are allowed. */
  readonly allowPrivate: boolean
}

/** The outgoing webhooks of a service. */
export class Webhooks {
  constructor(_options: WebhooksOptions) {}

  /** Begins to listen to the engine and to send. */
  start(): void {}

  /** Stops sending; what is not delivered stays for the next process. */
  async close(): Promise<void> {}
}
