// A date that stays what it is: what several policies see, none of them can move.

/** A `Date` whose setters throw. Everything else is as it is. */
export class FixedDate extends Date {}

for (const name of Object.getOwnPropertyNames(Date.prototype)) {
  if (!name.startsWith('set')) continue
  Object.defineProperty(FixedDate.prototype, name, {
    value: (): never => {
      throw new TypeError(`${name}: this date is shared and fixed. Copy it with new Date(date).`)
    },
  })
}
