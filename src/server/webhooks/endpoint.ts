// An endpoint: where a receiver listens, of what it wants to hear, and the secret with which it knows that it is this server that speaks.

import { randomBytes } from 'node:crypto'
import { InvalidRequestError } from '../../errors/index.js'
import { assertId } from '../../budget/index.js'
import { isPublic, literalIn } from './addresses.js'
import { EVENTS, type WebhookEvent } from './message.js'

/** What an endpoint may be made of. */
export interface NewEndpoint {
  /** `https://…` or `http://…`, without a user or password in it. */
  readonly url: string
  /** Of what it hears. Default: of everything. */
  readonly events?: readonly WebhookEvent[] | undefined
  /** Then it hears of that tenant alone. */
  readonly tenant?: string | undefined
  /** For people. */
  readonly description?: string | undefined
}

/** What of an endpoint may be changed: what is left out stays. */
export interface EndpointChange extends Pick<NewEndpoint, 'events' | 'description'> {
  readonly url?: string | undefined
}

/** An endpoint, without its secret. */
export interface Endpoint extends NewEndpoint {
  readonly id: string
  readonly events: readonly WebhookEvent[]
  readonly createdAt: Date
}

/** An endpoint that has just been made, or whose secret has: `secret` is what its receiver verifies with, and is shown this once. */
export interface IssuedEndpoint {
  readonly endpoint: Endpoint
  readonly secret: string
}

/** The value of a record, as JSON. The newest secret first; `until`: when an earlier one ends. */
export interface WrittenEndpoint extends Omit<NewEndpoint, 'events'> {
  readonly events: readonly WebhookEvent[]
  readonly createdAt: number
  readonly secrets: readonly { readonly secret: string; readonly until?: number | undefined }[]
}

const MOST_URL = 2_048
const MOST_DESCRIPTION = 200
const SECRET_BYTES = 32
const FIELDS = ['url', 'events', 'tenant', 'description']
const CHANGED_FIELDS = ['url', 'events', 'description']

/** A new secret, as Standard Webhooks writes them. */
export function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`
}

/** Throws `InvalidRequestError` for what can be no endpoint. What its name leads to is only known when something is sent. */
export function assertNewEndpoint(endpoint: NewEndpoint, allowPrivate: boolean): void {
  if (typeof endpoint !== 'object' || endpoint === null) throw new InvalidRequestError('endpoint: is no endpoint. Give { url }.')
  const unknown = Object.keys(endpoint).find((field) => !FIELDS.includes(field))
  if (unknown !== undefined) throw new InvalidRequestError(`${unknown}: is no field of an endpoint. Give ${FIELDS.join(', ')}.`)
  const { url, tenant } = endpoint
  assertUrl(url, allowPrivate)
  assertPlain(endpoint)
  if (tenant !== undefined) assertId(tenant, 'tenant')
}

/** Throws `InvalidRequestError` for what can be no change of an endpoint. */
export function assertEndpointChange(change: EndpointChange, allowPrivate: boolean): void {
  if (typeof change !== 'object' || change === null) throw new InvalidRequestError('endpoint: is no change. Give { url, events } or one of them.')
  const unknown = Object.keys(change).find((field) => !CHANGED_FIELDS.includes(field))
  if (unknown !== undefined) throw new InvalidRequestError(`${unknown}: cannot be changed. Give ${CHANGED_FIELDS.join(', ')}.`)
  if (CHANGED_FIELDS.every((field) => change[field as keyof EndpointChange] === undefined)) throw new InvalidRequestError(`endpoint: nothing of it would change. Give ${CHANGED_FIELDS.join(', ')} or some of them.`)
  if (change.url !== undefined) assertUrl(change.url, allowPrivate)
  assertPlain(change)
}

function assertPlain({ events, description }: EndpointChange): void {
  if (events !== undefined && (!Array.isArray(events) || events.length === 0 || !events.every((event) => EVENTS.includes(event)) || new Set(events).size !== events.length)) {
    throw new InvalidRequestError(`events: are none that there are. Give one or more of ${EVENTS.join(', ')}, each once, or leave them out for all.`)
  }
  if (description !== undefined && (typeof description !== 'string' || description.length > MOST_DESCRIPTION || !description.isWellFormed())) {
    throw new InvalidRequestError(`description: is too long, or no text. Give at most ${MOST_DESCRIPTION} characters.`)
  }
}

/** A record as it is shown. */
export function shownEndpoint(id: string, { url, events, tenant, description, createdAt }: WrittenEndpoint): Endpoint {
  return { id, url, events, ...(tenant !== undefined && { tenant }), ...(description !== undefined && { description }), createdAt: new Date(createdAt) }
}

// The address is not repeated: people put secrets into queries.
function assertUrl(text: unknown, allowPrivate: boolean): void {
  const url = typeof text === 'string' && text.length <= MOST_URL && text.isWellFormed() && URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) throw new InvalidRequestError(`url: is no address of a receiver. Give one that begins with https:// or http://, of at most ${MOST_URL} characters.`)
  if (url.username !== '' || url.password !== '') throw new InvalidRequestError('url: has a user or password in it. Leave it out: the receiver knows by the signature who speaks.')
  const literal = literalIn(url)
  const isLocal = literal === undefined ? /(^|\.)localhost\.?$/.test(url.hostname) : !isPublic(literal)
  if (isLocal && !allowPrivate) throw new InvalidRequestError('url: is an address of this machine or a private network. Give a public one, or allow private ones where the server is configured.')
}
