// What costs much to find out, asked once for all who ask at the same time; and where it took long, believed for a while, so that whoever
// asks often takes no more than a share of the process.

import { steadyClock, type Clock } from '../../time/index.js'

interface Answer<T> {
  readonly value: Promise<T>
  /** When it was there, and how long that took; `undefined`: it is being found out. */
  readonly done?: { readonly at: number; readonly tookMs: number } | undefined
}

/** What takes less is asked anew each time. */
const QUICK_MS = 20
/** For how many times as long as it took an answer is believed. */
const BELIEVED = 5
const MOST = 1_000

/** Answers by key. */
export class Briefly<T> {
  readonly #answers = new Map<string, Answer<T>>()
  readonly #steady: Clock
  readonly #most: number

  /** Keeps so many answers at `most`. `steady` is for tests. */
  constructor(steady: Clock = steadyClock, most = MOST) {
    this.#steady = steady
    this.#most = most
  }

  /** The answer of a key: one that is believed, or is on its way, else what `find` gives. What fails is not kept. */
  get(key: string, find: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key)
    if (known !== undefined && (known.done === undefined || (known.done.tookMs >= QUICK_MS && this.#steady() < known.done.at + BELIEVED * known.done.tookMs))) return known.value
    const startedAt = this.#steady()
    const value = find()
    const asked = { value }
    this.#keep(key, asked)
    value.then(
      () => {
        const at = this.#steady()
        if (this.#answers.get(key) === asked) this.#answers.set(key, { value, done: { at, tookMs: at - startedAt } })
      },
      () => {
        if (this.#answers.get(key) === asked) this.#answers.delete(key)
      },
    )
    return value
  }

  /** Believes nothing any more: something has changed. */
  forget(): void {
    this.#answers.clear()
  }

  #keep(key: string, answer: Answer<T>): void {
    this.#answers.delete(key)
    if (this.#answers.size >= this.#most) this.#answers.delete(this.#answers.keys().next().value as string)
    this.#answers.set(key, answer)
  }
}
