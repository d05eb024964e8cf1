// Whose money code spends that does not say it itself: an identity for the length of a function, carried by the runtime through
// everything that the function awaits. Knows nothing of budgets.

import { z } from 'zod'
import { idSchema } from '../budget/index.js'
import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import { parseStrictly, withPlainMetadata, type NamedScopes } from '../tracker/index.js'

/** Node's own, asked for by name where it is needed: nothing else of the engine needs Node. */
type Flows<Store> = import('node:async_hooks').AsyncLocalStorage<Store>

/** Who spends: what requests of one user have in common. Never a key for one call. */
export interface Identity<Tier extends string = string, Group extends string = string> {
  readonly userId: string
  /** Default: the directory's, else `defaultTier`. */
  readonly userTier?: Tier | undefined
  readonly tenant?: string | undefined
  /** A session that was opened with `bursar.session()`. */
  readonly sessionId?: string | undefined
  readonly scopes?: NamedScopes<Group> | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
}

const identitySchema = z.strictObject({
  userId: idSchema,
  userTier: idSchema.optional(),
  tenant: idSchema.optional(),
  sessionId: idSchema.optional(),
  scopes: z.record(idSchema, idSchema.optional()).optional(),
  metadata: z.record(z.string(), z.unknown()).optional(),
})

/** Throws `InvalidRequestError` for what is no identity, naming the field: an unknown one too, so that no key of a single call slips in. */
export function parseIdentity<Tier extends string, Group extends string>(identity: unknown): Identity<Tier, Group> {
  if (typeof identity !== 'object' || identity === null) throw new InvalidRequestError(`identity: ${JSON.stringify(identity)} is no identity. Give { userId }, with tenant, userTier, sessionId, scopes and metadata where there are any.`)
  return withPlainMetadata(parseStrictly(identitySchema, identity, 'identity') as Identity<Tier, Group>)
}

/** The identities of all engines in a flow of awaits. One storage for all: in Node each of them makes every promise dearer. */
let flows: Flows<ReadonlyMap<object, Identity>> | undefined

/** The identities in force of one engine, one for each flow of awaits. */
export class Identities<Tier extends string = string, Group extends string = string> {
  /** The identity of the running flow. */
  get current(): Identity<Tier, Group> | undefined {
    return flows?.getStore()?.get(this) as Identity<Tier, Group> | undefined
  }

  /** Runs the function, and whatever it awaits, under an identity. Throws `InvalidRequestError` for what is none. */
  run<Result>(identity: Identity<Tier, Group>, fn: () => Result): Result {
    const checked = parseIdentity<Tier, Group>(identity)
    flows ??= newFlows()
    return flows.run(new Map(flows.getStore()).set(this, checked as Identity), fn)
  }

  /**
   * The same request, with what it does not say itself from the running identity: where it says nobody, or names that very user. One that
   * names another user, or the same in another tenant, gets nothing of it. Throws `InvalidRequestError` where nobody says whose it is.
   */
  complete<Request extends { readonly userId?: string | undefined }>(request: Request): Request {
    if (typeof request !== 'object' || request === null) return request
    if (request.userId !== undefined) return flows === undefined ? request : this.#completeOwn(request as NamingRequest) as unknown as Request
    const { current } = this
    if (current === undefined) throw new InvalidRequestError('userId: is missing. Give it, or make the call inside runAs(identity, …) of the same Bursar.')
    const given = request as Record<string, unknown>
    const own = Object.keys(current).find((field) => field !== 'metadata' && given[field] !== undefined) ?? (given['tenant'] === undefined ? undefined : 'tenant')
    if (own !== undefined) throw new InvalidRequestError(`${own}: is given without userId, and it is the identity of runAs() that says whose the request is. Give userId too, or leave both to the identity.`)
    const metadata = (request as { readonly metadata?: object }).metadata
    return { ...request, ...current, ...(metadata !== undefined && { metadata: { ...current.metadata, ...metadata } }) }
  }

  /** Who names the user that the code runs as must not leave that user's session by it. */
  #completeOwn(request: NamingRequest): NamingRequest {
    const { current } = this
    if (current === undefined || current.userId !== request.userId || current.tenant !== request.tenant) return request
    const { userTier = current.userTier, sessionId = current.sessionId } = request
    const scopes = merged(current.scopes, request.scopes)
    const metadata = merged(current.metadata, request.metadata)
    return { ...request, ...(userTier !== undefined && { userTier }), ...(sessionId !== undefined && { sessionId }), ...(scopes !== undefined && { scopes }), ...(metadata !== undefined && { metadata }) }
  }
}

/** A request that names its user. What else it says has not been looked at yet. */
type NamingRequest = Readonly<Record<'userId' | 'tenant' | 'userTier' | 'sessionId' | 'scopes' | 'metadata', unknown>>

/** Field by field; what is no object is left to be refused. */
function merged(around: object | undefined, own: unknown): unknown {
  if (own === undefined || around === undefined) return own ?? around
  return typeof own === 'object' && own !== null && !Array.isArray(own) ? { ...around, ...own } : own
}

function newFlows<Store>(): Flows<Store> {
  const hooks = globalThis.process?.getBuiltinModule?.('node:async_hooks')
  if (hooks === undefined) throw new InvalidConfigError('runAs: this runtime has no AsyncLocalStorage. Use Node 20.16 or later, or give userId with each request.')
  return new hooks.AsyncLocalStorage<Store>()
}
