// What scopes are called, on every page the same: `tenant acme`, `user bob (acme)`, `each user (acme)`, `global`.

/** A scope, or whom a limit covers. */
interface Named {
  readonly kind: string
  readonly id?: string | undefined
  readonly tenant?: string | undefined
}

/** The name of a scope for people; the tenant, where it is a user's, behind it. */
export function scopeText({ kind, id, tenant }: Named): string {
  const name = kind === 'global' ? 'global' : id === '*' ? `each ${kind}` : `${kind} ${id}`
  return tenant === undefined ? name : `${name} (${tenant})`
}
