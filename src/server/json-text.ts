// JSON of plain data with dates in it, as JSON.stringify writes it, in half the time: most of that goes into dates, and decisions are full of
// the same ones.

/** Text that JSON writes as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** How many instants are remembered: the ends of calendar windows are few. */
const MOST_INSTANTS = 1_000
const instants = new Map<number, string>()

/** The JSON of strings, finite numbers, booleans, null, dates, arrays and objects without a `toJSON`; fields that are `undefined` are left out. */
export function jsonText(value: unknown): string {
  if (typeof value === 'string') return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)
  if (typeof value === 'number') return value - value === 0 ? `${value}` : 'null'
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (typeof value !== 'object' || value === null) return 'null'
  if (value instanceof Date) return instantText(value)
  if (Array.isArray(value)) return arrayText(value)
  let text = ''
  for (const key in value) {
    const field: unknown = (value as Readonly<Record<string, unknown>>)[key]
    if (field !== undefined) text += `${text === '' ? '' : ','}${PLAIN.test(key) ? `"${key}"` : JSON.stringify(key)}:${jsonText(field)}`
  }
  return `{${text}}`
}

function arrayText(values: readonly unknown[]): string {
  let text = ''
  for (let at = 0; at < values.length; at += 1) text += at === 0 ? jsonText(values[at]) : `,${jsonText(values[at])}`
  return `[${text}]`
}

function instantText(date: Date): string {
  const at = date.getTime()
  const known = instants.get(at)
  if (known !== undefined) return known
  if (instants.size >= MOST_INSTANTS) instants.clear()
  const text = JSON.stringify(date)
  instants.set(at, text)
  return text
}
