// What OpenAI's requests ask for, and what its answers say of their cost. Shapes only: what they cost, and who may, is decided elsewhere.

import type { Outcome } from '../decision/index.js'
import { InvalidRequestError, MissingCostError } from '../errors/index.js'
import { openaiUsage, type TokenKind, type Usage } from '../pricing/index.js'
import { openaiReader, type StreamReader } from '../stream/index.js'
import { answerObject, pricedName, type AskedCall, type CallSettings, type RequestReader, type SentCall } from './asked-call.js'
import { countIn, hasInside, isAllText, lengthOf, textOfBody, toolsOf, type Body, type TextShape } from './body-text.js'
import type { Kept } from './conversations.js'

/** What the model does not read. */
const UNREAD = new Set(['metadata', 'user', 'safety_identifier', 'prompt_cache_key', 'logit_bias'])

const TEXT: TextShape = {
  types: new Set([
    'text', 'refusal', 'function', 'custom', 'message', 'input_text', 'output_text', 'function_call', 'function_call_output',
    'custom_tool_call', 'custom_tool_call_output', 'reasoning', 'summary_text', 'reasoning_text',
  ]),
  references: new Set(['audio', 'file', 'file_id', 'image_url', 'file_url']),
  data: new Set(['annotations', 'logprobs']),
}

// What a provider writes around the text: 3 or 4 tokens for a message, for which its JSON has more bytes than that, a few for the whole, and for
// tools an introduction of its own. The rest is a margin.
const FRAMING_TOKENS = 64
const TOOLS_TOKENS = 500
const NOTHING_KEPT: Kept = { tokens: 0, isText: true }

/** Tools of the Responses API that cost what is in the usage or, for searches, in the output. What else there is may have a fee of its own. */
const COUNTED_TOOL = /^(function|custom|namespace|web_search(_preview)?(_\d{4}_\d\d_\d\d)?|file_search|computer(_use_preview)?|mcp|local_shell|apply_patch|tool_search)$/
/** Models that search for every answer, for a fee that is in no usage: https://platform.openai.com/docs/pricing */
const SEARCHING_MODEL = /-search-(preview|api)(-|$)/

/** Requests for chat completions. Also those of other providers that speak OpenAI's format. */
export const chatRequest: RequestReader = (body, settings) => {
  if (!settings.allowsUnmetered && isOpenAI(settings)) {
    if (hasValue(body, 'web_search_options')) throw unmetered('web_search_options', 'a search in a chat has a fee that is not in the usage of the answer. Search with client.responses and its tool web_search, whose searches are counted')
    if (SEARCHING_MODEL.test(String(body['model']))) throw unmetered('model', `${JSON.stringify(body['model'])} searches for a fee that is not in the usage of the answer. Search with client.responses and its tool web_search, whose searches are counted`)
  }
  const cap = higher(countIn(body, 'max_completion_tokens'), countIn(body, 'max_tokens'))
  const isText = isAllText(body['messages'], TEXT) && areFunctions(body['tools']) && !hasValue(body, 'audio', 'web_search_options')
  // Models of OpenAI's that reason refuse max_tokens; other providers' know nothing else.
  const capField = isOpenAI(settings) ? 'max_completion_tokens' : 'max_tokens'
  return asked(body, settings, {
    isText,
    cap,
    capField,
    answers: Math.max(countIn(body, 'n') ?? 1, 1),
    framing: framingOf(body, body['messages']),
    asksForUsage: body['stream'] === true,
  })
}

/**
 * Requests for responses. What runs in the background says only later what it cost, and the fees of most hosted tools are not in the usage: both are
 * refused, unless what is not metered is let through. Then what is made in the background is charged its estimate.
 */
export const responseRequest: RequestReader = (body, settings) => {
  if (!settings.allowsUnmetered) {
    if (body['background'] === true) {
      throw unmetered('background', 'a response that is made in the background says only later what it cost. Leave it out, or make the call with bursar.check() around the client that is not wrapped, and settle it when it is done')
    }
    const fee = toolsOf(body).find((tool) => !isCounted(tool))
    if (fee !== undefined) throw unmetered('tools', `${JSON.stringify(fee['type'])} may have a fee that is not in the usage of the response. Leave it out`)
  }
  const isText = isAllText(body['input'], TEXT) && areFunctions(body['tools']) && !hasValue(body, 'conversation', 'prompt') && !hasStoredReasoning(body['input'])
  const follows = body['previous_response_id'] ?? undefined
  return asked(body, settings, { isText, isKept: true, follows, cap: countIn(body, 'max_output_tokens'), capField: 'max_output_tokens', answers: 1, framing: framingOf(body, body['input']), asksForUsage: false })
}

