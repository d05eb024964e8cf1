// Compares windows with Temporal around every transition of every time zone, and prints the count as JSON. A program of its own,
// because the time zone of the process (TZ) can only be set at its start, and must not matter.
//
// node --import tsx sweep.ts (bursar | usual-recipe) [zone …]

import { Calendar, type CalendarRule, type ConsecutiveSpans, type Span } from '../../../src/time/index.js'
import { Oracle, historyOf, transitionsOf } from './oracle.js'
import { usualRecipe } from './usual-recipe.js'
import { everyZone } from './zones.js'

/** What one sweep found. A check is one window, with its neighbours where the subject has them, at one instant in one zone. */
export interface SweepReport {
  readonly subject: string
  readonly processTimeZone: string
  readonly zones: number
  readonly histories: number
  readonly transitions: number
  readonly checks: number
  readonly mismatches: number
  readonly examples: readonly string[]
  readonly seconds: number
}

type Shape = Omit<CalendarRule, 'timeZone'>
type Subject = (rule: CalendarRule) => { at(instant: number): Span; around?(instant: number): ConsecutiveSpans }

const fromMs = Date.UTC(2018, 0, 1)
const toMs = Date.UTC(2038, 0, 1)
const hourMs = 3_600_000
const yearMs = 366 * 24 * hourMs
const aroundTransitionMs = [-25 * hourMs, -hourMs, -1, 0, 1, hourMs, 25 * hourMs]
// For zones that have few transitions or none: two in a leap year, two at the ends of short months, and two beside the new year.
const anywhere = ['2018-03-01T11:30', '2020-02-29T23:59', '2024-02-29T00:00', '2026-11-30T18:45', '2030-12-31T23:30', '2037-01-01T00:30']

const shapes: Shape[] = [
  { unit: 'day', weekStartsOn: 1, monthStartsOn: 1 },
  ...([0, 1, 4] as const).map((weekStartsOn) => ({ unit: 'week' as const, weekStartsOn, monthStartsOn: 1 })),
  ...[1, 15, 29, 31].map((monthStartsOn) => ({ unit: 'month' as const, weekStartsOn: 1 as const, monthStartsOn })),
]

const subjects: Record<string, { make: Subject; takes(shape: Shape): boolean }> = {
  // Not shared ones, which would stay in memory: thousands of them.
  bursar: { make: (rule) => new Calendar(rule), takes: () => true },
  'usual-recipe': { make: (rule) => ({ at: (instant) => usualRecipe(rule, instant) }), takes: (shape) => shape.monthStartsOn === 1 },
}

function sweep(subjectName: string, zones: readonly string[]): SweepReport {
  const subject = subjects[subjectName]
  if (subject === undefined) throw new Error(`subject: "${subjectName}" is unknown. Use one of: ${Object.keys(subjects).join(', ')}.`)
  const startedMs = performance.now()
  const byHistory = groupByHistory(zones)
  let transitionCount = 0
  let checks = 0
  let mismatches = 0
  const examples: string[] = []
  for (const alike of byHistory.values()) {
    const representative = alike[0] as string
    const oracle = new Oracle(representative)
    const transitions = transitionsOf(representative, fromMs, toMs)
    transitionCount += transitions.length * alike.length
    const instants = [
      ...transitions.flatMap((transition) => aroundTransitionMs.map((offset) => transition + offset)),
      ...anywhere.map((text) => Date.parse(`${text}Z`)),
    ]
    for (const shape of shapes.filter(subject.takes)) {
      const expected = instants.map((instant) => neighbours(oracle, shape, instant))
      for (const timeZone of alike) {
        const calendar = subject.make({ ...shape, timeZone })
        for (const [index, instant] of instants.entries()) {
          checks += 1
          const [previous, running, next] = expected[index] as ConsecutiveSpans
          const found = calendar.at(instant)
          const around = calendar.around?.(instant)
          const agrees =
            same(found, running) &&
            (around === undefined || (same(around[0], previous) && same(around[1], running) && same(around[2], next)))
          if (agrees) continue
          mismatches += 1
          if (examples.length < 10) examples.push(describe(timeZone, shape, instant, running, found))
        }
      }
    }
  }
  return {
    subject: subjectName,
    processTimeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    zones: zones.length,
    histories: byHistory.size,
    transitions: transitionCount,
    checks,
    mismatches,
    examples,
    seconds: (performance.now() - startedMs) / 1000,
  }
}

// Zones whose clocks agree at all times share what the oracle says, never what the subject does. The year before and the year
// after are compared too: a window beside the first transition or the last one may reach into them.
function groupByHistory(zones: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>()
  for (const zone of zones) {
    const history = historyOf(zone, fromMs - yearMs, toMs + yearMs)
    const group = groups.get(history)
    if (group === undefined) groups.set(history, [zone])
    else group.push(zone)
  }
  return groups
}

function neighbours(oracle: Oracle, shape: Shape, instant: number): ConsecutiveSpans {
  const running = oracle.at(shape, instant)
  return [oracle.at(shape, running.startsAt - 1), running, oracle.at(shape, running.endsAt)]
}

function same(a: Span, b: Span): boolean {
  return a.startsAt === b.startsAt && a.endsAt === b.endsAt
}

function describe(timeZone: string, shape: Shape, instant: number, right: Span, found: Span): string {
  const text = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : String(ms))
  const span = ({ startsAt, endsAt }: Span) => `[${text(startsAt)}, ${text(endsAt)})`
  return `${timeZone} ${JSON.stringify(shape)} at ${text(instant)}: ${span(found)}, right is ${span(right)}`
}

const [subjectName = 'bursar', ...named] = process.argv.slice(2)
process.stdout.write(JSON.stringify(sweep(subjectName, named.length > 0 ? named : everyZone())))
