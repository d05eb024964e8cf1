// A view of the server that keeps itself up to date: asked for again every few seconds and soon after something has happened, but never
// twice at once, and not while nobody looks at the tab.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import { ask, AskError } from './ask.js'

/** What is known of a view. */
export interface Watched<View> {
  /** The newest one; `undefined` until the first has come. */
  readonly view: View | undefined
  /** Why the last attempt failed; `undefined`: it did not. */
  readonly error: AskError | undefined
  /** Asks soon: at most once a second, however often it is called. */
  readonly soon: () => void
  /** Asks at once. */
  readonly now: () => Promise<void>
}

const SOON_MS = 1_000

/** Watches a path; `undefined` watches nothing. `read`: how the view is asked for, where that is not by one question. */
export function useWatched<View>(path: string | undefined, everyMs: number, read: (path: string) => Promise<View> = ask): Watched<View> {
  const reading = useRef(read)
  reading.current = read
  const [known, setKnown] = useState<{ readonly path: string | undefined; readonly view: View | undefined; readonly error: AskError | undefined }>({ path, view: undefined, error: undefined })
  const current = useRef({ path, askedAt: -Infinity, isAsking: false, again: false, timer: undefined as ReturnType<typeof setTimeout> | undefined })
  current.current.path = path

  const now = useCallback(async (): Promise<void> => {
    const own = current.current
    const asked = own.path
    if (asked === undefined || document.hidden) return
    if (own.isAsking) {
      own.again = true
      return
    }
    own.isAsking = true
    own.askedAt = performance.now()
    try {
      const view = await reading.current(asked)
      if (own.path === asked) setKnown({ path: asked, view, error: undefined })
    } catch (error) {
      const failed = error instanceof AskError ? error : new AskError(0, (error as Error).message)
      if (own.path === asked) setKnown((before) => ({ path: asked, view: before.path === asked ? before.view : undefined, error: failed }))
    } finally {
      own.isAsking = false
    }
    if (own.again || own.path !== asked) {
      own.again = false
      soon()
    }
  }, [])

  const soon = useCallback((): void => {
    const own = current.current
    if (own.timer !== undefined) return
    own.timer = setTimeout(() => {
      own.timer = undefined
      void now()
    }, Math.max(0, own.askedAt + SOON_MS - performance.now()))
  }, [])

  useEffect(() => {
    void now()
    const ticking = setInterval(() => void now(), everyMs)
    const look = (): void => void now()
    document.addEventListener('visibilitychange', look)
    return () => {
      clearInterval(ticking)
      document.removeEventListener('visibilitychange', look)
      clearTimeout(current.current.timer)
      current.current.timer = undefined
    }
  }, [path, everyMs])

  const isOurs = known.path === path
  return { view: isOurs ? known.view : undefined, error: isOurs ? known.error : undefined, soon, now }
}