function unmetered(field: string, why: string): InvalidRequestError {
  return new InvalidRequestError(`${field}: ${why}, make the call with bursar.guard() around the client that is not wrapped, or give the option unmetered: 'allow' to leave that uncounted.`)
}

/** A shell costs nothing where the application runs it, and the time of a container elsewhere. */
function isCounted({ type, environment }: Body): boolean {
  return COUNTED_TOOL.test(String(type)) || (type === 'shell' && (environment as Body | null | undefined)?.['type'] === 'local')
}

/** Requests for completions of the old kind: every prompt has answers of its own. */
export const completionRequest: RequestReader = (body, settings) => {
  const { prompt } = body
  const prompts = Array.isArray(prompt) && typeof prompt[0] !== 'number' ? Math.max(prompt.length, 1) : 1
  const answers = prompts * Math.max(higher(countIn(body, 'n'), countIn(body, 'best_of')) ?? 1, 1)
  return asked(body, settings, { isText: true, cap: countIn(body, 'max_tokens'), capField: 'max_tokens', answers, framing: FRAMING_TOKENS, asksForUsage: body['stream'] === true })
}

/** Requests for embeddings: they read, and write nothing. */
export const embeddingRequest: RequestReader = (body, settings) =>
  asked(body, settings, { isText: isAllText(body['input'], TEXT), cap: 0, capField: undefined, answers: 1, framing: FRAMING_TOKENS, asksForUsage: false })

/** What the kinds of requests differ in. */
interface Traits {
  readonly isText: boolean
  /** The provider keeps the conversation. */
  readonly isKept?: true
  /** The answer whose conversation goes on. */
  readonly follows?: unknown
  readonly cap: number | undefined
  readonly capField: string | undefined
  readonly answers: number
  readonly framing: number
  /** A stream says what it cost only where it is asked to. */
  readonly asksForUsage: boolean
}

function asked(body: Body, settings: CallSettings, { isText, isKept, follows, cap, capField, answers, framing, asksForUsage }: Traits): AskedCall {
  const { model } = body
  if (model !== undefined && typeof model !== 'string') throw new InvalidRequestError(`model: ${String(model)} is no name. Give the name of a model.`)
  const mode = modeOf(body)
  const capped = cap ?? settings.maxOutputTokens
  const kept = follows === undefined ? NOTHING_KEPT : settings.conversations.behind(follows)
  const isAll = isText && kept?.isText === true
  const added = cap === undefined && capped !== undefined && capField !== undefined ? { [capField]: capped } : {}
  return {
    model: model === undefined ? undefined : model + mode,
    inputTokens: isText && kept !== undefined ? kept.tokens + settings.tokensOf(textOfBody(body, UNREAD), model) + framing : undefined,
    maxOutputTokens: capped,
    answers,
    tokenKinds: isAll && !asksForAudio(body) ? kindsOf(body, settings) : undefined,
    on: (decided) => sent(body, decided, { mode, asksForUsage, added, note: (id, usage) => void (isKept && settings.conversations.note(id, usage, isAll)) }),
  }
}

/** What has to be known of a request when it is sent and answered. */
interface Sending {
  readonly mode: string
  readonly asksForUsage: boolean
  readonly added: Body
  note(id: unknown, usage: Usage): void
}

function sent(body: Body, decided: string | undefined, { mode, asksForUsage, added, note }: Sending): SentCall {
  // A cheaper model is called in the mode that its own name says.
  const keepsMode = decided === undefined || decided.endsWith(mode)
  const model = keepsMode ? decided?.slice(0, decided.length - mode.length) : decided
  const { stream_options: given } = body as { readonly stream_options?: { readonly include_usage?: unknown } | null }
  const priced = (answered: unknown, tier: unknown): string | undefined => pricedName(answered, tier === 'priority' ? ':priority' : '', model)
  return {
    body: {
      ...body,
      ...(model !== undefined && { model }),
      ...(!keepsMode && { service_tier: 'default' }),
      ...added,
      ...(asksForUsage && { stream_options: { ...given, include_usage: true } }),
    },
    outcomeOf: (answer) => outcomeOf(answer, priced, note),
    read: readerWith(priced, note),
    hides: (piece) => asksForUsage && given?.include_usage !== true && isUsageAlone(piece),
  }
}

