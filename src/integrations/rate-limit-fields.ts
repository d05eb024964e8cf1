// The header fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11) of a user's own limited windows. They are
// structured fields (RFC 9651): names are strings, amounts integers.

import type { ScopeId, WindowView } from '../enforcement/index.js'
import { parseDuration } from '../time/index.js'

/** The most that an integer of a structured field can be. */
const LARGEST = 999_999_999_999_999
const ROLLING = 'rolling:'

/** The names of units: requests are what a field without one counts; the others are bursar's. */
const UNITS: Readonly<Record<WindowView['unit'], string>> = { usd: ';qu="microcents"', tokens: ';qu="tokens"', requests: '' }

/** What became of the request. */
export interface Answered {
  /** What it holds itself is not there any more for the next one. Nothing else that came after the decision is counted. */
  readonly isAdmitted: boolean
  readonly retryAfterS?: number | undefined
}

/** True for money that is one user's alone. */
export function isOwn({ kind }: ScopeId): boolean {
  return kind === 'user' || kind === 'session'
}

/**
 * The two fields; none where the user has no limited window. Money counts in microcents (1 USD = 100,000,000). `now`: ms since the epoch,
 * by the clock of the windows. A limit of more than 15 digits is left out.
 */
export function rateLimitFields(windows: readonly WindowView[], now: number, answered: Answered): Readonly<Record<string, string>> {
  const told = windows.filter(({ scope, exact }) => isOwn(scope) && exact.limit !== null && exact.limit <= LARGEST)
  if (told.length === 0) return {}
  return { 'ratelimit-policy': told.map(policyItem).join(', '), ratelimit: told.map((window) => limitItem(window, now, answered)).join(', ') }
}

function policyItem(window: WindowView): string {
  const lengthMs = lengthOf(window)
  return `${nameOf(window)};q=${window.exact.limit}${UNITS[window.unit]}${lengthMs === undefined ? '' : `;w=${Math.max(1, Math.ceil(lengthMs / 1_000))}`}`
}

function limitItem(window: WindowView, now: number, { isAdmitted, retryAfterS }: Answered): string {
  const { limit, spent, held, estimate } = window.exact
  const left = Math.max(0, (limit as number) - spent - held - (isAdmitted ? estimate : 0))
  const untilResetS = window.resetsAt === null ? undefined : Math.max(0, Math.ceil((window.resetsAt.getTime() - now) / 1_000))
  // What is used leaves a rolling window bit by bit: Retry-After may come before the last of it has.
  const untilS = untilResetS === undefined || retryAfterS === undefined || !isRolling(window) ? untilResetS : Math.min(untilResetS, retryAfterS)
  return `${nameOf(window)};r=${left}${untilS === undefined ? '' : `;t=${untilS}`}`
}

/** `"daily"`, `"daily/tokens"`, `"session/total"`: bursar's own words, never an id. */
function nameOf({ scope, period, unit }: WindowView): string {
  const name = `${scope.kind === 'user' ? '' : `${scope.kind}/`}${period}${unit === 'usd' ? '' : `/${unit}`}`
  if (/^[a-z0-9:/]+$/.test(name)) return `"${name}"`
  return `"${name.replaceAll(/[^\x20-\x7e]/g, '').replaceAll(/["\\]/g, '\\$&')}"`
}

function lengthOf(window: WindowView): number | undefined {
  if (isRolling(window)) return parseDuration(window.period.slice(ROLLING.length), 'period')
  return window.resetsAt === null ? undefined : window.resetsAt.getTime() - window.startsAt.getTime()
}

function isRolling({ period }: WindowView): boolean {
  return period.startsWith(ROLLING)
}
