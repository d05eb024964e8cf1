// The official SDKs of OpenAI and Anthropic are made by one generator (Stainless) and have one core: every call goes through the client's
// request(), with options that may be a promise, and comes back as a promise that parses its response late. Here a copy of a client is put under
// a budget at these two places. What a provider's requests and answers mean is told by `Sdk`; nothing is decided here.

import type { Bursar } from '../bursar.js'
import { assertMayCall } from '../decision/index.js'
import { InvalidConfigError, InvalidRequestError } from '../errors/index.js'
import type { Price, TokenKind } from '../pricing/index.js'
import { assertKnownFields } from '../tracker/index.js'
import { checkOf, type CallSettings, type RequestReader } from './asked-call.js'
import { snapshotOf, type Body } from './body-text.js'
import { Conversations } from './conversations.js'
import { identityReader, type IdentityOf } from './identity-of.js'
import { MeteredCall, type Bounds } from './metered-call.js'
import { heardResponse, type Reader } from './raw-response.js'

/** What every client of the generator has, as far as it matters here. */
export interface StainlessClient {
  withOptions(options: object): object
  request(options: never, remainingRetries?: number | null): unknown
}

/** A call that is about to be made. */
export interface ClientCall {
  /** Under the base URL: `/chat/completions`. */
  readonly path: string
  /** What is sent, before bursar has changed anything in it. */
  readonly body: Body
  /** The request options that the SDK was given, with `headers` and `signal`. */
  readonly options: object
}

/** Options of a wrapped client. */
export interface WithBudgetOptions {
  /** Whose models these are, by its name in the price book: for another provider behind the same SDK (`'openrouter'`, `'groq'`, `'azure'`). */
  readonly provider?: string | undefined
  /** The most tokens that a call reads. Default: what the engine's `tokenizer` counts in its text, else the bytes of it; with images, files or hosted tools in it, all that the model can read. */
  readonly inputTokens?: ((body: Readonly<Record<string, unknown>>) => number) | undefined
  /** The most that one answer may have, for calls that do not say so themselves: it is sent with them. Default: all that the model can write. */
  readonly maxOutputTokens?: number | undefined
  /** What may cost money and bursar has no count of (images, audio, batches, code interpreters, WebSockets, …): refused (default), or let through uncounted. */
  readonly unmetered?: 'refuse' | 'allow' | undefined
}

/** What is particular to one SDK. */
export interface Sdk {
  readonly name: string
  readonly provider: string
  /** True for a client of this SDK, as opposed to another's of the same make. */
  isClient(client: object): boolean
  /** Members of a client that nobody reads but the SDK itself, and what opens connections past request(). */
  readonly past: readonly string[]
  /** Who reads the requests of a path; `undefined` where what they cost is not known. */
  readerOf(path: string): RequestReader | undefined
  /** True for a path whose requests cost nothing. */
  isFree(path: string): boolean
  /** Options of a client that its own withOptions() does not hand on. */
  ownOptions?(client: object): object
}

/** What goes into request(). */
interface RequestOptions {
  readonly method?: string
  readonly path?: string
  readonly body?: unknown
  readonly signal?: AbortSignal | null
}

/** A response, and what the SDK keeps with it. */
interface Props {
  readonly response: Response
  readonly controller: AbortController
  readonly options: { readonly stream?: unknown }
}

/** What comes out of it: a promise that parses when somebody waits for it. The fields are not public; they stand in every release. */
interface ApiPromise extends Promise<unknown> {
  responsePromise: Promise<Props>
  parseResponse: (client: object, props: Props) => unknown
  readonly parsedPromise?: unknown
  asResponse(): Promise<Response>
  _thenUnwrap(transform: (data: never, props: never) => unknown): ApiPromise
}

/** The part of a client that is replaced. */
interface Core {
  request(options: unknown, remainingRetries?: number | null): ApiPromise
  requestAPIList(page: unknown, options: unknown): unknown
  withOptions(options: object): Core
}

