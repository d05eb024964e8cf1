// An embedded store answers at once, a distant one later: the type of both.

/** A value, or a promise of it: an embedded store answers at once, a distant one later. */
export type MaybePromise<T> = T | Promise<T>

/** True for a promise, also for one of another library: what is only `then`-able must be awaited too. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as Partial<Promise<T>> | undefined)?.then === 'function'
}
