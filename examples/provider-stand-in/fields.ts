// Reads the fields that requests of these APIs have in common, or says with which error a request is refused.

/** A JSON object from outside. */
export type Fields = Readonly<Record<string, unknown>>

/** An error as an API answers it. */
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
const MOST_TOKENS = 16_384

/** The body of a request. Throws `ApiError` 400 for what is no JSON object. */
export function parseBody(body: string): Fields {
  try {
    const value: unknown = JSON.parse(body)
    if (isFields(value)) return value
  } catch {
    // Not JSON at all: refused in the same words as JSON that is no object.
  }
  throw new ApiError(400, 'We could not parse the JSON body of your request: expected a JSON object.')
}

/** A refusal that names the parameter. */
export function wrong(param: string, why: string): ApiError {
  return new ApiError(400, `Invalid value for '${param}': ${why}.`, 'invalid_request_error', 'invalid_value', param)
}

/** True for a JSON object. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A text that has to be there. */
export function readText(value: unknown, param: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw wrong(param, 'expected a string that is not empty')
}

/** Whose request it is. */
export function readUser(value: unknown, param: string): string {
  return value === undefined || value === null ? NO_USER : readText(value, param)
}

/** A flag that may be left out. */
export function readFlag(value: unknown, param: string): boolean {
  if (value === undefined || value === null || typeof value === 'boolean') return value === true
  throw wrong(param, 'expected a boolean')
}

/** The most tokens that may be written. */
export function readMostTokens(value: unknown, param: string): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_TOKENS) return value as number
  throw wrong(param, `expected an integer from 1 to ${MOST_TOKENS}`)
}

/** The content of a message: a text, or parts of one of these types. */
export function readContent(content: unknown, param: string, types: readonly string[]): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw wrong(param, 'expected a string or an array of text parts')
  const texts = content.map((part: unknown) => {
    if (isFields(part) && types.includes(String(part.type)) && typeof part.text === 'string') return part.text
    throw wrong(param, 'this stand-in takes text parts only')
  })
  return texts.join('')
}

/** The messages of a request, each by its content. */
export function readMessages(messages: unknown, param: string, types: readonly string[]): string[] {
  if (!Array.isArray(messages) || messages.length === 0) throw wrong(param, 'expected an array with at least one message')
  return messages.map((message: unknown, index) => {
    if (!isFields(message) || typeof message.role !== 'string') throw wrong(`${param}[${index}].role`, 'expected a role')
    return readContent(message.content, `${param}[${index}].content`, types)
  })
}