/** A request on its way, and the call that it is, where it is metered. */
interface Prepared {
  readonly options: RequestOptions
  readonly call: MeteredCall | undefined
}

const OPTIONS: readonly string[] = ['provider', 'inputTokens', 'maxOutputTokens', 'unmetered']
const INPUT_KINDS: readonly TokenKind[] = ['cache-write', 'cache-write-1h', 'audio', 'image', 'video']
const FREE_METHODS: readonly string[] = ['get', 'head', 'delete']
const wrapped = new WeakSet<object>()
/** Clients of one engine go on with each other's conversations. */
const conversationsOf = new WeakMap<object, Conversations>()

/**
 * A copy of the client whose calls are checked before they are made, and settled with what they cost. The client itself stays as it is.
 * Throws `InvalidConfigError` for what is no client of that SDK, for one that is under a budget already, and for unknown options.
 */
export function underBudget<Client extends StainlessClient, Tier extends string, Group extends string>(
  client: Client,
  bursar: Bursar<Tier, Group>,
  identity: IdentityOf<ClientCall, Tier, Group> | undefined,
  options: WithBudgetOptions,
  sdk: Sdk,
): Client {
  if (typeof client?.withOptions !== 'function' || typeof client.request !== 'function' || !sdk.isClient(client)) throw new InvalidConfigError(`client: is no client of ${sdk.name}. Give the client that the SDK made.`)
  if (wrapped.has(client)) throw new InvalidConfigError('client: is under a budget already. Wrap the client that the SDK made, once.')
  const settings = settingsOf(options, sdk, bursar)
  const who = identityReader(identity, bursar)

  /** True for a call that nothing has to be asked for; throws for one whose cost nobody would count. */
  function passes({ method = 'get', path = '' }: RequestOptions, isMetered: boolean): boolean {
    if (FREE_METHODS.includes(method.toLowerCase())) return true
    const bare = bareOf(path)
    if (isMetered && sdk.readerOf(bare) !== undefined) return false
    if (sdk.isFree(bare) || options.unmetered === 'allow') return true
    throw new InvalidRequestError(`${method.toUpperCase()} ${bare}: may cost money, and bursar does not know how much. Make the call with bursar.guard() around the client that is not wrapped, or give the option unmetered: 'allow' to make such calls uncounted.`)
  }

  async function prepare(given: RequestOptions): Promise<Prepared> {
    if (passes(given, true)) return { options: given, call: undefined }
    const { path = '', body: written, signal } = given
    const bare = bareOf(path)
    // INVARIANT (NO-OVERSPEND): what is sent is what was measured, whatever becomes of the caller's object meanwhile.
    const body = snapshotOf(written)
    if (!isBody(written) || !isBody(body)) throw new InvalidRequestError(`body: of ${bare} is no plain object, and what it costs cannot be told. Give the parameters as an object.`)
    const asked = (sdk.readerOf(bare) as RequestReader)(body, settings)
    const identified = await who({ path: bare, body: written, options: given })
    const tenant = (identified ?? bursar.identity)?.tenant
    const price = (): Price | undefined => (asked.model === undefined ? undefined : bursar.prices?.find({ model: asked.model, provider: settings.provider, tenant, at: bursar.tracker.clock() }))
    const check = checkOf<Tier, Group>(asked, body, settings, identified, price)
    const decision = assertMayCall(await bursar.check(check, signal == null ? {} : { signal }))
    const sent = asked.on(decision.model)
    const bounds: Bounds = {
      inputTokens: check.inputTokens,
      maxOutputTokens: check.maxOutputTokens,
      // What may be anything was held at the dearest, and is charged so where the provider does not say it.
      tokenKinds: check.tokenKinds ?? INPUT_KINDS,
      countTokens: (text) => bursar.tokensOf(text, decision.model),
      priceOf: (model = decision.model, provider = settings.provider) => (model === undefined ? undefined : bursar.prices?.find({ model, provider, tenant, at: bursar.tracker.clock() })),
    }
    return { options: { ...given, body: sent.body }, call: new MeteredCall(decision, sent, bounds) }
  }

  /** The same; that its caller has aborted is left to the SDK to say. */
  async function prepared(given: unknown, isKnown: () => boolean): Promise<Prepared> {
    const ready = (await given) as RequestOptions
    if (!isKnown()) throw new InvalidConfigError(`client: this release of ${sdk.name} works otherwise than those that bursar knows, and its calls cannot be counted. Use a release that bursar names as its peer.`)
    try {
      return await prepare(ready)
    } catch (error) {
      if (ready.signal?.aborted === true && error === ready.signal.reason) return { options: ready, call: undefined }
      throw error
    }
  }

  function copierOf(core: Core): (changed: object) => Core {
    const { withOptions } = core
    return (changed) => withOptions.call(core, { ...sdk.ownOptions?.(core), ...changed })
  }

  function wrap(core: Core): Core {
    const { request, requestAPIList } = core
    const copyOf = copierOf(core)
    const replaced: Core = {
      request(given, remainingRetries) {
        let isKnown = false
        const preparing = prepared(given, () => isKnown)
        const promise = request.call(core, preparing.then(({ options: ready }) => ready), remainingRetries)
        // What is prepared has waited for its options until here.
        isKnown = isApiPromise(promise)
        return isKnown ? metered(promise, preparing, core) : promise
      },
      requestAPIList(page, given) {
        const checked = async (): Promise<unknown> => {
          const ready = (await given) as RequestOptions
          passes(ready, false)
          return ready
        }
        return requestAPIList.call(core, page, checked())
      },
      withOptions: (changed) => wrap(copyOf(changed)),
    }
    for (const [name, value] of Object.entries(replaced)) Object.defineProperty(core, name, { value, configurable: true, writable: true })
    return shown(core)
  }

  /** What the application gets of a client: all of it, but for what opens connections that nobody counts. */
  function shown(core: Core): Core {
    const client = sdk.past.length === 0 || options.unmetered === 'allow' ? core : new Proxy(core, { get: memberOf })
    // Whoever goes through a client (to log it, to copy it) does not ask for them.
    for (const name of sdk.past) if (Object.hasOwn(core, name)) Object.defineProperty(core, name, { enumerable: false })
    wrapped.add(core).add(client)
    return client
  }

  function memberOf(core: Core, name: string | symbol): unknown {
    if (sdk.past.includes(String(name))) {
      throw new InvalidRequestError(`${String(name)}: of a client under a budget is not given out. Realtime and WebSocket connections are made with it, and bursar has no count of what they cost. Use the client that is not wrapped, with bursar.guard() around the work, or give the option unmetered: 'allow' to make such connections uncounted.`)
    }
    const value: unknown = Reflect.get(core, name)
    // Methods of the SDK have private state, which is the client's own.
    return typeof value === 'function' && name !== 'constructor' && !Object.hasOwn(core, name) ? value.bind(core) : value
  }

  return wrap(copierOf(client as unknown as Core)({})) as unknown as Client
}

