// How long the conversations are that a provider keeps: what is sent to go on with one says only its id. Knows no provider.

import type { Usage } from '../pricing/index.js'

/** What stands in a conversation after one of its answers. */
export interface Kept {
  readonly tokens: number
  readonly isText: boolean
}

/** More conversations than one process has open at a time. */
const MOST_REMEMBERED = 10_000

/** The answers whose conversations this process has seen, by their ids: what comes next reads at most what they read and wrote. */
export class Conversations {
  readonly #kept = new Map<string, Kept>()

  /** What stands behind an id; `undefined` where that is not known. */
  behind(id: unknown): Kept | undefined {
    return typeof id === 'string' ? this.#kept.get(id) : undefined
  }

  /** Remembers an answer by what it has used. */
  note(id: unknown, { inputTokens, outputTokens = 0 }: Usage, isText: boolean): void {
    if (typeof id !== 'string' || inputTokens === undefined) return
    this.#kept.delete(id)
    this.#kept.set(id, { tokens: inputTokens + outputTokens, isText })
    const [oldest] = this.#kept.keys()
    if (this.#kept.size > MOST_REMEMBERED) this.#kept.delete(oldest as string)
  }
}
