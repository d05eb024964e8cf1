// The frames that everything stands in: a panel with its heading, a place that is empty and says what to do, a failure in its own words.

import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

/** A part of a page under a heading. */
export function Panel({ title, note, actions, children }: { readonly title: string; readonly note?: ComponentChildren; readonly actions?: ComponentChildren; readonly children: ComponentChildren }) {
  const id = useId()
  return (
    <section class="panel" aria-labelledby={id}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
        {note !== undefined && <p class="note">{note}</p>}
        {actions}
      </div>
      {children}
    </section>
  )
}

/** Nothing is here, and why. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <div class="empty">{children}</div>
}

/** What has failed, said aloud. */
export function Failure({ children }: { readonly children: ComponentChildren }) {
  return (
    <p class="failure" role="alert">
      <Sign name="block" /> <span>{children}</span>
    </p>
  )
}

/** Says over figures that they are of a part of the ledger alone. `of`: of which time; `what`: which figures. */
export function Incomplete({ of, what }: { readonly of: string; readonly what: string }) {
  return (
    <p class="incomplete" role="note">
      <Sign name="warn" />
      <span>
        <b>The ledger here does not have all of {of}.</b> {what} Name the whole ledger in the configuration of the server.
      </span>
    </p>
  )
}

/** What has been done, said in passing. */
export function Done({ children }: { readonly children: ComponentChildren }) {
  return (
    <p class="done" role="status">
      {children}
    </p>
  )
}

const SIGNS = {
  allow: 'M3 8.5l3.2 3.2L13 5',
  warn: 'M8 3v6.2M8 12.2v.6',
  degrade: 'M8 3v9M4 8.4L8 12.4l4-4',
  block: 'M4 4l8 8M12 4l-8 8',
  settled: 'M2.5 6h11M2.5 10h11',
  threshold: 'M2 12l4-5 3 2.5L14 3',
  changed: 'M3 11.5l7-7 1.8 1.8-7 7H3z',
} as const

/** A small sign beside a word, so that nothing is told by colour alone. */
export function Sign({ name }: { readonly name: keyof typeof SIGNS }) {
  return (
    <svg class="sign" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true" focusable="false">
      <path d={SIGNS[name]} fill="none" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  )
}

/** An action of the engine: a sign and its word. */
export function ActionMark({ action }: { readonly action: string }) {
  const name = action.toLowerCase()
  const sign = name in SIGNS ? (name as keyof typeof SIGNS) : 'settled'
  return (
    <span class={`mark mark-${sign}`}>
      <Sign name={sign} /> {action}
    </span>
  )
}