/** The promise of a call, with its hold ended by whatever becomes of it. */
function metered(promise: ApiPromise, preparing: Promise<Prepared>, core: Core): ApiPromise {
  const { responsePromise, parseResponse } = promise
  const taken: Taken = { promise, core, preparing, responses: new Map() }
  promise.responsePromise = responsePromise.catch(async (error: unknown) => {
    const { call } = await preparing
    await call?.failed()
    throw error
  })
  promise.parseResponse = async (client, props) => {
    const { call } = await preparing
    const response = taken.responses.get(props.response) ?? props.response
    const parse = async (): Promise<unknown> => parseResponse.call(promise, client, { ...props, response })
    return call === undefined ? parse() : call.answered(parse, client)
  }
  return overheard(promise, taken)
}

/** A call, and its responses that were taken as they are: who reads them later as well reads what was given out. */
interface Taken {
  readonly promise: ApiPromise
  readonly core: Core
  readonly preparing: Promise<Prepared>
  readonly responses: Map<Response, Response>
}

/**
 * The promise of a call, or one that was made of it, which hears of a response that is taken as it is, by asResponse(). Such a response is
 * heard while it is read, because nobody else says what was in it; an answer that is there as a whole also where nobody reads it.
 */
function overheard(promise: ApiPromise, taken: Taken): ApiPromise {
  const { asResponse, _thenUnwrap: thenUnwrap } = promise
  promise.asResponse = async () => {
    const response = await asResponse.call(promise)
    const { call } = await taken.preparing
    const props = await taken.promise.responsePromise
    const given = taken.responses.get(response)
    return given !== undefined || call === undefined || promise.parsedPromise !== undefined ? (given ?? response) : heard(props, taken)
  }
  promise._thenUnwrap = (transform) => overheard(thenUnwrap.call(promise, transform), taken)
  return promise
}

