// Sums by stretch of time of a ledger that can only be read from end to end: once, whatever the report. Knows no database.

import { callsOf, entriesOf, nextTurn, textOf, type Conditions, type EntryField, type EntrySource, type EntrySum } from '../ledger/index.js'
import { ExactSum } from '../money/index.js'
import type { Span } from '../time/index.js'
import type { Stretches } from './hours.js'

/** The sums of one stretch of time. */
export interface StretchSums {
  readonly stretch: Span
  readonly sums: readonly EntrySum[]
}

/** How many entries are added before the process may turn to something else. */
const LOOKED_AT = 5_000

interface Group {
  readonly texts: readonly (string | undefined)[]
  readonly tokens: ExactSum
  readonly microcents: ExactSum
  entries: number
  calls: number
  denials: number
}

/** The sums of the entries that match, by stretch and by the texts of fields: the stretches in order, only those with entries. */
export async function readSums(source: EntrySource, conditions: Conditions, by: readonly EntryField[], stretches: Stretches): Promise<readonly StretchSums[]> {
  const found = new Map<number, { readonly stretch: Span; readonly groups: Map<string, Group> }>()
  let seen = 0
  for await (const entry of entriesOf(source, conditions)) {
    if ((seen += 1) % LOOKED_AT === 0) await nextTurn()
    const stretch = stretches.at(entry.at)
    let inStretch = found.get(stretch.startsAt)
    if (inStretch === undefined) found.set(stretch.startsAt, (inStretch = { stretch, groups: new Map() }))
    const texts = by.map((field) => textOf(entry, field))
    const key = JSON.stringify(texts.map((text) => text ?? null))
    let group = inStretch.groups.get(key)
    if (group === undefined) inStretch.groups.set(key, (group = { texts, tokens: new ExactSum(), microcents: new ExactSum(), entries: 0, calls: 0, denials: 0 }))
    group.tokens.add(entry.tokens)
    group.microcents.add(entry.microcents)
    group.entries += 1
    group.calls += callsOf(entry)
    if (entry.kind === 'denied') group.denials += 1
  }
  const inOrder = [...found.values()].sort((one, other) => one.stretch.startsAt - other.stretch.startsAt)
  return inOrder.map(({ stretch, groups }) => ({
    stretch,
    sums: [...groups.values()].map(({ tokens, microcents, ...counts }) => ({ bucket: 0, ...counts, tokens: tokens.value, microcents: microcents.value })),
  }))
}
