// Light or dark: as the system has it, until somebody wants it otherwise. Canvases are told of a change, because they do not follow it by
// themselves.

import { useEffect, useState } from 'preact/hooks'

/** What somebody wants. */
export type Theme = 'system' | 'light' | 'dark'

const NAME = 'bursar-theme'
const dark = matchMedia('(prefers-color-scheme: dark)')

/** The theme as it was left. */
export function heldTheme(): Theme {
  const held = localStorage.getItem(NAME)
  return held === 'light' || held === 'dark' ? held : 'system'
}

/** Puts a theme on the page. */
export function apply(theme: Theme): void {
  if (theme === 'system') {
    localStorage.removeItem(NAME)
    delete document.documentElement.dataset['theme']
  } else {
    localStorage.setItem(NAME, theme)
    document.documentElement.dataset['theme'] = theme
  }
  dispatchEvent(new Event('bursar-theme'))
}

/** A number that changes with the colours. */
export function useColours(): number {
  const [turn, setTurn] = useState(0)
  useEffect(() => {
    const next = (): void => setTurn((before) => before + 1)
    dark.addEventListener('change', next)
    addEventListener('bursar-theme', next)
    return () => {
      dark.removeEventListener('change', next)
      removeEventListener('bursar-theme', next)
    }
  }, [])
  return turn
}

/** What a custom property of the page is now, as a colour for a canvas. */
export function colour(property: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(${property})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
