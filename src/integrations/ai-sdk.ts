// The AI SDK (ai 6 and 7) under budgets: each call of a wrapped model is checked before, made with the model that was decided on, and
// settled after. Decides nothing.

import type { Bursar } from '../bursar.js'
import { assertMayCall, type AllowedDecision, type CheckRequest } from '../decision/index.js'
import { InvalidConfigError } from '../errors/index.js'
import type { Price } from '../pricing/index.js'
import { meterStream, type MeterOptions } from '../stream/index.js'
import { assertKnownFields } from '../tracker/index.js'
import { inputTokensAtMost, outputTokensAtMost, tokenKindsOf } from './ai-sdk-bound.js'
import { KeptItems } from './ai-sdk-items.js'
import { calledModel, inMode, modeOf, nameIn, pricedAnswer } from './ai-sdk-modes.js'
import { chargedOnce } from './ai-sdk-once.js'
import { priceProviderOf, type PricedAs } from './ai-sdk-providers.js'
import type { SdkCall, SdkEmbedCall, SdkEmbedded, SdkGenerated, SdkLanguageModel, SdkModel, SdkStreamed, SdkStreamPart } from './ai-sdk-shapes.js'
import { assertCountable } from './ai-sdk-tools.js'
import { outcomeOf, streamReader, type AnsweredCall } from './ai-sdk-usage.js'
import { identityReader, type IdentityOf } from './identity-of.js'

export type { PricedAs } from './ai-sdk-providers.js'
export type * from './ai-sdk-shapes.js'
export type { IdentityOf } from './identity-of.js'

/** Gives the model of a name: a provider of the AI SDK (`openai`), or a function. */
export type ModelSource = ModelProvider | ((modelId: string) => SdkLanguageModel)

/** What is called of a provider of the AI SDK. */
export interface ModelProvider {
  languageModel(modelId: string): SdkLanguageModel
}

/** Options of {@link budgetMiddleware}. */
export interface BudgetMiddlewareOptions<Tier extends string = string, Group extends string = string> {
  /** Whose money: a value, or a function of the call. Default: the identity of `bursar.runAs`. */
  readonly identity?: IdentityOf<SdkCall, Tier, Group> | undefined
  /** Where the cheaper models come from, when a decision names one. */
  readonly provider?: ModelSource | undefined
  /** Whose prices the models have, by the name in the price book. Default: what follows from the model's provider (`openai.chat`: `openai`). */
  readonly pricedAs?: PricedAs | undefined
  /** The most that a call may write which does not say so itself; it is sent with the call. Default: the most that the model can. */
  readonly maxOutputTokens?: number | undefined
  /** The most that a call reads. Default: what the engine's `tokenizer` counts in its text, else the bytes of it, or the context window of the model where not all of it is text. */
  readonly inputTokens?: ((call: SdkCall) => number) | undefined
  /** What the provider does for a fee that it does not count (images, containers, …): refused (default), or let through uncounted. */
  readonly unmetered?: 'refuse' | 'allow' | undefined
}

/** Options of {@link budgetEmbeddingMiddleware}. */
export interface BudgetEmbeddingOptions<Tier extends string = string, Group extends string = string> {
  /** Whose money: a value, or a function of the call. Default: the identity of `bursar.runAs`. */
  readonly identity?: IdentityOf<SdkEmbedCall, Tier, Group> | undefined
  /** See {@link BudgetMiddlewareOptions.pricedAs}. */
  readonly pricedAs?: PricedAs | undefined
}

/** What `wrapLanguageModel` takes; the version follows from where it is put. */
export interface BudgetMiddleware<Version extends 'v3' | 'v4' = 'v3'> {
  readonly specificationVersion: Version
  readonly transformParams: <Params extends SdkCall>(call: { readonly params: Params }) => Promise<Params>
  readonly wrapGenerate: <Result extends SdkGenerated>(call: { readonly doGenerate: () => PromiseLike<Result>; readonly params: SdkCall; readonly model: SdkLanguageModel }) => Promise<Result>
  readonly wrapStream: <Result extends SdkStreamed>(call: { readonly doStream: () => PromiseLike<Result>; readonly params: SdkCall; readonly model: SdkLanguageModel }) => Promise<Result>
}

