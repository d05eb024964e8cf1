// The dashboard as a whole: who looks (a key, where the server wants one), where they are, and the state that every page shares.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { LiveEvent, StateView } from '../server/seeing/views.js'
import { clockTime } from './data/figures.js'
import { useLiveLog } from './data/live-log.js'
import { usePlace, type Place } from './data/place.js'
import { heldKey, keepKey } from './data/session.js'
import { useWatched } from './data/watch.js'
import { KeyEntry } from './pages/key-entry.js'
import { Limits } from './pages/limits.js'
import { Now } from './pages/now.js'
import { User } from './pages/user.js'
import { Header } from './parts/header.js'
import { Empty, Failure } from './parts/panel.js'

const EVERY_MS = 5_000
/** So long after an event a state is sure to have it. */
const SETTLED_MS = 500

/** The page. Everything of one key is thrown away with it. */
export function App() {
  const [visit, setVisit] = useState<{ readonly number: number; readonly reason: string | undefined; readonly isShut: boolean }>({ number: 0, reason: undefined, isShut: false })
  const shut = useCallback((reason: string | undefined): void => {
    keepKey(undefined)
    setVisit((before) => ({ number: before.number + 1, reason, isShut: true }))
  }, [])
  const enter = (key: string): void => {
    keepKey(key)
    setVisit((before) => ({ number: before.number + 1, reason: undefined, isShut: false }))
  }
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      {visit.isShut ? <Outside key={visit.number} reason={visit.reason} enter={enter} /> : <Inside key={visit.number} shut={shut} />}
    </>
  )
}

function Outside({ reason, enter }: { readonly reason: string | undefined; readonly enter: (key: string) => void }) {
  const place = usePlace()
  return (
    <>
      <Header state={undefined} place={place} line={undefined} isFresh={true} signOut={undefined} />
      <KeyEntry reason={reason} enter={enter} />
    </>
  )
}

function Inside({ shut }: { readonly shut: (reason: string | undefined) => void }) {
  const place = usePlace()
  const hadKey = heldKey() !== undefined
  const { view: state, error, soon } = useWatched<StateView>('/v1/state', EVERY_MS)
  const [version, setVersion] = useState(0)
  const isKnown = state !== undefined
  const refused = useCallback((reason: string): void => shut(hadKey ? reason : undefined), [hadKey, shut])
  const happened = (events: readonly LiveEvent[]): void => {
    soon()
    if (events.some(({ type }) => type === 'changed')) setVersion((before) => before + 1)
  }
  const log = useLiveLog(isKnown, happened, () => soon())

  useEffect(() => {
    if (error?.status === 401 || (error?.status === 403 && hadKey)) refused(error.message)
  }, [error])
  useEffect(() => {
    // A state may be a moment older than what was just told.
    const [newest] = log.happenings
    if (state !== undefined && newest !== undefined && Date.parse(state.now) < Date.parse(newest.event.at) + SETTLED_MS) soon()
  }, [state])
  useTitle(place, state)

  return (
    <>
      <Header state={state} place={place} line={log.line} isFresh={error === undefined} signOut={hadKey ? () => shut(undefined) : undefined} />
      <main id="main" tabindex={-1}>
        {error !== undefined && (
          <Failure>
            {error.message}
            {state !== undefined && ` What stands below is of ${clockTime(state.now, state.timeZone, state.now)}.`}
          </Failure>
        )}
        {state === undefined ? error === undefined && <Empty>Looking …</Empty> : <Page place={place} state={state} log={log} version={version} soon={soon} refused={refused} />}
      </main>
      {state !== undefined && (
        <footer class="foot">
          Times in {state.timeZone}, money in USD. State of <time dateTime={state.now}>{clockTime(state.now, state.timeZone, state.now)}</time>. <a href="/docs">API</a>
        </footer>
      )}
    </>
  )
}

function Page({ place, state, log, version, soon, refused }: { readonly place: Place; readonly state: StateView; readonly log: ReturnType<typeof useLiveLog>; readonly version: number; readonly soon: () => void; readonly refused: (reason: string) => void }) {
  if (place.page === 'user') return <User key={JSON.stringify([place.tenant, place.userId])} userId={place.userId} tenant={place.tenant} state={state} log={log} refused={refused} />
  if (place.page === 'limits') return <Limits state={state} version={version} stateSoon={soon} refused={refused} />
  return <Now state={state} log={log} />
}

/** The title says where one is; after a change of the page, reading begins at its top. */
function useTitle(place: Place, state: StateView | undefined): void {
  const where = place.page === 'user' ? place.userId : place.page === 'limits' ? 'Limits' : 'Now'
  const first = useRef(true)
  useEffect(() => {
    document.title = `${where} · bursar`
    if (!first.current && state !== undefined) {
      scrollTo(0, 0)
      document.getElementById('main')?.focus({ preventScroll: true })
    }
    first.current = false
  }, [where])
}

/** Goes to the content without touching the part of the address that says where one is. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}
