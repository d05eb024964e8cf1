// What Anthropic's requests ask for, and what its answers say of their cost. Shapes only: what they cost, and who may, is decided elsewhere.

import type { Outcome } from '../decision/index.js'
import { InvalidRequestError, MissingCostError } from '../errors/index.js'
import { anthropicUsage, type TokenKind, type Usage } from '../pricing/index.js'
import { anthropicReader, type StreamReader } from '../stream/index.js'
import { answerObject, pricedName, type RequestReader, type SentCall } from './asked-call.js'
import { countIn, hasInside, isAllText, lengthOf, textOfBody, toolsOf, type Body, type TextShape } from './body-text.js'

/** What the model does not read. */
const UNREAD = new Set(['metadata', 'user_profile_id', 'workspace_id', 'diagnostics'])

const TEXT: TextShape = {
  types: new Set(['text', 'tool_use', 'tool_result', 'thinking', 'redacted_thinking', 'search_result', 'document', 'content', 'compaction', 'ephemeral', 'direct']),
  references: new Set(['file_id', 'url']),
  data: new Set(['input', 'citations']),
}

/** Tools that the application runs and Anthropic describes to the model: each description is below TOOLS_TOKENS. */
const DESCRIBED_TOOL = /^(bash|text_editor|memory)_\d{8}$/

// What is written around the text: a few tokens for a message, for which its JSON has more bytes than that, and for tools or a format of the
// output an introduction of some hundred tokens: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/overview#pricing
const FRAMING_TOKENS = 64
const TOOLS_TOKENS = 1_000

/** Fields with which the provider adds to what is sent, or runs tools itself. */
const ADDING = ['container', 'mcp_servers', 'context_management', 'compaction', 'fallbacks']

/** Tools that cost what is in the usage, with the count of searches. What else there is may have a fee of its own. */
const COUNTED_TOOL = /^((bash|text_editor|memory|computer|computer_toolset|browser_toolset|web_search|web_fetch)_\d{8}|tool_search_tool_(regex|bm25)(_\d{8})?|mcp_toolset)$/
/** Code is run for the price of its tokens where one of these is there too: https://docs.anthropic.com/en/docs/agents-and-tools/tool-use/code-execution-tool */
const FREE_CODE_SINCE = 20_260_209

/** Requests for messages. Tools whose fee is not in the usage are refused, unless what is not metered is let through. */
export const messageRequest: RequestReader = (body, settings) => {
  const fee = settings.allowsUnmetered ? undefined : feeIn(toolsOf(body))
  if (fee !== undefined) {
    throw new InvalidRequestError(`tools: ${JSON.stringify(fee)} may have a fee that is not in the usage of the message.${isCode(fee) ? ' Running code has none beside web_search_20260209 or web_fetch_20260209: add one of them.' : ''} Leave it out, make the call with bursar.guard() around the client that is not wrapped, or give the option unmetered: 'allow' to leave that uncounted.`)
  }
  const { model } = body
  if (model !== undefined && typeof model !== 'string') throw new InvalidRequestError(`model: ${String(model)} is no name. Give the name of a model.`)
  const isText = isAllText(body['messages'], TEXT) && isAllText(body['system'], TEXT) && areText(body['tools']) && ADDING.every((field) => (body[field] ?? undefined) === undefined)
  const mode = modeOf(body['speed'], body['inference_geo'])
  const isKept = (body['thread'] ?? undefined) !== undefined
  // A thread that begins here has all of its text here.
  const { type, previous_message_id: follows } = (body['thread'] ?? { type: 'create' }) as Body
  const kept = type === 'create' ? { tokens: 0, isText: true } : settings.conversations.behind(follows)
  const isAll = isText && kept?.isText === true
  const cap = countIn(body, 'max_tokens')
  return {
    model: model === undefined ? undefined : model + mode,
    inputTokens: isText && kept !== undefined ? kept.tokens + settings.tokensOf(textOfBody(body, UNREAD), model) + framingOf(body) : undefined,
    maxOutputTokens: cap ?? settings.maxOutputTokens,
    answers: 1,
    tokenKinds: isAll ? kindsOf(body) : undefined,
    on: (decided) => sent(body, decided, { mode, added: cap === undefined && settings.maxOutputTokens !== undefined ? { max_tokens: settings.maxOutputTokens } : {}, note: (id, usage) => void (isKept && settings.conversations.note(id, usage, isAll)) }),
  }
}

