// Who is served when: so many at once in all, and so few of one endpoint, and of all endpoints of one tenant, that those which answer slowly
// keep nobody else waiting. Knows nothing of what is done.

const MOST_AT_ONCE = 256
const MOST_OF_ONE = 4
/** Of one tenant's endpoints together, */
const MOST_OF_TENANT = 32
/** and of all tenants' together: the rest is the operator's. */
const MOST_OF_TENANTS = 192

/** Whose turn it is. */
export interface Turn {
  readonly endpoint: string
  /** The endpoint's; absent: the operator's. */
  readonly tenant?: string | undefined
  /** One that waits or runs is not taken twice. */
  readonly name: string
  /** Goes before those of its endpoint that are not. */
  readonly isFirst?: boolean | undefined
}

interface Waiting<Piece> {
  readonly turn: Turn
  readonly piece: Piece
}

interface Line<Piece> {
  readonly endpoint: string
  readonly tenant: string | undefined
  readonly first: Waiting<Piece>[]
  readonly rest: Waiting<Piece>[]
}

/** Work by endpoint. Whoever has the least under way is next, and of those whoever was not served for longest. */
export class Turns<Piece> {
  readonly #work: (piece: Piece) => Promise<void>
  readonly #names = new Set<string>()
  /** Whoever was not served for longest first. */
  readonly #lines = new Map<string, Line<Piece>>()
  readonly #runningOf = new Map<string, number>()
  readonly #runningOfTenant = new Map<string, number>()
  readonly #running = new Set<Promise<void>>()
  #ofTenants = 0

  /** `work` never rejects. */
  constructor(work: (piece: Piece) => Promise<void>) {
    this.#work = work
  }

  /** Begins a piece, now or when it is its turn. */
  add(turn: Turn, piece: Piece): void {
    const { endpoint, tenant, name, isFirst } = turn
    if (this.#names.has(name)) return
    this.#names.add(name)
    const line = this.#lines.get(endpoint) ?? { endpoint, tenant, first: [], rest: [] }
    this.#lines.set(endpoint, line)
    ;(isFirst === true ? line.first : line.rest).push({ turn, piece })
    this.#next()
  }

  /** Those that have not begun never do. */
  forgetWaiting(): void {
    for (const { first, rest } of this.#lines.values()) for (const { turn } of [...first, ...rest]) this.#names.delete(turn.name)
    this.#lines.clear()
  }

  /** When nothing waits or runs any more. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #next(): void {
    while (this.#running.size < MOST_AT_ONCE) {
      const line = this.#nextLine()
      if (line === undefined) return
      const next = (line.first.shift() ?? line.rest.shift()) as Waiting<Piece>
      this.#lines.delete(line.endpoint)
      if (line.first.length + line.rest.length > 0) this.#lines.set(line.endpoint, line)
      this.#begin(next)
    }
  }

  #nextLine(): Line<Piece> | undefined {
    let found: Line<Piece> | undefined
    let least = MOST_OF_ONE
    for (const line of this.#lines.values()) {
      const running = this.#runningOf.get(line.endpoint) ?? 0
      if (running >= least || !this.#hasRoom(line.tenant)) continue
      if (running === 0) return line
      found = line
      least = running
    }
    return found
  }

  #hasRoom(tenant: string | undefined): boolean {
    return tenant === undefined || (this.#ofTenants < MOST_OF_TENANTS && (this.#runningOfTenant.get(tenant) ?? 0) < MOST_OF_TENANT)
  }

  #begin({ turn: { endpoint, tenant, name }, piece }: Waiting<Piece>): void {
    count(this.#runningOf, endpoint, 1)
    if (tenant !== undefined) {
      count(this.#runningOfTenant, tenant, 1)
      this.#ofTenants += 1
    }
    const running = this.#work(piece).then(() => {
      this.#running.delete(running)
      this.#names.delete(name)
      count(this.#runningOf, endpoint, -1)
      if (tenant !== undefined) {
        count(this.#runningOfTenant, tenant, -1)
        this.#ofTenants -= 1
      }
      this.#next()
    })
    this.#running.add(running)
  }
}

function count(counts: Map<string, number>, name: string, more: number): void {
  const now = (counts.get(name) ?? 0) + more
  if (now === 0) counts.delete(name)
  else counts.set(name, now)
}