/** What `wrapEmbeddingModel` takes; the version follows from where it is put. */
export interface BudgetEmbeddingMiddleware<Version extends 'v3' | 'v4' = 'v3'> {
  readonly specificationVersion: Version
  readonly transformParams: <Params extends SdkEmbedCall>(call: { readonly params: Params }) => Promise<Params>
  readonly wrapEmbed: <Result extends SdkEmbedded>(call: { readonly doEmbed: () => PromiseLike<Result>; readonly params: SdkEmbedCall; readonly model: SdkModel }) => Promise<Result>
}

const OPTIONS = ['identity', 'provider', 'pricedAs', 'maxOutputTokens', 'inputTokens', 'unmetered']

/**
 * A middleware for `wrapLanguageModel({ model, middleware })`. Every call is checked, each step of a loop over tools and each retry of the
 * SDK on its own; a cheaper model that was decided on answers instead; and what was used is settled, of a stream at its end or when it is
 * aborted or left. What the provider did not say is estimated and marked. A refused call throws `BudgetExceededError` before the model is
 * asked, and the SDK does not retry it: from `generateText` it comes as it is; in `streamText` it is an `error` part, and goes to
 * `onError`. (Where it refuses a retry, it is the `lastError` of the SDK's `RetryError`.) A model that is wrapped twice for one engine rejects with
 * `InvalidConfigError`, and a tool whose fee nobody could count with `InvalidRequestError`. Throws `InvalidConfigError` for options that cannot work.
 */
