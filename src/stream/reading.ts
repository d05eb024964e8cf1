// What the pieces of a streamed answer say of its cost: shapes only. Who knows a provider's pieces gives a reader for them.

import { InvalidRequestError } from '../errors/index.js'
import type { Usage } from '../pricing/index.js'

/** What one piece of a stream says. */
export interface StreamReading {
  /** The model that answers. Another one than before, with no `id` that says otherwise, begins another answer: the two are added up. */
  readonly model?: string | undefined
  /** Whose model answers, where it is not the request's provider. */
  readonly provider?: string | undefined
  /** The provider's name of this answer. Another one than before begins another answer, such as a second try in the same stream: the two are added up. */
  readonly id?: string | undefined
  /** What this answer has used so far, as the provider counts it. A later reading replaces an earlier one field by field: within an answer it is never added up. */
  readonly usage?: Usage | undefined
  /** The `usage` is the provider's last word. */
  readonly isFinal?: boolean | undefined
  /** What the model wrote in this piece, its reasoning and the arguments of its tool calls included. */
  readonly text?: string | undefined
}

/**
 * Reads one piece of a stream; `undefined` where it says nothing of the cost. It answers at once: a promise is no reading. A reader that throws, or gives
 * what is no reading, is reported (`usage-error`), and nobody can read its piece: where the provider's last word is missing, the estimate is charged.
 */
export type StreamReader<Piece = unknown> = (piece: Piece) => StreamReading | undefined

const KINDS = { model: 'string', provider: 'string', id: 'string', usage: 'object', isFinal: 'boolean', text: 'string' } as const
const FIELDS = Object.keys(KINDS).join(', ')

/** What a reader gave, where that is a reading; `null` is `undefined`, as a whole and in a field. Throws `InvalidRequestError`. */
export function parseReading(given: unknown): StreamReading | undefined {
  if (given === undefined || given === null) return undefined
  if (isThenable(given)) {
    // Nobody waits for it, and its error is no error of the process.
    given.then(undefined, () => {})
    throw new InvalidRequestError(`read: gave a promise, and a reading is read at once. Give a function that is not async and returns { ${FIELDS} }.`)
  }
  if (!isPlainObject(given)) throw new InvalidRequestError(`read: gave ${shown(given)}, which is no reading. Return an object of ${FIELDS}, or undefined.`)
  const reading: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(given)) {
    const kind = Object.hasOwn(KINDS, field) ? KINDS[field as keyof typeof KINDS] : undefined
    if (kind === undefined) throw new InvalidRequestError(`read: ${JSON.stringify(field)} is no field of a reading. Use ${FIELDS}.`)
    if (value === undefined || value === null) continue
    if (typeof value !== kind || Array.isArray(value)) throw new InvalidRequestError(`read: ${field} is ${shown(value)} where ${kind === 'object' ? 'a Usage' : `a ${kind}`} was expected. Correct it, or leave it out.`)
    reading[field] = value
  }
  return reading as StreamReading
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === 'function'
}

/** Whichever realm it comes from. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === null || Object.getPrototypeOf(proto) === null
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' || typeof value === 'function' ? `a${typeof value === 'object' ? 'n object of a class' : ' function'}` : JSON.stringify(value) ?? typeof value
}
