// What the metadata of entries says that bursar writes itself: which of it are tiers, models, sessions and scopes, and which are amounts,
// times and words of bursar's own. Knows nobody who asks.

import { ASSIGNED, type LedgerEntry } from './entry.js'

/** What is asked for is mostly what is used: who hides one of them hides both. */
export const MODELS: readonly string[] = ['requestedModel', 'model']

/** What a value is: nobody's (`own`), a text of that field (or a list of them), a scope as `{ kind, id, tenant }`, or an object of such. */
export type Meaning = 'own' | 'tier' | 'model' | 'sessionId' | 'scope' | Shape

/** What the values of an object are; one that is not named is the application's. */
export interface Shape {
  readonly [key: string]: Meaning
}

const LIMIT: Shape = { limit: { scope: 'scope', budget: 'own', mode: 'own', from: 'own', until: 'own', thresholds: 'own' }, generation: 'own' }

/** By the reason of a `configured` entry. */
const CONFIGURED: Readonly<Record<string, Shape>> = {
  tier: { from: 'tier', to: 'tier' },
  'budget override': { budget: 'own', until: 'own' },
  'windows restarted': { since: 'own' },
  'limit created': LIMIT,
  'limit changed': LIMIT,
  'limit removed': {},
  'tenant set': { tier: 'tier', models: 'model' },
  'tenant removed': {},
  'session opened': { maxCost: 'own', maxTokens: 'own', parents: 'sessionId', startsAt: 'own', endsAt: 'own' },
  'session raised': { maxCost: 'own', maxTokens: 'own' },
  billing: {
    tier: 'tier', standing: 'own', pastDueFrom: 'own', period: 'own', endsAt: 'own', restartDue: 'own', fence: 'own', replaces: 'own',
    passedOver: { status: 'own', tier: 'tier' },
  },
} // prettier-ignore

/** An audit's counts. */
const AUDITED: Shape = { requests: 'own', entries: 'own' }

/** What the metadata of an entry says, where bursar wrote it; of any other, everything is the application's. */
export function shapeOf(entry: LedgerEntry): Shape {
  if (isOfAudit(entry)) return AUDITED
  return isConfigured(entry) ? (CONFIGURED[entry.reason as string] as Shape) : {}
}

/** True where the reason is one of bursar's own: it says what happened and nobody's name, and reports and audits look for it. */
export function hasOwnReason(entry: LedgerEntry): boolean {
  return entry.kind === 'denied' || isConfigured(entry) || isOfAudit(entry) || isAssignment(entry)
}

/** True for one of the pair that books spend to a client: an application's refund for that reason counts as no call. */
export function isAssignment({ kind, reason, calls }: LedgerEntry): boolean {
  return kind === 'corrected' && reason === ASSIGNED && calls !== undefined
}

function isConfigured({ kind, reason }: LedgerEntry): boolean {
  return kind === 'configured' && reason !== undefined && Object.hasOwn(CONFIGURED, reason)
}

/** An audit's belongs to no decision but itself. */
function isOfAudit({ kind, id, decisionId, reason }: LedgerEntry): boolean {
  return kind === 'corrected' && id === decisionId && reason === 'audit'
}
