// What happens, as it happens, for whoever looks: the events of the engine as plain data, each to those alone who may see it.

import type { Caller } from './caller.js'
import type { Engine } from './service.js'
import type { LiveEvent } from './views.js'

/** The events of one process. */
export class Feed {
  constructor(_engine: Engine) {}

  /** Calls the listener with what the caller may see, until the function that it gives is called. */
  subscribe(_caller: Caller, _listener: (event: LiveEvent) => void): () => void {
    return () => {}
  }

  /** Tells that somebody has changed a tier, a limit or a budget. */
  changed(_what: string, _tenant: string | undefined): void {}

  /** How many listen. */
  get listeners(): number {
    return 0
  }

  close(): void {}
}
