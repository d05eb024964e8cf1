// Values of labels, so few that a monitoring system can bear them: those that are known from the configuration, or the first so many that
// are seen. All others are one.

/** What stands for all values that have no label of their own. */
export const OTHER = 'other'

/** What stands for no value. */
export const NONE = 'none'

/** The labels of one dimension. */
export class BoundedLabels {
  readonly #known: Set<string>
  readonly #most: number

  /** `known` are labels from the beginning; beside them at most `more`, in the order in which they are seen. */
  constructor(known: Iterable<string>, more: number) {
    this.#known = new Set(known)
    this.#most = this.#known.size + more
  }

  /** The label for a value. A label that was given once stays. */
  of(value: string | undefined): string {
    if (value === undefined || value === '') return NONE
    if (this.#known.has(value)) return value
    if (this.#known.size >= this.#most) return OTHER
    this.#known.add(value)
    return value
  }
}
