// Texts that must not be read, found again within other texts: in any case, percent-encoded, escaped as in JSON, but not as part of a
// longer word. Knows no entry.

/** Without one of these a text says nothing, and everything would be full of it. */
const TELLING = /[\p{L}\p{N}\p{So}]/u
const WORD_LETTER = /^[\p{L}\p{N}]$/u
/** Written without spaces: a name ends where another word begins. */
const SPACELESS = /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}]$/u
const LETTER_BEFORE = /[\p{L}\p{N}]$/u
/** The end of an escape is no part of the word behind it: `%20ann`, `\nann`. */
const ESCAPE_BEFORE = /(%[\da-f]{2}|\\[bfnrt]|\\u[\da-f]{4})$/i
const LONGEST_ESCAPE = 6
const LETTER_AFTER = /^[\p{L}\p{N}]/u

/** A text that is there as it is, if at all: nothing in it can be an escape. */
const ESCAPES = /[%\\+]/

/** Texts, and what stands for each: collected first, then taken out of other texts. */
export class Words {
  readonly #words = new Map<string, Word>()
  /** What was found in texts: the same ones come again within an entry. */
  readonly #swept = new Map<string, string>()

  /** True where there is nothing to take out. */
  get isEmpty(): boolean {
    return this.#words.size === 0
  }

  /** Adds a text. `inIds`: it is one that ids are made of, such as a user's; others are taken out of free text only. */
  add(text: string, shown: string, inIds: boolean): void {
    const known = this.#words.get(text)
    if (known !== undefined) known.inIds ||= inIds
    else if (TELLING.test(text)) this.#words.set(text, { text, shown, inIds, folded: folded(text), loose: folded(loose(text)) })
    this.#swept.clear()
  }

  /** What stands for exactly this text. */
  get(text: string): string | undefined {
    return this.#words.get(text)?.shown
  }

  /** A free text without any of the words. */
  sweptText(text: string): string {
    return this.#sweep(text, false)
  }

  /** An id, or another text by which entries are found together, without the words that ids are made of. */
  sweptId(text: string): string {
    return this.#sweep(text, true)
  }

  #sweep(text: string, isId: boolean): string {
    const key = `${isId ? 'i' : 't'}${text}`
    let swept = this.#swept.get(key)
    if (swept === undefined) this.#swept.set(key, (swept = this.#without(text, isId)))
    return swept
  }

  #without(text: string, isId: boolean): string {
    // Looking for a word is cheap, a pattern is not: one is made only of words that may be there.
    const isPlain = !ESCAPES.test(text)
    const [plain, decoded] = [folded(text), isPlain ? '' : folded(loose(text))]
    const found = [...this.#words.values()].filter((word) => (word.inIds || !isId) && (plain.includes(word.folded) || (!isPlain && decoded.includes(word.loose))))
    if (found.length === 0) return text
    found.sort((one, other) => other.text.length - one.text.length)
    const spans: Span[] = []
    for (const word of found) {
      for (const span of spansOf(word, text, isPlain)) {
        const match = text.slice(span.start, span.end)
        // What is there in this very case is the other's.
        const isOthers = match !== word.text && found.some((other) => other.text === match)
        if (!isOthers && !spans.some(({ start, end }) => span.start < end && start < span.end)) spans.push(span)
      }
    }
    let swept = ''
    let at = 0
    for (const { start, end, shown } of spans.sort((one, other) => one.start - other.start)) {
      swept += text.slice(at, start) + shown
      at = end
    }
    return swept + text.slice(at)
  }
}

interface Span {
  readonly start: number
  readonly end: number
  readonly shown: string
}

interface Word {
  readonly text: string
  readonly shown: string
  inIds: boolean
  readonly folded: string
  readonly loose: string
}

/** The same for texts that differ in case, or are composed otherwise. */
function folded(text: string): string {
  return text.normalize('NFC').toLowerCase().toUpperCase()
}

/** Without escapes, more or less: what stands in a text stands in this of it. */
function loose(text: string): string {
  return text
    .replace(/\\+u([\da-f]{4})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replace(/\\/g, '')
    .replace(/%(25)+(?=[\da-f]{2})/gi, '%')
    .replace(/(%[\da-f]{2})+/gi, (bytes) => new TextDecoder().decode(Uint8Array.from(bytes.slice(1).split('%'), (byte) => parseInt(byte, 16))))
    .replace(/\+/g, ' ')
}

/** Where a word stands in a text. Its bounds are looked at here: within a pattern they would take longer than all the rest. */
function spansOf({ text: word, shown }: Word, text: string, isPlain: boolean): Span[] {
  const pattern = patternOf(word, isPlain ? escapedLetter : letterPattern)
  const letters = [...word]
  const [isBoundedBefore, isBoundedAfter] = [bounded(letters[0]), bounded(letters.at(-1))]
  const spans: Span[] = []
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [start, end] = [match.index, match.index + match[0].length]
    const before = text.slice(Math.max(0, start - LONGEST_ESCAPE), start)
    const isWhole = !(isBoundedBefore && LETTER_BEFORE.test(before) && !ESCAPE_BEFORE.test(before)) && !(isBoundedAfter && LETTER_AFTER.test(text.slice(end, end + 2)))
    if (isWhole) spans.push({ start, end, shown })
    // By a whole letter: from within one a pattern looks at it again.
    else pattern.lastIndex = start + ((match[0].codePointAt(0) as number) > 0xffff ? 2 : 1)
  }
  return spans
}

function patternOf(word: string, patternOfLetter: (letter: string) => string): RegExp {
  const forms = new Set([word, word.normalize('NFC'), word.normalize('NFD')])
  return new RegExp([...forms].map((form) => [...form].map(patternOfLetter).join('')).join('|'), 'giu')
}

function bounded(letter = ''): boolean {
  return WORD_LETTER.test(letter) && !SPACELESS.test(letter)
}

/** One letter as it is, as its bytes are in a URL (encoded more than once, too), and as JSON escapes it. */
function letterPattern(letter: string): string {
  if (letter === '\\') return '(?:\\\\+|%(?:25)*5c)'
  const plain = escapedLetter(letter)
  const encoded = [...new Set([letter, letter.toLowerCase(), letter.toUpperCase()])].map((one) => [...new TextEncoder().encode(one)].map((byte) => `%(?:25)*${hex(byte, 2)}`).join(''))
  if (letter === ' ') return `(?:${plain}|\\+|${encoded.join('|')})`
  if (letter <= '~') return `(?:${letter === '"' || letter === '/' ? '\\\\*' : ''}${plain}|${encoded.join('|')})`
  const units = Array.from({ length: letter.length }, (_, at) => `\\\\+u${hex(letter.charCodeAt(at), 4)}`)
  return `(?:${plain}|${encoded.join('|')}|${units.join('')})`
}

function escapedLetter(letter: string): string {
  return letter.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
}

function hex(value: number, length: number): string {
  return value.toString(16).padStart(length, '0')
}