export function budgetMiddleware<Tier extends string, Group extends string, Version extends 'v3' | 'v4' = 'v3'>(
  bursar: Bursar<Tier, Group>,
  options: BudgetMiddlewareOptions<NoInfer<Tier>, NoInfer<Group>> = {},
): BudgetMiddleware<Version> {
  assertKnownFields(options, OPTIONS, 'ai-sdk')
  const { provider, pricedAs, maxOutputTokens, inputTokens, unmetered } = options
  if (maxOutputTokens !== undefined && !(Number.isSafeInteger(maxOutputTokens) && maxOutputTokens > 0)) {
    throw new InvalidConfigError(`ai-sdk.maxOutputTokens: ${String(maxOutputTokens)} is no number of tokens. Give a whole number above 0, or leave it out.`)
  }
  if (unmetered !== undefined && unmetered !== 'refuse' && unmetered !== 'allow') throw new InvalidConfigError(`ai-sdk.unmetered: ${JSON.stringify(unmetered)} is unknown. Use 'refuse' or 'allow'.`)
  const identityOf = identityReader<SdkCall, Tier, Group>(options.identity, bursar)
  const kept = keptOf.get(bursar) ?? new KeptItems()
  keptOf.set(bursar, kept)

  async function decide(call: SdkCall, model: SdkLanguageModel): Promise<Decided> {
    if (unmetered !== 'allow') assertCountable(call, model)
    const identity = await identityOf(call)
    const whose = priceProviderOf(model, pricedAs)
    const asked = modeOf(call, model)
    const name = nameIn(asked, model.modelId)
    const input = inputTokens === undefined ? (inputTokensAtMost(call, { kept, tokensOf: (text) => bursar.tokensOf(text, model.modelId) }) ?? priceOf(bursar, name, whose, identity?.tenant)?.contextWindow) : inputTokens(call)
    const output = outputTokensAtMost(call)
    const tokenKinds = tokenKindsOf(call)
    const request: CheckRequest<Tier, Group> = {
      ...identity,
      model: name,
      ...(whose !== undefined && { provider: whose }),
      ...(input !== undefined && { inputTokens: input }),
      ...(output !== undefined && { maxOutputTokens: output }),
      tokenKinds,
    }
    const decision = assertMayCall(await bursar.check(request, { signal: call.abortSignal }))
    const called = calledModel(decision.model ?? name, asked)
    const answered = {
      tools: call.tools,
      pricedAs: (answer, said) => pricedAnswer(answer, called, said),
      note: (ids, tokens) => kept.note(ids, tokens),
    } satisfies AnsweredCall
    const known: Known = {
      inputTokens: input,
      maxOutputTokens: output,
      tokenKinds,
      countTokens: (text) => bursar.tokensOf(text, called.modelId),
      priceOf: (priced = decision.model, by = whose) => priceOf(bursar, priced, by, identity?.tenant),
    }
    if (nameIn(called.mode, called.modelId) === name) return { decision, known, answered, instead: undefined }
    return underHold(decision, () => {
      const other = called.modelId === model.modelId ? model : modelOf(provider, called.modelId, model)
      const others = priceProviderOf(other, pricedAs)
      return { decision, known, answered: { ...answered, provider: others === whose ? undefined : others }, instead: { model: other, params: inMode(call, called.mode) } }
    })
  }

  return {
    specificationVersion: 'v3' as Version,

    async transformParams({ params }) {
      const charged = chargedOnce(params, bursar)
      return maxOutputTokens === undefined || params.maxOutputTokens !== undefined ? charged : { ...charged, maxOutputTokens }
    },

    async wrapGenerate<Result extends SdkGenerated>({ doGenerate, params, model }: { readonly doGenerate: () => PromiseLike<Result>; readonly params: SdkCall; readonly model: SdkLanguageModel }) {
      const { decision, answered, instead } = await decide(params, model)
      const result = await underHold(decision, () => (instead === undefined ? doGenerate() : (instead.model.doGenerate(instead.params) as PromiseLike<Result>)))
      await decision.conclude(outcomeOf(result, answered))
      return result
    },

    async wrapStream<Result extends SdkStreamed>({ doStream, params, model }: { readonly doStream: () => PromiseLike<Result>; readonly params: SdkCall; readonly model: SdkLanguageModel }) {
      const { decision, known, answered, instead } = await decide(params, model)
      const result = await underHold(decision, () => (instead === undefined ? doStream() : (instead.model.doStream(instead.params) as PromiseLike<Result>)))
      const metered = meterStream(decision, piecesOf(result.stream), { ...known, read: streamReader(answered), holdTtlMs: ttlOf(decision), signal: params.abortSignal })
      return { ...result, stream: streamOf(metered) }
    },
  }
}

/**
 * A middleware for `wrapEmbeddingModel({ model, middleware })`: see {@link budgetMiddleware}. Embeddings of different models cannot be
 * compared: a decision for a cheaper one is released, and throws `InvalidConfigError`.
 */
export function budgetEmbeddingMiddleware<Tier extends string, Group extends string, Version extends 'v3' | 'v4' = 'v3'>(
  bursar: Bursar<Tier, Group>,
  options: BudgetEmbeddingOptions<NoInfer<Tier>, NoInfer<Group>> = {},
): BudgetEmbeddingMiddleware<Version> {
  assertKnownFields(options, ['identity', 'pricedAs'], 'ai-sdk')
  const identityOf = identityReader<SdkEmbedCall, Tier, Group>(options.identity, bursar)
  return {
    specificationVersion: 'v3' as Version,

    async transformParams({ params }) {
      return chargedOnce(params, bursar)
    },

    async wrapEmbed({ doEmbed, params, model }) {
      const provider = priceProviderOf(model, options.pricedAs)
      const inputTokens = params.values.reduce((sum, value) => sum + bursar.tokensOf(value, model.modelId), 0)
      const request: CheckRequest<Tier, Group> = { ...(await identityOf(params)), model: model.modelId, ...(provider !== undefined && { provider }), inputTokens, maxOutputTokens: 0, tokenKinds: [] }
      const decision = assertMayCall(await bursar.check(request, { signal: params.abortSignal }))
      const result = await underHold(decision, () => {
        if (decision.model === model.modelId) return doEmbed()
        throw new InvalidConfigError(`ladder: leads from "${model.modelId}" to "${decision.model}", whose embeddings cannot be compared with its own. Leave embedding models out of the ladder.`)
      })
      const { usage, providerMetadata } = result
      const tokens = typeof usage?.tokens === 'number' && Number.isFinite(usage.tokens) ? usage.tokens : undefined
      await decision.conclude(outcomeOf({ usage: { inputTokens: { ...NO_CACHE, total: tokens }, outputTokens: { total: 0, reasoning: undefined } }, providerMetadata }, EMBEDDED))
      return result
    },
  }
}

