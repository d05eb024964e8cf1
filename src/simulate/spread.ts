// What a log lacks, drawn by a seed: users by Zipf's law, their tiers, models by weight, and a short log repeated over a long time. The
// same seed gives the same requests; every rule says itself in words.

import { InvalidConfigError } from '../errors/index.js'
import { firstInstantOf, parseDuration, zoneOffsetMs, type Duration } from '../time/index.js'

/** Names with weights, such as `{ free: 0.8, pro: 0.2 }`; the weights need not add up to 1. */
export type Weights = Readonly<Record<string, number>>

/** What to draw where a log does not say it. */
export interface SpreadOptions {
  /** Default 1. */
  readonly seed?: number | undefined
  /** Users by Zipf's law: the k-th of them makes 1 / k^exponent as many requests as the first. Default exponent 1. */
  readonly users?: { readonly count: number; readonly exponent?: number | undefined } | undefined
  /** The tier of a user, by weight: each has one, the same for all requests. */
  readonly tiers?: Weights | undefined
  /** The model of a request, by weight. */
  readonly models?: Weights | undefined
  /** The whole log so many times over a span of time, each repetition at its own pace. */
  readonly repeat?: RepeatOptions | undefined
}

/** How a log is repeated. */
export interface RepeatOptions {
  readonly times: number
  /** From the first request on. */
  readonly over: Duration
  /** When repetitions start: evenly spaced over all of the time (default), or over 9 to 17 o'clock from Monday to Friday. */
  readonly starts?: 'evenly' | 'business-hours' | undefined
}

const DAY_MS = 86_400_000
const OPENS_MS = 9 * 3_600_000
const OPEN_FOR_MS = 8 * 3_600_000

/** Numbers from 0 up to 1 that a seed determines (the generator sfc32). */
export function seeded(seed: number): () => number {
  let a = seed | 0
  let b = Math.floor(seed / 4_294_967_296) | 0
  let c = 0x9e3779b9 | 0
  let counter = 1
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return (sum >>> 0) / 4_294_967_296
  }
  for (let round = 0; round < 12; round += 1) next()
  return next
}

/** Draws a place by its weight, in the same time however many there are (Walker's alias method). */
export function drawer(weights: readonly number[]): (random: () => number) => number {
  const count = weights.length
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const share = Float64Array.from(weights, (weight) => (weight * count) / total)
  const other = new Int32Array(count)
  const small: number[] = []
  const large: number[] = []
  share.forEach((part, place) => (part < 1 ? small : large).push(place))
  while (small.length > 0 && large.length > 0) {
    const low = small.pop() as number
    const high = large.at(-1) as number
    other[low] = high
    share[high] = (share[high] as number) - (1 - (share[low] as number))
    if ((share[high] as number) < 1) small.push(large.pop() as number)
  }
  for (const place of [...small, ...large]) share[place] = 1
  return (random) => {
    const place = Math.floor(random() * count)
    return random() < (share[place] as number) ? place : (other[place] as number)
  }
}

/** What is drawn for one row. */
export interface Drawn {
  readonly userId: string | undefined
  readonly tier: string | undefined
  readonly model: string | undefined
}

/** Checked options of a spread. */
export class Spread {
  readonly #seed: number
  readonly #ids: readonly string[] | undefined
  readonly #drawUser: ((random: () => number) => number) | undefined
  readonly #tierNames: readonly string[] | undefined
  readonly #drawTier: ((random: () => number) => number) | undefined
  readonly #tierOf: Uint16Array | undefined
  readonly #modelNames: readonly string[] | undefined
  readonly #drawModel: ((random: () => number) => number) | undefined
  readonly repeat: RepeatOptions | undefined
  /** The rules in words. */
  readonly rules: readonly string[]

