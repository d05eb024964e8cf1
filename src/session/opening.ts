// How a session begins, or is found again by its id: from any process, on any store. What an id stands for is written once, and only
// its caps ever change.

import { z } from 'zod'
import { countSchema, idSchema, usdSchema, type SessionCaps, type UserRef } from '../budget/index.js'
import type { Identity } from '../decision/index.js'
import { InvalidRequestError, StoreUnavailableError, UnknownSessionError } from '../errors/index.js'
import { describeAmount, parseCount, parseUsd, toUsd, type Unit } from '../money/index.js'
import { parseDuration, type Duration } from '../time/index.js'
import { assertRuns, durationSchema, parseStrictly, withPlainMetadata, type Foundation, type KnownSession } from '../tracker/index.js'
import { unlessStoreAway } from './away.js'
import { noteSession } from './noting.js'
import { readFigures, Session, type NestedSessionConfig, type SessionEngine } from './session.js'

/** What `bursar.session()` takes. */
export interface SessionConfig<Tier extends string = string, Group extends string = string> extends NestedSessionConfig, Omit<Identity<Tier, Group>, 'userId' | 'sessionId'> {
  /** Whose session. May be left out inside `runAs`; there a new session is nested in that of the identity, if it has one. */
  readonly userId?: string | undefined
  /** How long a new one lives. Default 30 days. */
  readonly ttl?: Duration | undefined
}

const DEFAULT_TTL = '30d'
const MOST_ATTEMPTS = 5
/** Each session around another is a scope of every request in it. */
const MOST_AROUND = 16

const nestedSchema = { maxCost: usdSchema.optional(), maxTokens: countSchema.optional(), id: idSchema.optional() }
const schema = z.strictObject({
  ...nestedSchema,
  userId: idSchema,
  userTier: idSchema.optional(),
  tenant: idSchema.optional(),
  scopes: z.record(idSchema, idSchema.optional()).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
  ttl: durationSchema.optional(),
})

/** What opening needs of an engine. */
export interface OpeningEngine extends Omit<SessionEngine, 'nest'> {
  /** The same request, with the running identity where it does not say whose it is. */
  complete<Request extends object>(request: Request): Request
}

/**
 * Opens a session, or resumes it by its id. Rejects with `InvalidRequestError` or `InvalidAmountError` for what is none, for a new one
 * without a cap and for caps that are not those of the one that is there, and with `UnknownSessionError` for an id that is none of this
 * user's; then nothing has changed.
 */
export async function openSession<Tier extends string, Group extends string>(engine: OpeningEngine, config: SessionConfig<Tier, Group>): Promise<Session<Tier, Group>> {
  if (typeof config !== 'object' || config === null) throw new InvalidRequestError('session: is missing. Give { userId, maxCost }.')
  return unlessStoreAway('session()', () => openCompleted(engine, config))
}

async function openCompleted<Tier extends string, Group extends string>(engine: OpeningEngine, config: SessionConfig<Tier, Group>): Promise<Session<Tier, Group>> {
  const { sessionId: around, ...completed } = engine.complete(config) as SessionConfig & Pick<Identity, 'sessionId'>
  if ('sessionId' in config) throw new InvalidRequestError('sessionId: is no field of a new session. Give its id as id.')
  const { id, maxCost, maxTokens, ttl, ...identity } = withPlainMetadata(parseStrictly(schema, completed, 'session') as SessionConfig & { readonly userId: string })
  const nesting = nestingEngine(engine)
  const user = userOf(identity)
  const wanted = wantedOf({ id, maxCost, maxTokens })
  const ttlMs = parseDuration(ttl ?? DEFAULT_TTL, 'ttl')
  // Within runAs() a known session is resumed wherever it stands.
  const parents = around === undefined || around === id ? [] : await engine.foundation.accounts.sessions.look(user, around)
  return (await opened(nesting, user, identity, wanted, parents, ttlMs, false)) as unknown as Session<Tier, Group>
}

function nestingEngine(engine: OpeningEngine): SessionEngine {
  const nesting: SessionEngine = {
    ...engine,
    async nest(parents, { sessionId: _sessionId, ...identity }, config) {
      const wanted = wantedOf(parseStrictly(z.strictObject(nestedSchema), config, 'session') as NestedSessionConfig)
      return opened(nesting, userOf(identity), identity, wanted, parents, 0, true)
    },
  }
  return nesting
}

interface Wanted {
  readonly id: string | undefined
  readonly caps: SessionCaps
}

