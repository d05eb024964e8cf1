// How figures and instants are written for people. Pure; what is unknown is a dash.

/** An amount of USD: cents from a dollar on, finer below. */
export function money(usd: number): string {
  const size = Math.abs(usd)
  const sign = usd < 0 ? '−' : ''
  if (size !== 0 && size < 0.000_1) return `${sign}< $0.0001`
  const digits = size >= 10_000 ? 0 : size === 0 || size >= 1 ? 2 : 4
  return `${sign}$${size.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })}`
}

/** An amount in a unit: money, or a count with its unit. */
export function amount(value: number, unit: string): string {
  return unit === 'usd' ? money(value) : counted(value, unit.replace(/s$/, ''))
}

/** A whole number. */
export function count(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 0 })
}

/** How many there are of something: `1 call`, `2 calls`. */
export function counted(value: number, one: string): string {
  return `${count(value)} ${one}${value === 1 ? '' : 's'}`
}

/** A percentage; what is not the whole of a limit is never rounded to it. */
export function percent(value: number): string {
  const shown = value > 0 && value < 0.1 ? '< 0.1' : value >= 1_000 ? count(value) : value.toLocaleString('en', { maximumFractionDigits: 1 })
  return `${shown !== '100' || value === 100 ? shown : value > 100 ? '> 100' : '< 100'}%`
}

/** A length of time in its two largest units: `3 d 4 h`, `12 min`. */
export function lasting(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (ms <= 0) return 'now'
  if (minutes < 1) return `${Math.max(1, Math.floor(ms / 1_000))} s`
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days >= 60) return `${count(days)} d`
  if (days > 0) return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`
  if (hours > 0) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return `${minutes} min`
}

/** The time from one instant to another. */
export function between(from: string, to: string): number {
  return Date.parse(to) - Date.parse(from)
}

/** A time of day, with its date where that is not the day of `now`. */
export function clockTime(at: string, timeZone: string, now: string): string {
  const instant = new Date(at)
  const day = (date: Date): string => date.toLocaleDateString('en', { timeZone })
  const time = instant.toLocaleTimeString('en-GB', { timeZone, hour12: false })
  return day(instant) === day(new Date(now)) ? time : `${instant.toLocaleDateString('en-GB', { timeZone, day: 'numeric', month: 'short' })} ${time.slice(0, 5)}`
}

/** A date with its time. */
export function moment(at: string, timeZone: string): string {
  return new Date(at).toLocaleString('en-GB', { timeZone, dateStyle: 'medium', timeStyle: 'short' })
}

/** A date with its time, and how far that is from UTC: which of two it is where the clocks are put back. */
export function momentInZone(at: string, timeZone: string): string {
  return new Date(at).toLocaleString('en-GB', { timeZone, day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit', timeZoneName: 'shortOffset' }).replace('GMT', 'UTC').replace(/UTC\+0$/, 'UTC')
}

/** A name as text that can be seen: characters that turn or hide others are written as what they are. */
export function shown(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The number that somebody has written in digits, with a point where it has one; `undefined` for anything else. */
export function numberIn(text: string): number | undefined {
  return /^\d{1,15}(\.\d{1,8})?$/.test(text) ? Number(text) : undefined
}
