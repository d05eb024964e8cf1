// Who is served when: so many at once in all, and so few of one endpoint that one which answers slowly keeps nobody else waiting. Knows
// nothing of what is done.

const MOST_AT_ONCE = 256
const MOST_OF_ONE = 4

/** Work by endpoint, each piece of it under a name: one that waits or runs is not taken twice. */
export class Turns<Piece> {
  readonly #work: (piece: Piece) => Promise<void>
  readonly #names = new Set<string>()
  readonly #waiting = new Map<string, { readonly name: string; readonly piece: Piece }[]>()
  readonly #runningOf = new Map<string, number>()
  readonly #running = new Set<Promise<void>>()

  /** `work` never rejects. */
  constructor(work: (piece: Piece) => Promise<void>) {
    this.#work = work
  }

  /** Begins a piece, now or when it is its turn. */
  add(of: string, name: string, piece: Piece): void {
    if (this.#names.has(name)) return
    this.#names.add(name)
    const line = this.#waiting.get(of)
    if (line === undefined) this.#waiting.set(of, [{ name, piece }])
    else line.push({ name, piece })
    this.#next()
  }

  /** Those that have not begun never do. */
  forgetWaiting(): void {
    for (const line of this.#waiting.values()) for (const { name } of line) this.#names.delete(name)
    this.#waiting.clear()
  }

  /** When nothing waits or runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #next(): void {
    for (const [of, line] of this.#waiting) {
      while (line.length > 0 && this.#running.size < MOST_AT_ONCE && (this.#runningOf.get(of) ?? 0) < MOST_OF_ONE) this.#begin(of, line.shift()!)
      if (line.length === 0) this.#waiting.delete(of)
    }
  }

  #begin(of: string, { name, piece }: { readonly name: string; readonly piece: Piece }): void {
    this.#runningOf.set(of, (this.#runningOf.get(of) ?? 0) + 1)
    const running = this.#work(piece).then(() => {
      this.#running.delete(running)
      this.#names.delete(name)
      const rest = (this.#runningOf.get(of) ?? 1) - 1
      if (rest === 0) this.#runningOf.delete(of)
      else this.#runningOf.set(of, rest)
      this.#next()
    })
    this.#running.add(running)
  }
}
