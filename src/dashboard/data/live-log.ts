// What has happened since the page was opened: the last of it, in order, given to the page in bundles so that a thousand events a second are
// not a thousand drawings.

import { useEffect, useRef, useState } from 'preact/hooks'
import type { LiveEvent } from '../../server/seeing/views.js'
import { listen, type LineState } from './live.js'

/** An event with a number of its own. */
export interface Happening {
  readonly number: number
  readonly event: LiveEvent
}

/** What the page knows of the line. */
export interface LiveLog {
  readonly line: LineState
  /** The newest first, at most 60. */
  readonly happenings: readonly Happening[]
  /** All that were told since the page was opened. */
  readonly total: number
}

const MOST = 60
const BUNDLE_MS = 200

/** Listens while the page stands. `happened` is called once for each bundle. */
export function useLiveLog(isOn: boolean, happened: (events: readonly LiveEvent[]) => void, refused: () => void): LiveLog {
  const [log, setLog] = useState<LiveLog>({ line: 'connecting', happenings: [], total: 0 })
  const told = useRef({ happened, refused })
  told.current = { happened, refused }

  useEffect(() => {
    if (!isOn) return
    let waiting: LiveEvent[] = []
    let timer: ReturnType<typeof setTimeout> | undefined
    const flush = (): void => {
      timer = undefined
      const bundle = waiting
      waiting = []
      setLog((before) => {
        const fresh = bundle.map((event, index) => ({ number: before.total + index + 1, event })).reverse()
        return { ...before, happenings: [...fresh, ...before.happenings].slice(0, MOST), total: before.total + bundle.length }
      })
      told.current.happened(bundle)
    }
    const stop = listen({
      event(event) {
        waiting.push(event)
        timer ??= setTimeout(flush, BUNDLE_MS)
      },
      state: (line) => setLog((before) => (before.line === line ? before : { ...before, line })),
      refused: () => told.current.refused(),
    })
    return () => {
      stop()
      clearTimeout(timer)
    }
  }, [isOn])

  return log
}
