// The text of reports: made once for all who ask for the same at the same time, and where that took long, believed for a while. What is too
// long to be kept goes to whoever asked first, as it is made.

import { Briefly } from '../administration/briefly.js'

/** How much of a report is kept, in characters, and how many reports are. */
const LONGEST = 1_048_576
const MOST_KEPT = 32

interface Begun {
  text: string
  /** What comes after the text, where it is too long to be kept; once somebody reads it, it is gone. */
  rest: AsyncIterator<string> | undefined
  readonly isWhole: boolean
}

/** The reports of a service. */
export class ReportTexts {
  readonly #known = new Briefly<Begun>(undefined, MOST_KEPT)

  /** The text by its key: one that is known, or is being made, else the pieces. Rejects with what their beginning fails with. */
  async pieces(key: string, make: () => AsyncIterable<string>): Promise<AsyncIterable<string>> {
    const begun = await this.#known.get(key, () => begin(make()))
    if (begun.isWhole) return only(begun.text)
    const { text, rest } = begun
    if (rest === undefined) return make()
    begun.text = ''
    begun.rest = undefined
    return goingOn(text, rest)
  }
}

async function begin(pieces: AsyncIterable<string>): Promise<Begun> {
  const iterator = pieces[Symbol.asyncIterator]()
  const parts: string[] = []
  for (let length = 0; length < LONGEST; ) {
    const { done, value } = await iterator.next()
    if (done === true) return { text: parts.join(''), rest: undefined, isWhole: true }
    parts.push(value)
    length += value.length
  }
  return { text: parts.join(''), rest: iterator, isWhole: false }
}

async function* only(text: string): AsyncIterable<string> {
  yield text
}

async function* goingOn(text: string, rest: AsyncIterator<string>): AsyncIterable<string> {
  try {
    yield text
    for (;;) {
      const { done, value } = await rest.next()
      if (done === true) return
      yield value
    }
  } finally {
    await rest.return?.()
  }
}
