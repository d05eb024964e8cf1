// Server-sent events out of the bytes of an answer, as the HTML standard has them (9.2.6). Pure: it knows neither fetch nor what is told.

/** One event: its name, and its data as text. */
export interface StreamEvent {
  readonly name: string
  readonly data: string
}

/** What reads pieces of text and gives the events that they complete. */
export class EventReader {
  #rest = ''
  #name = ''
  #data: string[] = []

  read(piece: string): StreamEvent[] {
    const lines = (this.#rest + piece).split(/\r\n|\n|\r(?!$)/)
    this.#rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.#line(line))
  }

  #line(line: string): StreamEvent[] {
    if (line === '') {
      const event = { name: this.#name === '' ? 'message' : this.#name, data: this.#data.join('\n') }
      const isEmpty = this.#data.length === 0
      this.#name = ''
      this.#data = []
      return isEmpty ? [] : [event]
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'event') this.#name = value
    if (field === 'data') this.#data.push(value)
    return []
  }
}
