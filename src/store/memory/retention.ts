// How long an id is remembered after its end: a queue in the order of ending, bounded by time and by number.

/** Something that is remembered by its id. */
interface Remembered {
  readonly id: string
}

const LEAST_ROOM = 64

/** Forgets what ended longer ago than `keepMs`, and the oldest where there are more than `most`. */
export class Retention<T extends Remembered> {
  readonly #keepMs: number
  readonly #most: number
  readonly #forget: (remembered: T) => void
  // A ring that doubles: a place that is left is emptied at once, so that nothing forgotten is kept alive by it.
  #ring: (T | undefined)[] = new Array<T | undefined>(LEAST_ROOM).fill(undefined)
  #endedAt: number[] = new Array<number>(LEAST_ROOM).fill(0.5)
  #first = 0
  #size = 0

  constructor(keepMs: number, most: number, forget: (remembered: T) => void) {
    this.#keepMs = keepMs
    this.#most = most
    this.#forget = forget
  }

  /** Remembers what ended at `endedAt`, which never goes back. */
  add(remembered: T, endedAt: number): void {
    if (this.#size === this.#most) this.#drop()
    if (this.#size === this.#ring.length) this.#grow()
    const place = (this.#first + this.#size) & (this.#ring.length - 1)
    this.#ring[place] = remembered
    this.#endedAt[place] = endedAt
    this.#size += 1
  }

  /** Forgets what has been remembered long enough at `now`. */
  advance(now: number): void {
    while (this.#size > 0 && (this.#endedAt[this.#first] as number) + this.#keepMs <= now) this.#drop()
  }

  #drop(): void {
    const forgotten = this.#ring[this.#first] as T
    this.#ring[this.#first] = undefined
    this.#first = (this.#first + 1) & (this.#ring.length - 1)
    this.#size -= 1
    this.#forget(forgotten)
  }

  #grow(): void {
    const before = this.#ring.length
    const order = Array.from({ length: before }, (_, index) => (this.#first + index) & (before - 1))
    const empty = new Array<undefined>(before).fill(undefined)
    this.#ring = [...order.map((place) => this.#ring[place]), ...empty]
    this.#endedAt = [...order.map((place) => this.#endedAt[place] as number), ...new Array<number>(before).fill(0.5)]
    this.#first = 0
  }
}
