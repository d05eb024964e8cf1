// What happens, as it happens. The list moves as fast as the world does, and can be stopped; what is read aloud is a summary now and then.

import { useEffect, useRef, useState } from 'preact/hooks'
import type { LiveEvent } from '../../server/seeing/views.js'
import { clockTime, count, counted, money, percent, shown } from '../data/figures.js'
import type { Happening, LiveLog } from '../data/live-log.js'
import { Name, periodText, ScopeName, UserName } from './names.js'
import { ActionMark, Empty, Panel, Sign } from './panel.js'

const SHOWN = 12
const SPOKEN_EVERY_MS = 8_000

/** The ticker. */
export function Ticker({ log, timeZone, now, ownTenant }: { readonly log: LiveLog; readonly timeZone: string; readonly now: string; readonly ownTenant: string | null }) {
  const [stopped, setStopped] = useState<readonly Happening[] | undefined>(undefined)
  const spoken = useSpoken(log)
  const shownNow = (stopped ?? log.happenings).slice(0, SHOWN)
  const button = (
    <button type="button" class="quiet" aria-pressed={stopped !== undefined} onClick={() => setStopped(stopped === undefined ? log.happenings : undefined)}>
      {stopped === undefined ? 'Stop' : 'Go on'}
    </button>
  )
  return (
    <Panel title="Live" note={log.total === 0 ? undefined : `${count(log.total)} since you came`} actions={button}>
      <p class="only-heard" aria-live="polite">
        {spoken}
      </p>
      {shownNow.length === 0 ? (
        <Empty>Decisions and charges appear here as they happen.</Empty>
      ) : (
        <ol class="ticker">
          {shownNow.map(({ number, event }) => (
            <li key={number}>
              <time dateTime={event.at}>{clockTime(event.at, timeZone, now)}</time>
              <Line event={event} ownTenant={ownTenant} />
            </li>
          ))}
        </ol>
      )}
    </Panel>
  )
}

function Line({ event, ownTenant }: { readonly event: LiveEvent; readonly ownTenant: string | null }) {
  if (event.type === 'decision') {
    return (
      <>
        <ActionMark action={event.action} />
        <span class="tick-what">
          <UserName userId={event.userId} tenant={event.tenant} ownTenant={ownTenant} />
          {event.action === 'ALLOW' && <Model name={event.model} />}
        </span>
        <span class="number soft" title="estimated">
          ≈ {money(event.estimatedCost)}
        </span>
        {event.action !== 'ALLOW' && <span class="tick-reason">{shown(event.reason)}</span>}
      </>
    )
  }
  if (event.type === 'settled') {
    return (
      <>
        <span class="mark mark-settled">
          <Sign name="settled" /> {event.recorded === true ? 'recorded' : 'settled'}
        </span>
        <span class="tick-what">
          <UserName userId={event.userId} tenant={event.tenant} ownTenant={ownTenant} />
          <Model name={event.model} />
        </span>
        <b class="number">{money(event.cost)}</b>
      </>
    )
  }
  if (event.type === 'threshold') {
    return (
      <>
        <span class="mark mark-warn">
          <Sign name="threshold" /> {percent(event.thresholdPct)}
        </span>
        <span class="tick-what">
          <ScopeName scope={event.scope} ownTenant={ownTenant} /> <span class="soft">{periodText(event.period)}</span>
        </span>
        <span class="number">{percent(event.usedPct)} used</span>
      </>
    )
  }
  return (
    <>
      <span class="mark mark-changed">
        <Sign name="changed" /> changed
      </span>
      <span class="tick-what">{shown(event.what)}</span>
      <span />
    </>
  )
}

function Model({ name }: { readonly name: string | null }) {
  return name === null ? null : (
    <span class="soft">
      <Name>{name}</Name>
    </span>
  )
}

/** A sentence on what is new, at most every few seconds: nobody can listen to each event. */
function useSpoken(log: LiveLog): string {
  const [spoken, setSpoken] = useState('')
  const heard = useRef(0)
  const current = useRef(log)
  current.current = log
  useEffect(() => {
    const timer = setInterval(() => {
      const { total, happenings } = current.current
      const fresh = happenings.filter(({ number }) => number > heard.current)
      if (fresh.length === 0) return
      const blocked = fresh.filter(({ event }) => event.type === 'decision' && event.action === 'BLOCK').length
      const crossed = fresh.filter(({ event }) => event.type === 'threshold').length
      setSpoken(`${counted(total - heard.current, 'new event')}${blocked > 0 ? `, ${blocked} blocked` : ''}${crossed > 0 ? `, ${counted(crossed, 'threshold')} crossed` : ''}.`)
      heard.current = total
    }, SPOKEN_EVERY_MS)
    return () => clearInterval(timer)
  }, [])
  return spoken
}
