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

/** The identities in force, one for each flow of awaits. */
export class Identities<Tier extends string = string, Group extends string = string> {
  #flows: Flows<Identity<Tier, Group>> | undefined

  /** The identity of the running flow. */
  get current(): Identity<Tier, Group> | undefined {
    return this.#flows?.getStore()
  }

  /** Runs the function, and whatever it awaits, under an identity. Throws `InvalidRequestError` for what is none. */
  run<Result>(identity: Identity<Tier, Group>, fn: () => Result): Result {
    const checked = parseIdentity<Tier, Group>(identity)
    this.#flows ??= newFlows()
    return this.#flows.run(checked, fn)
  }

  /** The same request, with the running identity's fields where it does not say whose it is. Throws `InvalidRequestError` where nobody does. */
  complete<Request extends { readonly userId?: string | undefined }>(request: Request): Request {
    if (typeof request !== 'object' || request === null || request.userId !== undefined) return request
    const { current } = this
    if (current === undefined) throw new InvalidRequestError('userId: is missing. Give it, or make the call inside runAs(identity, …) of the same Bursar.')
    const given = request as Record<string, unknown>
    const own = Object.keys(current).find((field) => field !== 'metadata' && given[field] !== undefined) ?? (given['tenant'] === undefined ? undefined : 'tenant')
    if (own !== undefined) throw new InvalidRequestError(`${own}: is given without userId, and it is the identity of runAs() that says whose the request is. Give userId too, or leave both to the identity.`)
    const metadata = (request as { readonly metadata?: object }).metadata
    return { ...request, ...current, ...(metadata !== undefined && { metadata: { ...current.metadata, ...metadata } }) }
  }
}

function newFlows<Store>(): Flows<Store> {
  const hooks = globalThis.process?.getBuiltinModule?.('node:async_hooks')
  if (hooks === undefined) throw new InvalidConfigError('runAs: this runtime has no AsyncLocalStorage. Use Node 20.16 or later, or give userId with each request.')
  return new hooks.AsyncLocalStorage<Store>()
}
