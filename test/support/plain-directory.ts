// The directory of the plain store: a list of users with what is known of each.

import type { UserRef } from '../../src/budget/index.js'
import type { Directory, DirectoryChange, DirectoryEntry } from '../../src/store/index.js'

/** Every entry that says something, the one changed last at the end. */
export class PlainDirectory implements Directory {
  readonly all: { user: UserRef; entry: DirectoryEntry }[] = []

  get(user: UserRef): DirectoryEntry | undefined {
    return this.all.find((known) => isSame(known.user, user))?.entry
  }

  change(user: UserRef, change: DirectoryChange): { before: DirectoryEntry; after: DirectoryEntry } {
    const before = this.get(user) ?? {}
    if ((change.billing?.fence ?? Infinity) < (before.billing?.fence ?? -Infinity)) return { before, after: before }
    if (change.replaces !== undefined && (before.billing === undefined ? 0 : before.billing.fence) !== change.replaces) return { before, after: before }
    const after: { -readonly [Name in keyof DirectoryEntry]: DirectoryEntry[Name] } = { ...before }
    for (const name of ['tier', 'billing'] as const) {
      if (change[name] === null) delete after[name]
      else if (change[name] !== undefined) Object.assign(after, { [name]: structuredClone(change[name]) })
    }
    const merged = Object.entries({ ...before.overrides, ...change.overrides }).filter(([, override]) => override !== null)
    delete after.overrides
    if (merged.length > 0) after.overrides = Object.fromEntries(merged) as NonNullable<DirectoryEntry['overrides']>
    const rest = this.all.filter((known) => !isSame(known.user, user))
    this.all.splice(0, this.all.length, ...rest)
    if (Object.keys(after).length > 0) this.all.push({ user, entry: after })
    return { before, after }
  }
}

function isSame(a: UserRef, b: UserRef): boolean {
  return a.userId === b.userId && a.tenant === b.tenant
}
