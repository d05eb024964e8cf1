// JSON of plain data with dates in it, as JSON.stringify writes it, in half the time: most of that goes into dates, and decisions are full of
// the same ones.

/** Text that JSON writes as it is. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/

/** How many instants are remembered: the ends of calendar windows are few. */
const MOST_INSTANTS = 1_000
const instants = new Map<number, string>()

/** How many names of fields are: the library's own come first, and are fewer. */
const MOST_NAMES = 500
const names = new Map<string, string>()

/** The JSON of strings, finite numbers, booleans, null, dates, arrays and objects without a `toJSON`; fields that are `undefined` are left out. */
export function jsonText(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return PLAIN.test(value) ? `"${value}"` : JSON.stringify(value)
    case 'number':
      return value - value === 0 ? `${value}` : 'null'
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      if (value === null) return 'null'
      if (Array.isArray(value)) return arrayText(value)
      return value instanceof Date ? instantText(value) : objectText(value as Readonly<Record<string, unknown>>)
    default:
      return 'null'
  }
}

function objectText(value: Readonly<Record<string, unknown>>): string {
  let text = '{'
  for (const name in value) {
    const field = value[name]
    if (field !== undefined) text += text.length === 1 ? `${nameText(name)}${jsonText(field)}` : `,${nameText(name)}${jsonText(field)}`
  }
  return `${text}}`
}

function arrayText(values: readonly unknown[]): string {
  if (values.length === 0) return '[]'
  let text = `[${jsonText(values[0])}`
  for (let at = 1; at < values.length; at += 1) text += `,${jsonText(values[at])}`
  return `${text}]`
}

function nameText(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  const text = `${JSON.stringify(name)}:`
  if (names.size < MOST_NAMES) names.set(name, text)
  return text
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