/** What the call says of its tokens, for a stream whose provider does not. */
type Known = Omit<MeterOptions<SdkStreamPart>, 'read' | 'holdTtlMs'>

interface Decided {
  readonly decision: AllowedDecision
  readonly known: Known
  readonly answered: AnsweredCall
  /** What is called instead of what was asked for. */
  readonly instead: { readonly model: SdkLanguageModel; readonly params: SdkCall } | undefined
}

/** Middlewares of one engine go on with what each other's answers have left with the provider. */
const keptOf = new WeakMap<object, KeptItems>()
const NO_CACHE = { cacheRead: undefined, cacheWrite: undefined }
const EMBEDDED: AnsweredCall = { pricedAs: (answered) => answered, note: () => {} }

/** Calls, and gives the money back where that fails. */
async function underHold<Result>(decision: AllowedDecision, call: () => Result | PromiseLike<Result>): Promise<Result> {
  try {
    return await call()
  } catch (error) {
    await decision.giveUp()
    throw error
  }
}

function modelOf(provider: ModelSource | undefined, name: string, instead: SdkModel): SdkLanguageModel {
  if (provider === undefined) {
    throw new InvalidConfigError(`ai-sdk.provider: is missing, and the decision is for "${name}" instead of "${instead.modelId}". Give the AI SDK's provider of that model, such as openai, or a function that gives the model of a name.`)
  }
  const model = 'languageModel' in provider ? provider.languageModel(name) : provider(name)
  if (typeof model !== 'object' || model === null || typeof model.doGenerate !== 'function') {
    throw new InvalidConfigError(`ai-sdk.provider: gave no model for "${name}". Give a provider of the AI SDK that has it, or leave it out of the ladder.`)
  }
  if (model.specificationVersion === instead.specificationVersion) return model
  throw new InvalidConfigError(`ai-sdk.provider: gave a model of specification ${model.specificationVersion} for "${name}", and "${instead.modelId}" is of ${instead.specificationVersion}. Give one of the same: that of a package of the same age, or wrapLanguageModel({ model, middleware: [] }) of ai around it.`)
}

function priceOf<Tier extends string, Group extends string>(bursar: Bursar<Tier, Group>, model: string | undefined, provider: string | undefined, tenant = bursar.identity?.tenant): Price | undefined {
  return model === undefined ? undefined : bursar.prices?.find({ model, provider, tenant, at: bursar.tracker.clock() })
}

function ttlOf(decision: AllowedDecision): number {
  return decision.expiresAt.getTime() - decision.context.now.getTime()
}

/** Not a generator: one that waits for a piece cannot be told to leave. */
function piecesOf<Piece>(stream: ReadableStream<Piece>): AsyncIterable<Piece> {
  return {
    [Symbol.asyncIterator]() {
      const reader = stream.getReader()
      return {
        async next() {
          const { done, value } = await reader.read()
          return done ? { done, value: undefined } : { done: false, value }
        },
        async return() {
          await reader.cancel()
          return { done: true, value: undefined }
        },
      }
    },
  }
}

function streamOf<Piece>(pieces: AsyncIterable<Piece>): ReadableStream<Piece> {
  const iterator = pieces[Symbol.asyncIterator]()
  return new ReadableStream<Piece>(
    {
      async pull(controller) {
        const next = await iterator.next()
        if (next.done === true) controller.close()
        else controller.enqueue(next.value)
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
