// How fast money goes, from what was spent in whole steps of time. Pure, in integers: a rate is a fraction, never a float. Knows no
// window, no ledger and no clock.

/** What was spent in consecutive steps, all whole and of one length, the oldest first, in the integers of a unit. None is negative. */
export interface SpendSeries {
  readonly amounts: readonly bigint[]
  readonly stepMs: number
  /** How many steps make up the rhythm in which people work: 7 days, 24 hours. */
  readonly stepsPerRhythm: number
}

/** So much in so many milliseconds. */
export interface Rate {
  readonly amount: bigint
  readonly ms: bigint
}

/** The rate that is expected to go on, and the lowest and highest that there is reason to expect. */
export interface BurnRate {
  readonly low: Rate
  readonly expected: Rate
  readonly high: Rate
}

/** Below so many steps nothing is said. */
export const FEWEST_STEPS = 3
const HALVINGS = 20

/**
 * The expected rate is the weighted mean of all steps, in which the latest week of days (day of hours) counts twice as much as the one
 * before it, and so on back: so it follows a change within days, a weekend is always weighed against its whole week, and one
 * wild day of four weeks moves it by a thirteenth of itself at the most. The range runs from the quietest to the busiest whole stretch of
 * one rhythm; of single steps, where fewer than two rhythms were seen.
 *
 * Weights only fall with age, so a smaller step never raises any of the three rates, and another idle one neither the expected
 * nor the highest.
 */
export function burnRateOf({ amounts, stepMs, stepsPerRhythm }: SpendSeries): BurnRate {
  let weighted = 0n
  let weights = 0n
  amounts.forEach((amount, index) => {
    const weight = 2n ** BigInt(Math.max(0, HALVINGS - Math.floor((amounts.length - 1 - index) / stepsPerRhythm)))
    weighted += weight * amount
    weights += weight
  })
  const expected = { amount: weighted, ms: weights * BigInt(stepMs) }
  const length = amounts.length >= 2 * stepsPerRhythm ? stepsPerRhythm : 1
  const stretches = stretchesOf(amounts, length).map((amount) => ({ amount, ms: BigInt(length * stepMs) }))
  return {
    low: stretches.reduce((low, rate) => (isFaster(low, rate) ? rate : low), expected),
    expected,
    high: stretches.reduce((high, rate) => (isFaster(rate, high) ? rate : high), expected),
  }
}

/** What a rate comes to in a time, rounded down. */
export function amountOver({ amount, ms }: Rate, lengthMs: number): bigint {
  return (amount * BigInt(lengthMs)) / ms
}

/** The same, rounded up. */
export function amountOverAtMost({ amount, ms }: Rate, lengthMs: number): bigint {
  return (amount * BigInt(lengthMs) + ms - 1n) / ms
}

/** After how many milliseconds a rate has spent an amount; `null` where it spends nothing. */
export function msUntil({ amount, ms }: Rate, spent: bigint): bigint | null {
  if (spent <= 0n) return 0n
  return amount === 0n ? null : (spent * ms + amount - 1n) / amount
}

function isFaster(a: Rate, b: Rate): boolean {
  return a.amount * b.ms > b.amount * a.ms
}

/** The sums of all stretches of so many consecutive steps. */
function stretchesOf(amounts: readonly bigint[], length: number): bigint[] {
  const sums: bigint[] = []
  let sum = 0n
  amounts.forEach((amount, index) => {
    sum += amount - (index >= length ? (amounts[index - length] as bigint) : 0n)
    if (index >= length - 1) sums.push(sum)
  })
  return sums
}
