// How long an id is remembered after its end: a queue in the order of ending, bounded by time and by number.

/** Something that is remembered by its id. */
interface Remembered {
  readonly id: string
}

const COMPACT_ABOVE = 1_024

/** Forgets what ended longer ago than `keepMs`, and the oldest where there are more than `most`. */
export class Retention<T extends Remembered> {
  readonly #keepMs: number
  readonly #most: number
  readonly #forget: (remembered: T) => void
  #queue: T[] = []
  #endedAt: number[] = []
  #head = 0

  constructor(keepMs: number, most: number, forget: (remembered: T) => void) {
    this.#keepMs = keepMs
    this.#most = most
    this.#forget = forget
  }

  /** Remembers what ended at `endedAt`, which never goes back. */
  add(remembered: T, endedAt: number): void {
    this.#queue.push(remembered)
    this.#endedAt.push(endedAt)
    if (this.#queue.length - this.#head > this.#most) this.#drop()
  }

  /** Forgets what has been remembered long enough at `now`. */
  advance(now: number): void {
    while (this.#head < this.#queue.length && (this.#endedAt[this.#head] as number) + this.#keepMs <= now) this.#drop()
  }

  #drop(): void {
    this.#forget(this.#queue[this.#head] as T)
    this.#head += 1
    if (this.#head > COMPACT_ABOVE && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#endedAt = this.#endedAt.slice(this.#head)
      this.#head = 0
    }
  }
}
