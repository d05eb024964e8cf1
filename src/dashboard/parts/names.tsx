// How users, tenants and scopes are called on the page. Whatever somebody has named is text, in a box of its own that can neither turn what
// stands beside it nor push it away.

import type { WindowRow } from '../../server/seeing/views.js'
import { shown } from '../data/figures.js'
import { userLink } from '../data/place.js'

/** A name as it was given. */
export function Name({ children }: { readonly children: string }) {
  return (
    <bdi class="name" title={children.length > 20 ? shown(children) : undefined}>
      {shown(children)}
    </bdi>
  )
}

/** A user with a link to their page; the tenant where it is not the reader's own. */
export function UserName({ userId, tenant, ownTenant }: { readonly userId: string; readonly tenant: string | null | undefined; readonly ownTenant: string | null }) {
  const isForeign = typeof tenant === 'string' && tenant !== ownTenant
  return (
    <a class="user-link" href={userLink(userId, isForeign ? tenant : undefined)}>
      <Name>{userId}</Name>
      {isForeign && (
        <span class="of-tenant">
          <Name>{tenant}</Name>
        </span>
      )}
    </a>
  )
}

/** Whose money a window counts. */
export function ScopeName({ scope, ownTenant }: { readonly scope: WindowRow['scope']; readonly ownTenant: string | null }) {
  const { kind, id, tenant } = scope
  if (kind === 'user' && id !== '*') return <UserName userId={id} tenant={tenant} ownTenant={ownTenant} />
  return (
    <span class="scope">
      <span class="scope-kind">{kindWords(kind, id)}</span>
      {kind !== 'global' && id !== '*' && (
        <>
          {' '}
          <Name>{id}</Name>
        </>
      )}
      {tenant !== undefined && tenant !== ownTenant && (
        <span class="of-tenant">
          <Name>{tenant}</Name>
        </span>
      )}
    </span>
  )
}

/** Whose money a window counts, as plain text. */
export function scopeText({ kind, id, tenant }: WindowRow['scope']): string {
  const words = kind === 'global' || id === '*' ? kindWords(kind, id) : `${kindWords(kind, id)} ${shown(id)}`
  return tenant === undefined ? words : `${words} of ${shown(tenant)}`
}

function kindWords(kind: string, id: string): string {
  if (kind === 'global') return 'Everything'
  if (id === '*') return `Each ${kind}`
  return kind === 'tier' ? 'All of tier' : kind.charAt(0).toUpperCase() + kind.slice(1)
}

/** A period in words: `rolling:5h` is "any 5h". */
export function periodText(period: string): string {
  return period.startsWith('rolling:') ? `any ${period.slice('rolling:'.length)}` : period
}
