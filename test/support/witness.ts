// A store that writes down what it was asked and what it answered, in the order in which the answers came, and passes both on.

import type { MaybePromise, Store } from '../../src/store/index.js'

/** The operations on money, with their requests and replies. */
export type Witnessed = { [Operation in Told]: { readonly operation: Operation; readonly request: Parameters<Store[Operation]>[0]; readonly reply: Awaited<ReturnType<Store[Operation]>> } }[Told]
type Told = 'reserve' | 'settle' | 'release' | 'extend' | 'record' | 'refund' | 'read' | 'restart'

/** Wraps a store; every answer that it gives is told to `tell`. */
export function witness(store: Store, tell: (seen: Witnessed) => void): Store {
  const watched = <Operation extends Told>(operation: Operation): Store[Operation] => {
    const run = (request: never): MaybePromise<unknown> => {
      const heard = (reply: unknown): unknown => {
        tell({ operation, request, reply } as unknown as Witnessed)
        return reply
      }
      const answer = (store[operation] as (request: never) => MaybePromise<unknown>)(request)
      return answer instanceof Promise ? answer.then(heard) : heard(answer)
    }
    return run as unknown as Store[Operation]
  }
  return {
    name: store.name,
    shared: store.shared,
    directory: store.directory,
    registry: store.registry,
    ledger: store.ledger,
    reserve: watched('reserve'),
    settle: watched('settle'),
    release: watched('release'),
    extend: watched('extend'),
    record: watched('record'),
    refund: watched('refund'),
    read: watched('read'),
    restart: watched('restart'),
    opened: store.opened?.bind(store),
    totals: (user) => store.totals(user),
    users: () => store.users(),
    close: () => store.close(),
  }
}
