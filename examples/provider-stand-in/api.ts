// What the server needs of an API that it speaks: how a request is read, and how an answer is written, whole or in pieces.

import type { Answer } from './answer.js'
import type { ApiError, Fields } from './fields.js'
import type { Provider } from './models.js'

/** A request, whatever the API. */
export interface Question {
  readonly model: string
  /** Who the bill is for. */
  readonly user: string
  /** What the model reads, in order. */
  readonly texts: readonly string[]
  /** The most that it may write; 0: it writes nothing. */
  readonly maxTokens: number
  /** Which of what it reads may come from a cache: some of it without being asked, or so many texts that were marked for one. */
  readonly cache: 'by itself' | { readonly texts: number; readonly forHour: boolean }
  /** The model may write for itself before it answers. */
  readonly reasons: boolean
  readonly stream: boolean
  /** What only the API itself understands. */
  readonly includeUsage?: boolean
  readonly encodings?: { readonly count: number; readonly asBase64: boolean }
}

/** One answer on its way. */
export interface Exchange {
  readonly id: string
  /** Unix time in seconds. */
  readonly createdS: number
  readonly question: Question
  readonly answer: Answer
  /** Numbers the events of a stream: 0, 1, 2 … */
  nextNumber(): number
}

/** One event of a stream. */
export interface StreamEvent {
  /** Where the API names its events. */
  readonly event?: string
  readonly data: object | '[DONE]'
}

/** One endpoint of a provider's API. */
export interface Api {
  readonly provider: Provider
  /** Throws `ApiError` 400, naming the parameter. */
  read(fields: Fields): Question
  /** The whole answer as JSON. */
  whole(exchange: Exchange): object
  /** Before the words; then for every few of them; then after them. */
  opening(exchange: Exchange): readonly StreamEvent[]
  part(exchange: Exchange, text: string): readonly StreamEvent[]
  closing(exchange: Exchange): readonly StreamEvent[]
  /** The body of an error. */
  error(error: ApiError): object
}
