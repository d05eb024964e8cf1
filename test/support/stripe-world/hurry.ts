// Pauses that take no time: whoever waits a little for a lock asks again in the next turn, so that a world is played in milliseconds
// and waits as often as it would.

const LONGEST_MS = 100

/** Does the work while every short pause of this process is over in the next turn. */
export async function hurried<T>(work: () => Promise<T>): Promise<T> {
  const { setTimeout: patient } = globalThis
  const hasty = (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]): unknown => ((ms ?? 0) <= LONGEST_MS ? setImmediate(call, ...args) : patient(call, ms, ...args))
  globalThis.setTimeout = hasty as typeof setTimeout
  try {
    return await work()
  } finally {
    globalThis.setTimeout = patient
  }
}
