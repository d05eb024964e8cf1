// What one request to a provider asks for, in bursar's words, and the check that follows from it. Decides nothing, and knows no SDK.

import type { CheckRequest, Identity, Outcome } from '../decision/index.js'
import { InvalidRequestError, MissingEstimateError } from '../errors/index.js'
import type { Price, TokenKind } from '../pricing/index.js'
import type { StreamReader } from '../stream/index.js'
import type { Body } from './body-text.js'
import type { Conversations } from './conversations.js'

/** What is the same for all calls of a wrapped client. */
export interface CallSettings {
  /** Whose models these are, by its name in the price book. */
  readonly provider: string
  readonly inputTokens: ((body: Body) => number) | undefined
  readonly maxOutputTokens: number | undefined
  /** The tokens of a text that a model reads, or more. */
  readonly tokensOf: (text: string, model: string | undefined) => number
  /** Those that the provider keeps. */
  readonly conversations: Conversations
  /** What a request may cost beside its usage is nobody's concern. */
  readonly allowsUnmetered: boolean
}

/** One request to a provider. */
export interface AskedCall {
  /** The model under the name that its price has. */
  readonly model: string | undefined
  /** The most that the model reads; absent: that does not follow from the body. */
  readonly inputTokens: number | undefined
  /** The most that it writes in one answer; absent: the most that it can. */
  readonly maxOutputTokens: number | undefined
  /** How many answers are asked for. */
  readonly answers: number
  readonly tokenKinds: readonly TokenKind[] | undefined
  /** The request as it is sent for the model that was decided on. */
  on(model: string | undefined): SentCall
}

/** A request on its way. */
export interface SentCall {
  readonly body: Body
  /** What an answer says of its cost. Throws for what is no answer. */
  outcomeOf(answer: unknown): Outcome
  readonly read: StreamReader
  /** True for a piece of a stream that is there only because bursar asked for it. */
  hides(piece: unknown): boolean
}

/** Reads a request; throws `InvalidRequestError` where it asks for what cannot be metered. */
export type RequestReader = (body: Body, settings: CallSettings) => AskedCall

/**
 * The check of a request. `price` finds the price of its model, where there is one. Throws `MissingEstimateError` where nothing says how much
 * it can use.
 */
export function checkOf<Tier extends string, Group extends string>(
  asked: AskedCall,
  body: Body,
  { provider, inputTokens }: CallSettings,
  identity: Identity<Tier, Group> | undefined,
  price: () => Price | undefined,
): CheckRequest<Tier, Group> & { readonly inputTokens: number } {
  const { model, answers, tokenKinds } = asked
  const input = inputTokens === undefined ? (asked.inputTokens ?? price()?.contextWindow) : inputTokens(body)
  if (input === undefined) {
    throw new MissingEstimateError(`inputTokens: the request to ${JSON.stringify(model)} has parts whose tokens do not follow from its text, and no price says how much that model can read. Give the option inputTokens(body), or contextWindow in its price under prices.models.`)
  }
  const output = answers === 1 ? asked.maxOutputTokens : answers * (asked.maxOutputTokens ?? mostOf(price(), answers))
  return {
    ...identity,
    ...(model !== undefined && { model }),
    provider,
    inputTokens: input,
    ...(output !== undefined && { maxOutputTokens: output }),
    ...(tokenKinds !== undefined && { tokenKinds }),
  }
}

function mostOf(price: Price | undefined, answers: number): number {
  const most = price?.maxOutputTokens ?? price?.contextWindow
  if (most !== undefined) return most
  throw new MissingEstimateError(`maxOutputTokens: the request asks for ${answers} answers and says of none how long it may be. Give the option maxOutputTokens, or a cap in the request.`)
}

/**
 * The name under which an answer is priced. A mode that costs more stands behind the model's name (`gpt-4o:priority`): behind that of the
 * model that was asked for where the answer names a dated snapshot of it.
 */
export function pricedName(answered: unknown, mode: string, asked: string | undefined): string | undefined {
  if (typeof answered !== 'string' || answered === '') return undefined
  if (mode === '' || asked === undefined || !answered.startsWith(asked)) return answered + mode
  return /^(-\d{4}.*)?$/.test(answered.slice(asked.length)) ? asked + mode : answered + mode
}

/** An object that a provider sent. Throws `InvalidRequestError` for anything else. */
export function answerObject(answer: unknown): Readonly<Record<string, unknown>> {
  if (typeof answer === 'object' && answer !== null && !Array.isArray(answer)) return answer as Record<string, unknown>
  throw new InvalidRequestError(`answer: the provider sent ${answer === null ? 'null' : Array.isArray(answer) ? 'a list' : typeof answer} where an object with its usage was expected. The estimate is charged.`)
}
