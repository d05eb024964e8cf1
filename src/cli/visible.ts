// Text of anybody's that is shown on a terminal: what would move the cursor, change colours or turn the line around is written out.

/** Controls (C0, DEL, C1), line and paragraph separators, what turns the direction of writing, and halves of surrogate pairs. */
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** The text with every character that is not seen, or does something, as `\n` or `\u001b`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
