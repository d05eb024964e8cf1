// Text into rows of cells (RFC 4180): quotes, line breaks inside them, CRLF or LF, a byte order mark. Knows no columns.

/** One row of a text, counted from 1. */
export interface TextRow<Content> {
  readonly row: number
  readonly content: Content
  /** False for a last row that no line break ends. */
  readonly isEnded: boolean
}

/** What is wrong with a text whose quotes do not close: the row in which it began. */
export class OpenQuote {
  readonly row: number

  constructor(row: number) {
    this.row = row
  }
}

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
 * The rows of a CSV in batches. A row counts once, however many lines its quoted cells have. Throws {@link OpenQuote} where the text ends
 * inside a quoted cell.
 */
export async function* csvRowsOf(pieces: AsyncIterable<string>, separator = ','): AsyncIterable<TextRow<readonly string[]>[]> {
  let row = 0
  let unfinished: string | undefined
  for await (const lines of rawLinesOf(pieces)) {
    const batch: TextRow<readonly string[]>[] = []
    for (const { content, isEnded } of lines) {
      const text: string = unfinished === undefined ? content : `${unfinished}\n${content}`
      if (text.includes('"')) {
        const cells = quotedCells(text, separator)
        if (cells === undefined) {
          if (text.length > LONGEST_ROW) throw new OpenQuote(row + 1)
          unfinished = text
          continue
        }
        row += 1
        batch.push({ row, content: cells, isEnded })
      } else {
        row += 1
        const line = text.endsWith('\r') ? text.slice(0, -1) : text
        if (line !== '') batch.push({ row, content: line.split(separator), isEnded })
      }
      unfinished = undefined
    }
    if (batch.length > 0) yield batch
  }
  if (unfinished !== undefined) throw new OpenQuote(row + 1)
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

/** The cells of a row that has quotes; `undefined` where the last one is still open. */
function quotedCells(text: string, separator: string): string[] | undefined {
  const cells: string[] = []
  let at = 0
  for (;;) {
    let cell = ''
    if (text[at] === '"') {
      for (;;) {
        const close = text.indexOf('"', at + 1)
        if (close < 0) return undefined
        cell += text.slice(at + 1, close)
        at = close + 1
        if (text[at] !== '"') break
        cell += '"'
      }
    }
    const next = text.indexOf(separator, at)
    const end = next < 0 ? text.length : next
    const plain = text.slice(at, end)
    cells.push(cell + (next < 0 && plain.endsWith('\r') ? plain.slice(0, -1) : plain))
    if (next < 0) return cells
    at = next + separator.length
  }
}
