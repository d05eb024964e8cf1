// Sums of integers that may pass 2^53: a counter stops there, the truth does not.

/** A sum that is always exact. */
export class ExactSum {
  #small = 0
  #large = 0n

  /** Adds an exact integer, also a negative one. */
  add(amount: number): void {
    const sum = this.#small + amount
    if (Number.isSafeInteger(sum)) {
      this.#small = sum
      return
    }
    this.#large += BigInt(this.#small) + BigInt(amount)
    this.#small = 0
  }

  get value(): bigint {
    return this.#large + BigInt(this.#small)
  }
}
