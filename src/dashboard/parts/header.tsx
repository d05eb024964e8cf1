// What stands over every page: the pages, the search for a user, how the line to the server is, light or dark, and the way out.

import { useState } from 'preact/hooks'
import type { StateView } from '../../server/seeing/views.js'
import type { LineState } from '../data/live.js'
import { userLink, type Place } from '../data/place.js'
import { apply, heldTheme, type Theme } from '../data/theme.js'
import { textOf } from './form.js'
import { Name } from './names.js'

/** The header. `line` absent: nobody may look yet. `signOut` absent: no key was entered. */
export function Header({ state, place, line, isFresh, signOut }: { readonly state: StateView | undefined; readonly place: Place; readonly line: LineState | undefined; readonly isFresh: boolean; readonly signOut: (() => void) | undefined }) {
  const link = (page: Place['page'], href: string, words: string) => (
    <a href={href} aria-current={place.page === page ? 'page' : undefined}>
      {words}
    </a>
  )
  return (
    <header class="top">
      <a class="wordmark" href="#/">
        <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
          <rect width="32" height="32" rx="8" class="mark-ground" />
          <path d="M8 21.5h16M8 25h16" class="mark-lines" />
          <path d="M8 12h4v7H8zM14 7h4v12h-4zM20 10h4v9h-4z" class="mark-bars" />
        </svg>
        bursar
      </a>
      {line !== undefined && (
        <nav aria-label="Pages">
          {link('now', '#/', 'Now')}
          {link('limits', '#/limits', 'Limits')}
        </nav>
      )}
      {state !== undefined && <Search isOperator={state.caller.isOperator} />}
      <div class="top-end">
        {line !== undefined && <Line line={line} isFresh={isFresh} />}
        <ThemeButton />
        {signOut !== undefined && (
          <button type="button" class="quiet" onClick={signOut}>
            Sign out
          </button>
        )}
        {state !== undefined && signOut !== undefined && (
          <span class="who soft">
            <Name>{state.caller.name}</Name>
            {state.caller.tenant !== null && (
              <>
                {' of '}
                <Name>{state.caller.tenant}</Name>
              </>
            )}
          </span>
        )}
      </div>
    </header>
  )
}

function Search({ isOperator }: { readonly isOperator: boolean }) {
  const find = (event: Event): void => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget as HTMLFormElement)
    const userId = textOf(fields, 'user')
    if (userId !== undefined) location.hash = userLink(userId, textOf(fields, 'tenant'))
  }
  return (
    <form class="search" role="search" aria-label="Find a user" onSubmit={find}>
      <input name="user" aria-label="User id" placeholder="User id" autocomplete="off" spellcheck={false} />
      {isOperator && <input name="tenant" aria-label="Tenant, if any" placeholder="Tenant" autocomplete="off" spellcheck={false} />}
      <button type="submit">Find</button>
    </form>
  )
}

const LINES: Readonly<Record<LineState, string>> = { live: 'Live', connecting: 'Connecting', broken: 'Reconnecting', paused: 'Paused' }

function Line({ line, isFresh }: { readonly line: LineState; readonly isFresh: boolean }) {
  return (
    <span class={`line line-${isFresh ? line : 'broken'}`} role="status">
      <span class="lamp" aria-hidden="true" />
      {isFresh ? LINES[line] : 'No answer'}
    </span>
  )
}

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' }

function ThemeButton() {
  const [theme, setTheme] = useState(heldTheme)
  const turn = (): void => {
    const next = NEXT[theme]
    apply(next)
    setTheme(next)
  }
  return (
    <button type="button" class="quiet theme" onClick={turn} aria-label={`Colours: ${theme}. Change to ${NEXT[theme]}.`} title={`Colours: ${theme}`}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        {theme === 'light' ? <path d="M8 4.6a3.4 3.4 0 100 6.8 3.4 3.4 0 000-6.8zM8 0v2.6M8 13.4V16M0 8h2.6M13.4 8H16M2.3 2.3l1.9 1.9M11.8 11.8l1.9 1.9M13.7 2.3l-1.9 1.9M4.2 11.8l-1.9 1.9" fill="none" stroke="currentColor" stroke-width="1.5" /> : theme === 'dark' ? <path d="M13.5 10A6 6 0 016 2.5a6 6 0 107.5 7.5z" fill="currentColor" /> : <path d="M8 1.5a6.5 6.5 0 100 13 6.5 6.5 0 000-13zm0 1.5v10A5 5 0 018 3z" fill="currentColor" fill-rule="evenodd" />}
      </svg>
    </button>
  )
}