function wantedOf({ id, maxCost, maxTokens }: NestedSessionConfig): Wanted {
  const microcents = maxCost === undefined ? null : parseUsd(maxCost, 'maxCost', 'refuse')
  const tokens = maxTokens === undefined ? null : parseCount(maxTokens, 'maxTokens')
  return { id, caps: { microcents, tokens } }
}

async function opened(engine: SessionEngine, user: UserRef, identity: Identity, wanted: Wanted, parents: readonly KnownSession[], ttlMs: number, isNested: boolean): Promise<Session<string, string>> {
  const { foundation } = engine
  const now = await storeTime(foundation, user, identity)
  for (const parent of parents) assertRuns(parent, now)
  const chain = await found(foundation, user, wanted, parents, now, ttlMs, isNested, (session) => noteSession(engine, user, session.id, 'session opened', openedWith(session)))
  return new Session(engine, chain[0] as KnownSession, identity, await readFigures(foundation, chain))
}

/** The session that is wanted, the one of that id or a new one, and those around it. `now`: store time. */
async function found({ accounts: { sessions } }: Foundation, user: UserRef, { id, caps }: Wanted, parents: readonly KnownSession[], now: number, ttlMs: number, isNested: boolean, note: (opened: KnownSession) => Promise<void>): Promise<readonly KnownSession[]> {
  const [nearest] = parents
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
    const known = id === undefined ? undefined : await sessions.read(user, id)
    if (known !== undefined) {
      assertRuns(known, now)
      assertSameCaps(known, caps)
      if (isNested && known.parents[0] !== nearest?.id) throw new InvalidRequestError(`id: session "${known.id}" is not nested in session "${nearest?.id}". Resume it with bursar.session({ userId, id }), or choose another id.`)
      return [known, ...(await sessions.lookUp(user, known.id)).slice(1)]
    }
    if (!isNested && caps.microcents === null && caps.tokens === null) {
      throw id === undefined ? new InvalidRequestError('maxCost, maxTokens: are missing. A new session needs one of them; to resume one, give its id.') : new UnknownSessionError(id)
    }
    if (parents.length > MOST_AROUND) throw new InvalidRequestError(`session: "${nearest?.id}" is nested ${MOST_AROUND} deep. Nest at most ${MOST_AROUND}.`)
    // A nested one ends with the one around it.
    const life = { startsAt: now, endsAt: nearest?.life.endsAt ?? now + ttlMs }
    const opened = await sessions.open({ user, id: id ?? crypto.randomUUID(), caps, parents: parents.map((parent) => parent.id), life }, now)
    if (opened === undefined) continue
    await note(opened)
    return [opened, ...parents]
  }
  throw new StoreUnavailableError(`id: session "${id}" came and went at each of ${MOST_ATTEMPTS} attempts. Try again.`, { asked: false })
}

function openedWith({ caps, parents, life }: KnownSession): Readonly<Record<string, unknown>> {
  const { microcents, tokens } = caps
  return { ...(microcents !== null && { maxCost: toUsd(microcents) }), ...(tokens !== null && { maxTokens: tokens }), parents, startsAt: life.startsAt, endsAt: life.endsAt }
}

/** The store's clock rules when windows begin. Throws for a tier or a scope that is not there, before anything is written. */
async function storeTime({ accounts, store, effects }: Foundation, user: UserRef, { userTier, scopes }: Identity): Promise<number> {
  const account = await accounts.find({ user, tier: userTier, scopes })
  const { now, effects: brought } = await store.read(account.scopes)
  effects.announce(brought)
  return now
}

/** Whoever opens a session again with what it was opened with gets it, also if it was raised since. */
function assertSameCaps({ id, caps, opened }: KnownSession, wanted: SessionCaps): void {
  assertSame(id, 'maxCost', 'usd', 'raiseCostCap', [caps.microcents, opened.microcents], wanted.microcents)
  assertSame(id, 'maxTokens', 'tokens', 'raiseTokenCap', [caps.tokens, opened.tokens], wanted.tokens)
}

function assertSame(id: string, field: string, unit: Unit, remedy: string, [cap, opened]: readonly [number | null, number | null], wanted: number | null): void {
  if (wanted === null || wanted === cap || wanted === opened) return
  const known = cap === null ? 'no such cap' : `a cap of ${describeAmount(unit, cap)}`
  throw new InvalidRequestError(`${field}: session "${id}" has ${known}, and ${describeAmount(unit, wanted)} was given. Leave it out to resume the session${cap === null ? '' : `; ${remedy}() raises it`}.`)
}

function userOf({ userId, tenant }: Identity): UserRef {
  return tenant === undefined ? { userId } : { userId, tenant }
}
