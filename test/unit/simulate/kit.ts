// Small logs and configurations for the tests of simulations.

import { InvalidRowError } from '../../../src/index.js'
import { readLog, type LoggedCall, type ReadLogOptions } from '../../../src/simulate/index.js'

/** Two models, of which one is ten times cheaper. */
export const prices = { models: { large: { input: 10, output: 10 }, small: { input: 1, output: 1 } } }

/** Everything that a log says. */
export async function all(log: AsyncIterable<LoggedCall>): Promise<LoggedCall[]> {
  const calls: LoggedCall[] = []
  for await (const call of log) calls.push(call)
  return calls
}

/** The error that reading a text ends with. */
export async function rowError(text: string, options?: ReadLogOptions): Promise<InvalidRowError> {
  const error: unknown = await all(readLog([text], options)).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof InvalidRowError) return error
  throw new Error(`no row was named: ${String(error)}`)
}
