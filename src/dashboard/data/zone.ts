// Moments as people write them in the zone of the budgets, and back. Pure: the zones are those that the platform knows.

const DAY_MS = 86_400_000

/**
 * The moment of a local time such as `2026-12-01T09:30` in a zone. A time that a change of the clocks gives twice is the later one; of one
 * that it leaves out, the clock is already put forward. `undefined` for what is no local time.
 */
export function instantIn(text: string, timeZone: string): string | undefined {
  const wall = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN
  if (Number.isNaN(wall)) return undefined
  const candidates = [wall - DAY_MS, wall + DAY_MS].map((near) => wall - offsetAt(near, timeZone))
  const real = candidates.filter((instant) => instant + offsetAt(instant, timeZone) === wall)
  return new Date(Math.max(...(real.length > 0 ? real : candidates))).toISOString()
}

/** A moment as a local time of a zone, to the minute: what a field for one takes. */
export function wallTime(instant: string, timeZone: string): string {
  const at = Date.parse(instant)
  return new Date(at + offsetAt(at, timeZone)).toISOString().slice(0, 16)
}

/** How far the clocks of a zone are ahead of UTC. */
function offsetAt(at: number, timeZone: string): number {
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', era: 'short', year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' })
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, value]))
  const of = (name: string): number => Number(parts[name])
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second')) - Math.floor(at / 1_000) * 1_000
}