type PricedName = (answered: unknown, tier: unknown) => string | undefined

function outcomeOf(answer: unknown, priced: PricedName, note: Sending['note']): Outcome {
  const { id, usage, model, service_tier: tier, output } = answerObject(answer)
  if (typeof usage !== 'object' || usage === null) throw new MissingCostError('usage: is missing in the answer, so its estimate was charged. Without it nobody can say what the call cost.')
  const named = priced(model, tier)
  const used = { ...openaiUsage(usage), ...searchesIn(output) }
  note(id, used)
  return { usage: used, ...(named !== undefined && { model: named }) }
}

function readerWith(priced: PricedName, note: Sending['note']): StreamReader {
  const read = openaiReader()
  return (piece) => {
    const reading = read(piece)
    if (reading?.model === undefined) return reading
    const { response } = piece as { readonly response?: unknown }
    const { id, model, service_tier: tier, output } = answerObject(response ?? piece)
    if (reading.usage !== undefined) note(id, reading.usage)
    return { ...reading, model: priced(model, tier), ...(reading.usage !== undefined && { usage: { ...reading.usage, ...searchesIn(output) } }) }
  }
}

/** Searches are charged one by one, and stand in the output, not in the usage. */
function searchesIn(output: unknown): Usage {
  if (!Array.isArray(output)) return {}
  const items = output.filter((item): item is Body => typeof item === 'object' && item !== null)
  // Opening a page that was found, and looking in it, costs nothing: https://platform.openai.com/docs/guides/tools-web-search
  const web = items.filter(({ type, action }) => type === 'web_search_call' && ['search', undefined].includes((action as { type?: string } | undefined)?.type)).length
  const files = items.filter(({ type }) => type === 'file_search_call').length
  return { ...(web > 0 && { webSearches: web }), ...(files > 0 && { storageSearches: files }) }
}

function isUsageAlone(piece: unknown): boolean {
  const { choices, usage } = piece as { readonly choices?: unknown; readonly usage?: unknown }
  return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object' && usage !== null
}

/** What a request asks to be served by, where that costs more. */
function modeOf(body: Body): string {
  return body['service_tier'] === 'priority' ? ':priority' : ''
}

function isOpenAI({ provider }: CallSettings): boolean {
  return provider === 'openai' || provider === 'azure'
}

function kindsOf(body: Body, settings: CallSettings): readonly TokenKind[] {
  // Any model may reason, and newer ones write to a cache without being asked to.
  const kinds: TokenKind[] = ['reasoning', 'cache-write']
  if (isOpenAI(settings)) return kinds
  return hasInside(body, (field, content) => field === 'ttl' && content === '1h') ? [...kinds, 'citation', 'cache-write-1h'] : [...kinds, 'citation']
}

function asksForAudio(body: Body): boolean {
  return Array.isArray(body['modalities']) && body['modalities'].some((modality) => modality !== 'text')
}

function areFunctions(tools: unknown): boolean {
  return tools === undefined || tools === null || (Array.isArray(tools) && tools.every((tool: { type?: unknown } | null) => tool?.type === 'function' || tool?.type === 'custom'))
}

/** Reasoning that the provider keeps is read again, however short its summary. */
function hasStoredReasoning(input: unknown): boolean {
  return Array.isArray(input) && input.some((item: Body | null) => item?.['type'] === 'reasoning' && typeof item['encrypted_content'] !== 'string')
}

function framingOf(body: Body, messages: unknown): number {
  const hasTools = lengthOf(body['tools']) > 0 || lengthOf(body['functions']) > 0
  return FRAMING_TOKENS + 4 * lengthOf(messages) + (hasTools ? TOOLS_TOKENS : 0)
}

function hasValue(body: Body, ...fields: readonly string[]): boolean {
  return fields.some((field) => body[field] !== undefined && body[field] !== null)
}

function higher(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
}