/** What has to be known of a request when it is sent and answered. */
interface Sending {
  readonly mode: string
  readonly added: Body
  note(id: unknown, usage: Usage): void
}

function sent(body: Body, decided: string | undefined, { mode, added, note }: Sending): SentCall {
  // A cheaper model is called in the mode that its own name says.
  const keepsMode = decided === undefined || decided.endsWith(mode)
  const model = keepsMode ? decided?.slice(0, decided.length - mode.length) : decided
  const { speed: _speed, inference_geo: _geo, ...plain } = body
  const named = (answered: unknown, usage: unknown): string | undefined => {
    const { speed, inference_geo: geo } = (usage ?? {}) as Body
    return pricedName(answered, modeOf(speed, geo), model)
  }
  return {
    body: { ...(keepsMode ? body : plain), ...(model !== undefined && { model }), ...added },
    outcomeOf: (answer) => outcomeOf(answer, named, note),
    read: readerWith(named, note),
    hides: () => false,
  }
}

type PricedName = (answered: unknown, usage: unknown) => string | undefined

function outcomeOf(answer: unknown, named: PricedName, note: Sending['note']): Outcome {
  const { id, usage, model } = answerObject(answer)
  if (typeof usage !== 'object' || usage === null) throw new MissingCostError('usage: is missing in the answer, so its estimate was charged. Without it nobody can say what the call cost.')
  const name = named(model, usage)
  const used = anthropicUsage(usage)
  note(id, used)
  return { usage: used, ...(name !== undefined && { model: name }) }
}

function readerWith(named: PricedName, note: Sending['note']): StreamReader {
  const read = anthropicReader()
  let id: unknown
  return (piece) => {
    const reading = read(piece)
    const { message } = piece as { readonly message?: Body }
    id = message?.['id'] ?? id
    if (reading?.usage !== undefined) note(id, reading.usage)
    return reading?.model === undefined ? reading : { ...reading, model: named(reading.model, message?.['usage']) }
  }
}

/** What costs more than the model's own price: a faster answer, and one that is made in the United States only. */
function modeOf(speed: unknown, geo: unknown): string {
  return `${speed === 'fast' ? ':fast' : ''}${geo === 'us' ? ':us' : ''}`
}

function kindsOf(body: Body): readonly TokenKind[] {
  if (!hasInside(body, (field, content) => field === 'cache_control' && content !== null && content !== undefined)) return ['reasoning']
  return hasInside(body, (field, content) => field === 'ttl' && content === '1h') ? ['reasoning', 'cache-write', 'cache-write-1h'] : ['reasoning', 'cache-write']
}

function areText(tools: unknown): boolean {
  if (tools === undefined || tools === null) return true
  return Array.isArray(tools) && tools.every((tool: { type?: unknown } | null) => isOwn(tool?.type) || DESCRIBED_TOOL.test(String(tool?.type)))
}

/** The first tool whose fee is in no usage. */
function feeIn(tools: readonly Body[]): string | undefined {
  const types = tools.map(({ type }) => type).filter((type) => !isOwn(type)).map(String)
  const hasFreeCode = types.some((type) => /^web_(search|fetch)_\d{8}$/.test(type) && Number(type.slice(-8)) >= FREE_CODE_SINCE)
  return types.find((type) => !COUNTED_TOOL.test(type) && !(hasFreeCode && isCode(type)))
}

function isCode(type: string): boolean {
  return /^code_execution_\d{8}$/.test(type)
}

function isOwn(type: unknown): boolean {
  return type === undefined || type === null || type === 'custom'
}

function framingOf(body: Body): number {
  const tools = toolsOf(body)
  const described = tools.filter(({ type }) => !isOwn(type)).length
  const introduces = tools.length > 0 || (body['output_config'] ?? body['output_format'] ?? undefined) !== undefined
  return FRAMING_TOKENS + 4 * lengthOf(body['messages']) + (introduces ? TOOLS_TOKENS : 0) + described * TOOLS_TOKENS
}
