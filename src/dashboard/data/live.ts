// The line to `/v1/live`: read by fetch, because an EventSource cannot send a key; taken up again when it breaks, slower each time; put down
// while nobody looks at the tab.

import type { LiveEvent } from '../../server/seeing/views.js'
import { AskError, open } from './ask.js'
import { EventReader } from './event-stream.js'

/** How the line stands. `paused`: the tab is hidden. */
export type LineState = 'connecting' | 'live' | 'broken' | 'paused'

/** Whoever listens. */
export interface LiveListener {
  event(event: LiveEvent): void
  state(state: LineState): void
  /** The key is not valid any more. */
  refused(error: AskError): void
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000
/** The server says something every 15 seconds: after so long without a byte the line is dead, whatever the socket says. */
const SILENCE_MS = 40_000

/** Listens until the function that it gives is called. */
export function listen(listener: LiveListener): () => void {
  let isOver = false
  let wait = FIRST_WAIT_MS
  let timer: ReturnType<typeof setTimeout> | undefined
  let line: AbortController | undefined

  const connect = async (): Promise<void> => {
    const own = new AbortController()
    line = own
    listener.state('connecting')
    try {
      const response = await open('/v1/live', { accept: 'text/event-stream', signal: own.signal })
      listener.state('live')
      await readEvents(response, own, (event) => {
        wait = FIRST_WAIT_MS
        listener.event(event)
      })
    } catch (error) {
      if (error instanceof AskError && error.status === 401 && !isOver) return listener.refused(error)
    }
    if (isOver || own !== line) return
    line = undefined
    listener.state('broken')
    timer = setTimeout(() => void connect(), wait * (0.75 + Math.random() / 2))
    wait = Math.min(LONGEST_WAIT_MS, wait * 2)
  }

  const putDown = (): void => {
    clearTimeout(timer)
    const own = line
    line = undefined
    own?.abort()
  }

  const look = (): void => {
    if (document.hidden) {
      putDown()
      listener.state('paused')
    } else if (line === undefined) {
      clearTimeout(timer)
      wait = FIRST_WAIT_MS
      void connect()
    }
  }

  document.addEventListener('visibilitychange', look)
  look()
  return () => {
    isOver = true
    document.removeEventListener('visibilitychange', look)
    putDown()
  }
}

async function readEvents(response: Response, line: AbortController, tell: (event: LiveEvent) => void): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  if (reader === undefined) return
  const events = new EventReader()
  let watchdog = setTimeout(() => line.abort(), SILENCE_MS)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(watchdog)
      watchdog = setTimeout(() => line.abort(), SILENCE_MS)
      for (const { data } of events.read(value)) {
        const event = parsed(data)
        if (event !== undefined) tell(event)
      }
    }
  } finally {
    clearTimeout(watchdog)
  }
}

/** What is no event of ours is passed over: a newer server may tell more. */
function parsed(data: string): LiveEvent | undefined {
  try {
    const event = JSON.parse(data) as LiveEvent
    return ['decision', 'settled', 'threshold', 'changed'].includes(event.type) ? event : undefined
  } catch {
    return undefined
  }
}
