// Where on the dashboard somebody is: the part of the address behind `#`, so that the server serves one page and links can be kept.

import { useEffect, useState } from 'preact/hooks'

/** A page, and of whom. */
export type Place = { readonly page: 'now' } | { readonly page: 'limits' } | { readonly page: 'user'; readonly userId: string; readonly tenant: string | undefined }

/** The link to a user. */
export function userLink(userId: string, tenant: string | null | undefined): string {
  return `#/users/${encodeURIComponent(userId)}${typeof tenant === 'string' ? `?tenant=${encodeURIComponent(tenant)}` : ''}`
}

/** The place that a hash names; what names none is the first page. */
export function placeOf(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?')
  if (path === 'limits') return { page: 'limits' }
  const user = /^users\/(.+)$/.exec(path)?.[1]
  if (user === undefined) return { page: 'now' }
  try {
    return { page: 'user', userId: decodeURIComponent(user), tenant: new URLSearchParams(search).get('tenant') ?? undefined }
  } catch {
    return { page: 'now' }
  }
}

/** The place, as it changes. */
export function usePlace(): Place {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const changed = (): void => setHash(location.hash)
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  return placeOf(hash)
}