function heard(props: Props, { promise, core, responses }: Taken): Response {
  const { response, options, controller } = props
  if (response.bodyUsed || response.body?.locked === true) return response
  if (typeof response.body?.getReader !== 'function') {
    void drained(promise.parseResponse(core, { ...props, response: response.clone() }))
    return response
  }
  // What the SDK makes of the copy stops nothing of what the reader reads.
  const listen = (copy: Response, reader: Reader): Promise<void> => drained(promise.parseResponse(core, { ...props, response: copy, controller: new AbortController() }), reader)
  const given = heardResponse(response, { isEager: !options.stream, signal: controller.signal, listen })
  responses.set(response, given)
  return given
}

/** Reads an answer to its end, no faster than its reader: who waits for pieces has their money held. */
async function drained(answer: unknown, reader?: Reader): Promise<void> {
  try {
    const read = await answer
    if (typeof read !== 'object' || read === null || !(Symbol.asyncIterator in read)) return
    const pieces = (read as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    const leave = (): void => void pieces.return?.().then(undefined, () => {})
    if (reader?.left.aborted === true) leave()
    reader?.left.addEventListener('abort', leave, { once: true })
    do await reader?.wanted()
    while ((await pieces.next()).done !== true)
  } catch {
    // Whoever reads the response itself hears of it; the hold has ended.
  }
}

function isApiPromise(promise: ApiPromise): boolean {
  const { responsePromise, parseResponse } = promise as Partial<ApiPromise>
  return typeof responsePromise?.then === 'function' && typeof parseResponse === 'function'
}

function isBody(body: unknown): body is Body {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return false
  const prototype: unknown = Object.getPrototypeOf(body)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

function bareOf(path: string): string {
  return path.replace(/\?.*$/s, '')
}

function settingsOf(options: WithBudgetOptions, sdk: Sdk, bursar: Pick<Bursar, 'tokensOf'>): CallSettings {
  assertKnownFields(options, OPTIONS, 'options')
  const { provider = sdk.provider, inputTokens, maxOutputTokens, unmetered } = options
  if (typeof provider !== 'string' || provider === '') throw new InvalidConfigError(`options.provider: ${JSON.stringify(provider)} is no name. Give the name that the price book has for it.`)
  if (inputTokens !== undefined && typeof inputTokens !== 'function') throw new InvalidConfigError('options.inputTokens: is no function. Give one of the body that returns tokens.')
  if (maxOutputTokens !== undefined && !(Number.isSafeInteger(maxOutputTokens) && maxOutputTokens > 0)) throw new InvalidConfigError(`options.maxOutputTokens: ${String(maxOutputTokens)} is no count of tokens. Give a whole number above 0.`)
  if (unmetered !== undefined && unmetered !== 'refuse' && unmetered !== 'allow') throw new InvalidConfigError(`options.unmetered: ${JSON.stringify(unmetered)} is unknown. Use 'refuse' or 'allow'.`)
  const conversations = conversationsOf.get(bursar) ?? new Conversations()
  conversationsOf.set(bursar, conversations)
  return { provider, inputTokens, maxOutputTokens, tokensOf: (text, model) => bursar.tokensOf(text, model), conversations, allowsUnmetered: unmetered === 'allow' }
}
