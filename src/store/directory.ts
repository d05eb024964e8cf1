// What a store knows of users beside their spending: which tier they have, which limits of their own, and what they have paid for.

import type { Billing, Overrides, UserRef } from '../budget/index.js'
import type { MaybePromise } from './maybe-promise.js'

/** What the directory knows of a user. */
export interface DirectoryEntry {
  readonly tier?: string | undefined
  readonly overrides?: Overrides | undefined
  readonly billing?: Billing | undefined
}

/**
 * A change to a directory entry: `null` takes a value away, what is absent stays. One with `billing` of a lower fence than the entry's
 * changes nothing; nor does one that `replaces` other billing than the entry's.
 */
export interface DirectoryChange {
  readonly tier?: string | null | undefined
  readonly overrides?: { readonly [period: string]: Overrides[string] | null } | undefined
  readonly billing?: Billing | null | undefined
  /** The fence of the billing from which the change was worked out; 0: there was none. */
  readonly replaces?: number | undefined
}

/** Which tier a user has, which limits of their own, and how they stand. An entry is replaced, never changed: its identity tells what it says. */
export interface Directory {
  /**
   * What this process remembers of the user, without asking a distant store: `reserve` and `record` are told what was remembered
   * and answer `outdated` where it no longer holds. Absent: there is nothing quicker than `get`.
   */
  remembered?(user: UserRef): MaybePromise<DirectoryEntry | undefined>
  /** What the directory says now. */
  get(user: UserRef): MaybePromise<DirectoryEntry | undefined>
  /** Merges a change in one step and gives the entry before and after it. */
  change(user: UserRef, change: DirectoryChange): MaybePromise<{ readonly before: DirectoryEntry; readonly after: DirectoryEntry }>
}

/** A user that a store has counted or that its directory names, with the tier last seen. */
export interface KnownUser {
  readonly user: UserRef
  readonly tier: string | undefined
}
