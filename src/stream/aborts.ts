// Many calls that listen to one signal, as one listener: a signal that serves a whole process is warned of by Node from the eleventh on. Decides nothing.

const followers = new WeakMap<AbortSignal, Set<() => void>>()

/** Calls `listener` when the signal aborts, and not where it has aborted before. Gives what stops that. */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const known = followers.get(signal)
  if (known !== undefined) {
    known.add(listener)
    return () => stop(known, listener)
  }
  const listeners = new Set([listener])
  const tell = (): void => {
    followers.delete(signal)
    for (const each of Array.from(listeners)) each()
  }
  followers.set(signal, listeners)
  signal.addEventListener('abort', tell, { once: true })
  ending.set(listeners, () => {
    followers.delete(signal)
    signal.removeEventListener('abort', tell)
  })
  return () => stop(listeners, listener)
}

const ending = new WeakMap<Set<() => void>, () => void>()

function stop(listeners: Set<() => void>, listener: () => void): void {
  if (listeners.delete(listener) && listeners.size === 0) ending.get(listeners)?.()
}
