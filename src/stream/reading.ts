// What the pieces of a streamed answer say of its cost: shapes only. Who knows a provider's pieces gives a reader for them.

import type { Usage } from '../pricing/index.js'

/** What one piece of a stream says. */
export interface StreamReading {
  /** The model that answers. */
  readonly model?: string | undefined
  /** Whose model answers, where it is not the request's provider. */
  readonly provider?: string | undefined
  /** What was used so far, as the provider counts it. A later reading replaces an earlier one field by field: it is never added up. */
  readonly usage?: Usage | undefined
  /** The `usage` is the provider's last word. */
  readonly isFinal?: boolean | undefined
  /** What the model wrote in this piece, its reasoning and the arguments of its tool calls included. */
  readonly text?: string | undefined
}

/** Reads one piece of a stream; `undefined` where it says nothing of the cost. A reader that throws is reported, and its piece says nothing. */
export type StreamReader<Piece = unknown> = (piece: Piece) => StreamReading | undefined
