// Texts that Postgres cannot keep, as texts that it can: NUL has no place in its texts, and half a surrogate pair none in UTF-8. Both are
// written as a mark and four digits, and so is the mark itself: every text has one spelling of its own, equal where the texts are equal.

/** A code point that stands for no character, so that texts of people hardly ever have it. */
const MARK = '\uffff'
const UNKEPT = /[\0\uffff]|\p{Surrogate}/gu
const UNKEPT_IN_JSON = /\\\\|\\u(0000|d[89a-f][0-9a-f]{2})|\uffff/g
const MARKED = /\uffff([0-9a-f]{4})/g

/** A text as it is kept. */
export function keptText(text: string): string {
  return text.replace(UNKEPT, (unit) => MARK + unit.charCodeAt(0).toString(16).padStart(4, '0'))
}

/** A kept text as it was. */
export function givenText(kept: string): string {
  return kept.includes(MARK) ? kept.replace(MARKED, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16))) : kept
}

/** What `JSON.stringify` gave, with every text in it as {@link keptText} has it. */
export function keptJson(json: string): string {
  // A backslash that is itself escaped begins nothing: both are passed over together.
  return json.replace(UNKEPT_IN_JSON, (found, digits?: string) => (digits === undefined ? (found === MARK ? `${MARK}ffff` : found) : MARK + digits))
}

/** What kept JSON says. */
export function readJson(kept: string): unknown {
  return JSON.parse(kept.includes(MARK) ? kept.replace(MARKED, '\\u$1') : kept)
}
