// Reads a chat completion request as the OpenAI API takes it, or says with which error it is refused. Knows no prices.

/** The parts of a request that this stand-in serves. */
export interface ChatRequest {
  readonly model: string
  readonly messages: readonly { readonly role: string; readonly text: string }[]
  readonly maxTokens: number
  readonly stream: boolean
  readonly includeUsage: boolean
  /** The OpenAI `user` field: who the bill is for. */
  readonly user: string
}

/** An error as the OpenAI API answers it. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly type: string = 'invalid_request_error',
    readonly code: string | null = null,
    readonly param: string | null = null,
  ) {
    super(message)
  }
}

/** The user of a request that names none. */
export const NO_USER = '(none)'
const DEFAULT_MAX_TOKENS = 256
const MOST_TOKENS = 16_384

/** Reads a request body. Throws `ApiError` 400, naming the parameter. */
export function readChatRequest(body: string): ChatRequest {
  const given = parseObject(body)
  const { model, messages, stream = false, stream_options: options = null, user = NO_USER, n = 1 } = given
  if (typeof model !== 'string' || model === '') throw wrong('model', 'you must provide a model parameter')
  if (!Array.isArray(messages) || messages.length === 0) throw wrong('messages', 'expected an array with at least one message')
  if (typeof stream !== 'boolean') throw wrong('stream', 'expected a boolean')
  if (options !== null && !stream) throw wrong('stream_options', 'only allowed when stream is true')
  if (typeof user !== 'string') throw wrong('user', 'expected a string')
  if (n !== 1) throw wrong('n', 'this stand-in gives one choice')
  const includeUsage = isObject(options) && options.include_usage === true
  return { model, messages: messages.map(readMessage), maxTokens: readMaxTokens(given), stream, includeUsage, user }
}

function readMessage(message: unknown, index: number): { role: string; text: string } {
  const param = `messages[${index}]`
  if (!isObject(message) || typeof message.role !== 'string') throw wrong(`${param}.role`, 'expected a role')
  const { role, content } = message
  if (typeof content === 'string') return { role, text: content }
  if (!Array.isArray(content)) throw wrong(`${param}.content`, 'expected a string or an array of text parts')
  const texts = content.map((part: unknown) => {
    if (isObject(part) && part.type === 'text' && typeof part.text === 'string') return part.text
    throw wrong(`${param}.content`, 'this stand-in takes text parts only')
  })
  return { role, text: texts.join('') }
}

function readMaxTokens(given: Record<string, unknown>): number {
  const param = given.max_completion_tokens == null ? 'max_tokens' : 'max_completion_tokens'
  const most = given[param] ?? DEFAULT_MAX_TOKENS
  if (Number.isInteger(most) && (most as number) >= 1 && (most as number) <= MOST_TOKENS) return most as number
  throw wrong(param, `expected an integer from 1 to ${MOST_TOKENS}`)
}

function parseObject(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body)
    if (isObject(value)) return value
  } catch {
    // Not JSON at all: refused in the same words as JSON that is no object.
  }
  throw new ApiError(400, 'We could not parse the JSON body of your request: expected a JSON object.')
}

function wrong(param: string, why: string): ApiError {
  return new ApiError(400, `Invalid value for '${param}': ${why}.`, 'invalid_request_error', 'invalid_value', param)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
