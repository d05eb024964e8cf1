// Pairs that book spend to a client, on their way to an anonymised sink: they are made of an entry that was read there, so what was
// replaced in it is in them already, and only what is new may be replaced. Where they are made of another ledger's, all of it is.

import { anonymiseEntry, REDACTED, type Anonymiser } from './anonymise.js'
import { ASSIGNED, type LedgerEntry } from './entry.js'
import { Replacing } from './replacing.js'
import { isAssignment } from './shapes.js'
import { entriesOf, type EntrySource } from './source.js'

/** How many entries are asked for at once. */
const ASKED = 500

/** Replaces what is chosen in entries that go to a sink; in pairs of which the sink has the entry that they were made of, only what is new. */
export async function anonymiseAssigned(entries: readonly LedgerEntry[], anonymiser: Anonymiser, sink: EntrySource): Promise<LedgerEntry[]> {
  const known = await knownTo(sink, entries.filter(isAssignment))
  const tenants = new Map(entries.filter((entry) => isAssignment(entry) && entry.tenant !== undefined).map((entry) => [originOf(entry), entry.tenant as string]))
  return entries.map((entry) => {
    if (!isAssignment(entry)) return anonymiseEntry(entry, anonymiser)
    // Why it was booked may name the client, in the one of the pair that has no tenant too.
    const tenant = tenants.get(originOf(entry))
    const said = tenant === undefined && anonymiser.replaces('tenant') ? withoutReason(entry) : entry
    const replacing = new Replacing(said, anonymiser, tenant === undefined ? [] : [[tenant, 'tenant']])
    const origin = known.get(originOf(entry))
    return origin !== undefined && saidBy(origin) === saidBy(entry) ? replacing.assignment() : replacing.entry()
  })
}

async function knownTo(sink: EntrySource, pairs: readonly LedgerEntry[]): Promise<ReadonlyMap<string, LedgerEntry>> {
  const known = new Map<string, LedgerEntry>()
  for (let first = 0; first < pairs.length; first += ASKED) {
    const some = pairs.slice(first, first + ASKED)
    const texts = [...new Set(some.map(originIdOf))]
    const [least, most] = [Math.min(...some.map(({ at }) => at)), Math.max(...some.map(({ at }) => at))]
    const asked = { fields: [{ field: 'id', texts, orNone: false }] as const, bounds: [{ field: 'at', least, most }] as const }
    for await (const entry of entriesOf(sink, asked)) known.set(identityOf(entry.id, entry), entry)
  }
  return known
}

function originIdOf({ id }: LedgerEntry): string {
  return id.slice(0, id.lastIndexOf(`:${ASSIGNED}:`))
}

function originOf(entry: LedgerEntry): string {
  return identityOf(originIdOf(entry), entry)
}

function identityOf(id: string, { at, openedAt }: LedgerEntry): string {
  return JSON.stringify([id, at, openedAt ?? null])
}

/** All that can be replaced in a pair, and is that of its entry. */
function saidBy({ userId, tier, sessionId, scopes, provider, requestedModel, model, metadata }: LedgerEntry): string {
  return JSON.stringify([userId, tier, sessionId, scopes ?? {}, provider, requestedModel, model, metadata ?? {}], inOrder)
}

function withoutReason(entry: LedgerEntry): LedgerEntry {
  const { assignment } = entry.details ?? {}
  return assignment?.reason === undefined ? entry : { ...entry, details: { ...entry.details, assignment: { ...assignment, reason: REDACTED } } }
}

/** Databases keep keys in an order of their own. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
