// Text into rows of cells (RFC 4180): quotes, line breaks inside them, CRLF or LF, a byte order mark. Knows no columns.

/** One row of a text, counted from 1. */
export interface TextRow<Content> {
  readonly row: number
  readonly content: Content
  /** False for a last row that no line break ends. */
  readonly isEnded: boolean
}

/** Why a row that quotes make unreadable has no cells. */
export type BrokenQuote = 'open' | 'stray'

/** Beyond it a quote that is never closed would take in the whole file. */
const LONGEST_ROW = 262_144

/** Text in pieces, decoded. */
export async function* decoded(pieces: AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>): AsyncIterable<string> {
  // It also takes the byte order mark away.
  const decoder = new TextDecoder('utf-8')
  let isFirst = true
  for await (const piece of pieces) {
    const text = typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true })
    yield isFirst && text.startsWith('\uFEFF') ? text.slice(1) : text
    if (text !== '') isFirst = false
  }
  const rest = decoder.decode()
  if (rest !== '') yield rest
}

/** The lines of a text in batches, without their ends; empty ones are counted and left out. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncIterable<TextRow<string>[]> {
  let row = 0
  for await (const lines of rawLinesOf(pieces)) {
    const batch: TextRow<string>[] = []
    for (const { content: line, isEnded } of lines) {
      row += 1
      const content = line.endsWith('\r') ? line.slice(0, -1) : line
      if (content.trim() !== '') batch.push({ row, content, isEnded })
    }
    if (batch.length > 0) yield batch
  }
}

/**
 * The rows of a CSV in batches. A row counts once, however many lines its quoted cells have. Where a quote is never closed, or a cell goes on
 * after its closing quote, the row is broken: it has one line, and the next line begins the next row. So is a row of several lines
 * that has another number of cells than the first, or that `accepts` refuses: its quote closed somewhere else by chance.
 */
export async function* csvRowsOf(pieces: AsyncIterable<string>, separator = ',', accepts: Accepts = () => true): AsyncIterable<TextRow<readonly string[] | BrokenQuote>[]> {
  const reader = new RowReader(separator, accepts)
  for await (const lines of rawLinesOf(pieces)) {
    const batch = reader.read(lines)
    if (batch.length > 0) yield batch
  }
  const rest = reader.end()
  if (rest.length > 0) yield rest
}

/** Whether the cells of a row of several lines can be what they are under a header. */
type Accepts = (header: readonly string[], cells: readonly string[]) => boolean

type Line = Pick<TextRow<string>, 'content' | 'isEnded'>

class RowReader {
  readonly #separator: string
  // The lines of a row whose quote is still open.
  #open: Line[] = []
  #length = 0
  #row = 0
  #header: readonly string[] | undefined
  readonly #accepts: Accepts

  constructor(separator: string, accepts: Accepts) {
    this.#separator = separator
    this.#accepts = accepts
  }

  read(given: readonly Line[]): TextRow<readonly string[] | BrokenQuote>[] {
    const batch: TextRow<readonly string[] | BrokenQuote>[] = []
    // What is to be read again stands on top of what is still to be read.
    const again: Line[] = []
    for (let at = 0; at < given.length || again.length > 0; ) {
      const line = (again.pop() ?? given[at++]) as Line
      const found = this.#take(line)
      if (found === undefined) continue
      const { isEnded } = line
      this.#row += 1
      if (typeof found === 'string') {
        for (const later of this.#open.slice(1).reverse()) again.push(later)
        if (found !== '') batch.push({ row: this.#row, content: found, isEnded: true })
      } else {
        this.#header ??= found
        batch.push({ row: this.#row, content: found, isEnded })
      }
      this.#open = []
      this.#length = 0
    }
    return batch
  }

  /** What is left when there are no more lines. */
  end(): TextRow<readonly string[] | BrokenQuote>[] {
    const batch: TextRow<readonly string[] | BrokenQuote>[] = []
    while (this.#open.length > 0) {
      const [, ...rest] = this.#open
      batch.push({ row: (this.#row += 1), content: 'open', isEnded: true })
      this.#open = []
      this.#length = 0
      batch.push(...this.read(rest))
    }
    return batch
  }

  /** The cells of a row that a line ends; `undefined` while it goes on, and `''` for a line without anything. */
  #take(line: Line): readonly string[] | BrokenQuote | '' | undefined {
    const { content } = line
    this.#open.push(line)
    this.#length += content.length + 1
    const isFirst = this.#open.length === 1
    if (!content.includes('"')) {
      if (!isFirst) return this.#length > LONGEST_ROW ? 'open' : undefined
      const plain = content.endsWith('\r') ? content.slice(0, -1) : content
      return plain === '' ? '' : plain.split(this.#separator)
    }
    const cells = quotedCells(isFirst ? content : this.#open.map((each) => each.content).join('\n'), this.#separator)
    if (cells === 'open') return this.#length > LONGEST_ROW ? 'open' : undefined
    if (cells === 'stray' || isFirst || this.#header === undefined) return cells
    return cells.length === this.#header.length && this.#accepts(this.#header, cells) ? cells : 'stray'
  }
}

async function* rawLinesOf(pieces: AsyncIterable<string>): AsyncIterable<{ readonly content: string; readonly isEnded: boolean }[]> {
  let rest = ''
  for await (const piece of pieces) {
    const lines = (rest + piece).split('\n')
    rest = lines.pop() as string
    yield lines.map((content) => ({ content, isEnded: true }))
  }
  if (rest !== '') yield [{ content: rest, isEnded: false }]
}

/** The cells of a row that has quotes; what is wrong where the last one is still open, and where one goes on after its closing quote. */
function quotedCells(text: string, separator: string): string[] | BrokenQuote {
  const cells: string[] = []
  let at = 0
  for (;;) {
    let cell = ''
    const isQuoted = text[at] === '"'
    if (isQuoted) {
      for (;;) {
        const close = text.indexOf('"', at + 1)
        if (close < 0) return 'open'
        cell += text.slice(at + 1, close)
        at = close + 1
        if (text[at] !== '"') break
        cell += '"'
      }
    }
    const next = text.indexOf(separator, at)
    const end = next < 0 ? text.length : next
    const plain = text.slice(at, end)
    if (isQuoted && plain.trim() !== '') return 'stray'
    cells.push(cell + (next < 0 && plain.endsWith('\r') ? plain.slice(0, -1) : plain))
    if (next < 0) return cells
    at = next + separator.length
  }
}