  /** Throws `InvalidConfigError` for a count, a weight or a length that is none. */
  constructor({ seed = 1, users, tiers, models, repeat }: SpreadOptions) {
    this.#seed = seed
    this.repeat = repeat
    const rules: string[] = []
    if (users !== undefined) {
      const { count, exponent = 1 } = users
      const width = String(count).length
      this.#ids = Array.from({ length: count }, (_, index) => `user_${String(index + 1).padStart(width, '0')}`)
      this.#drawUser = drawer(Array.from({ length: count }, (_, index) => 1 / (index + 1) ** exponent))
      rules.push(`Users are drawn from ${count.toLocaleString('en')} by Zipf's law with exponent ${exponent} and seed ${seed}: user k makes 1/k${exponent === 1 ? '' : `^${exponent}`} as many requests as user 1.`)
    }
    if (tiers !== undefined) {
      this.#tierNames = Object.keys(tiers)
      this.#drawTier = drawer(weightsOf(tiers, 'spread.tiers'))
      this.#tierOf = this.#ids === undefined ? undefined : this.#tiersOfUsers(this.#ids.length, this.#drawTier)
      rules.push(`Each user has one tier, drawn by seed ${seed}: ${sharesOf(tiers)}.`)
    }
    if (models !== undefined) {
      this.#modelNames = Object.keys(models)
      this.#drawModel = drawer(weightsOf(models, 'spread.models'))
      rules.push(`The model of each request is drawn by seed ${seed}: ${sharesOf(models)}.`)
    }
    if (repeat !== undefined) {
      const when = repeat.starts === 'business-hours' ? 'evenly spaced over 9 to 17 o\'clock, Monday to Friday' : 'evenly spaced'
      rules.push(`The log is repeated ${repeat.times} times over ${repeat.over}: the repetitions start ${when}, and within each the requests keep their distances.`)
    }
    this.rules = rules
  }

  /** True where rows that say no user get one. */
  get drawsUsers(): boolean {
    return this.#ids !== undefined
  }

  /** Draws for one row after another, from the beginning. */
  start(): (userId: string | undefined) => Drawn {
    const random = seeded(this.#seed)
    const others = new Map<string, number>()
    return (known) => {
      let userId = known
      let tier: number | undefined
      if (known === undefined && this.#ids !== undefined) {
        const place = (this.#drawUser as (random: () => number) => number)(random)
        userId = this.#ids[place] as string
        tier = this.#tierOf?.[place]
      } else if (known !== undefined && this.#drawTier !== undefined) {
        tier = others.get(known)
        if (tier === undefined) others.set(known, (tier = this.#drawTier(seeded(this.#seed + hashOf(known)))))
      }
      const model = this.#drawModel === undefined ? undefined : this.#modelNames?.[this.#drawModel(random)]
      return { userId, tier: tier === undefined ? undefined : this.#tierNames?.[tier], model }
    }
  }

  #tiersOfUsers(count: number, draw: (random: () => number) => number): Uint16Array {
    const random = seeded(this.#seed + 0.5 * 4_294_967_296)
    return Uint16Array.from({ length: count }, () => draw(random))
  }
}

/**
 * When each repetition starts, in ms since the epoch; the first with the log itself. Throws `InvalidConfigError` where there is no business
 * hour in the span.
 */
export function startsOf({ times, over, starts = 'evenly' }: RepeatOptions, firstAt: number, timeZone: string): readonly number[] {
  const spanMs = parseDuration(over, 'spread.repeat.over')
  if (starts === 'evenly') return Array.from({ length: times }, (_, index) => firstAt + Math.floor((index * spanMs) / times))
  const midnight = Math.floor((firstAt + zoneOffsetMs(timeZone, firstAt)) / DAY_MS) * DAY_MS
  const weekdays: number[] = []
  for (let day = midnight; day < midnight + spanMs; day += DAY_MS) if (![0, 6].includes(new Date(day).getUTCDay())) weekdays.push(day)
  if (weekdays.length === 0) throw new InvalidConfigError(`spread.repeat.over: ${over} from the first request on has no day from Monday to Friday. Give a longer one, or starts: 'evenly'.`)
  const openMs = weekdays.length * OPEN_FOR_MS
  return Array.from({ length: times }, (_, index) => {
    const passed = Math.floor((index * openMs) / times)
    return firstInstantOf(timeZone, (weekdays[Math.floor(passed / OPEN_FOR_MS)] as number) + OPENS_MS + (passed % OPEN_FOR_MS))
  })
}

function weightsOf(weights: Weights, field: string): number[] {
  const list = Object.values(weights)
  if (list.some((weight) => weight > 0)) return list
  throw new InvalidConfigError(`${field}: names nothing with a weight above 0. Give names with weights, such as { free: 0.8, pro: 0.2 }.`)
}

function sharesOf(weights: Weights): string {
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0)
  return Object.entries(weights).map(([name, weight]) => `${name} ${Math.round((weight / total) * 10_000) / 100} %`).join(', ')
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
