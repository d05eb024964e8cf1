// What is said where a session cannot be asked for because the store is away: what was wanted of it, not what failed before.

import { StoreUnavailableError } from '../errors/index.js'

/** Does the work. Where the store was known to be away, the error says so of `what`; its `cause` says how the store failed. */
export async function unlessStoreAway<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof StoreUnavailableError) || error.asked || error.cause === undefined) throw error
    throw new StoreUnavailableError(`${what}: the store is away, and was not asked. Try again when it is back.`, { cause: error, asked: false })
  }
}
