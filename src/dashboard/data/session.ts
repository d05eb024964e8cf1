// The key that whoever looks has entered: it is kept for this tab and no longer, and is sent to nobody but the server that the page is from.

const NAME = 'bursar-key'

/** The key; `undefined`: none was entered. */
export function heldKey(): string | undefined {
  return sessionStorage.getItem(NAME) ?? undefined
}

/** Keeps a key until the tab is closed. `undefined` forgets it. */
export function keepKey(key: string | undefined): void {
  if (key === undefined) sessionStorage.removeItem(NAME)
  else sessionStorage.setItem(NAME, key)
}
