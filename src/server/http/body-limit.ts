// The body of a request: JSON in UTF-8, no larger than allowed, nested no deeper than anybody needs. Read here once, for every route.

import type { Context } from 'hono'
import { Problem } from '../problem.js'
import type { Env } from '../service.js'

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json *(?:;|$)/i
const CHARSET = /; *charset *= *"?([^\s";]*)/i

/** Bytes that are no UTF-8 are refused: mended, two different names would come to the same. */
const UTF8 = { fatal: true } as const
const decoder = new TextDecoder('utf-8', UTF8)

/** Deeper than any request, and far from what a recursive reader cannot bear. */
const DEEPEST = 64

/**
 * What the body says; `undefined` where there is none. Rejects with a 413, by its declared length before anything is read, and while it is
 * read where none is declared; a 415 for what is not said to be JSON in UTF-8; a 400 for what is none, or ends early; and a 422 for what is nested too deeply.
 */
export async function readBody(context: Context<Env>, maxBytes: number): Promise<unknown> {
  const { req } = context
  const type = req.header('content-type')
  const declared = req.header('content-length')
  const length = declared === undefined ? undefined : Number(declared)
  if (type === undefined && (length === 0 || (length === undefined && req.header('transfer-encoding') === undefined))) return undefined
  if (type === undefined || !JSON_TYPE.test(type)) {
    if (length === 0) return undefined
    throw new Problem(415, 'UNSUPPORTED', `content-type: ${type === undefined ? 'is missing' : 'is not application/json'}. Send JSON, and say so.`)
  }
  assertUtf8(type)
  if (length !== undefined && !(length <= maxBytes)) throw tooLarge(maxBytes)
  const text = await (length === undefined ? readCounting(req.raw, maxBytes) : readWhole(req.raw, maxBytes)).catch((error: unknown) => {
    if (error instanceof Problem) throw error
    if (error instanceof TypeError && (error as { readonly code?: unknown }).code === 'ERR_ENCODING_INVALID_ENCODED_DATA') throw new Problem(400, 'MALFORMED', 'body: is not in UTF-8. Send JSON in UTF-8.')
    throw new Problem(400, 'MALFORMED', 'body: ended before it was whole. Send it again.')
  })
  // For those who read it again by the framework's own means.
  req.bodyCache.text = Promise.resolve(text) as unknown as string
  return text === '' ? undefined : parsed(text)
}

/** Throws a 415 for text that is said to be in other letters. */
function assertUtf8(type: string): void {
  if (type.length === 16) return
  const charset = CHARSET.exec(type)?.[1]
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) throw new Problem(415, 'UNSUPPORTED', `content-type: charset ${charset} is not read. Send JSON in UTF-8, as all JSON is.`)
}

function parsed(text: string): unknown {
  if (text.length > DEEPEST && isTooDeep(text)) throw new Problem(422, 'INVALID_REQUEST', `body: is nested more than ${DEEPEST} deep. Send it flatter.`)
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem(400, 'MALFORMED', 'body: is no JSON. Send one JSON value in UTF-8.')
  }
}

/** True where brackets, those within strings aside, open more often than they should before they close. */
function isTooDeep(text: string): boolean {
  let depth = 0
  let isInString = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (isInString) {
      if (code === 0x5c) at += 1
      else if (code === 0x22) isInString = false
    } else if (code === 0x22) isInString = true
    else if (code === 0x7b || code === 0x5b) {
      depth += 1
      if (depth > DEEPEST) return true
    } else if (code === 0x7d || code === 0x5d) depth -= 1
  }
  return false
}

async function readWhole(request: Request, maxBytes: number): Promise<string> {
  const bytes = await request.arrayBuffer()
  if (bytes.byteLength > maxBytes) throw tooLarge(maxBytes)
  return decoder.decode(bytes)
}

async function readCounting(request: Request, maxBytes: number): Promise<string> {
  if (request.body === null) return ''
  const pieces = new TextDecoder('utf-8', UTF8)
  const reader = request.body.getReader()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + pieces.decode()
    bytes += value.byteLength
    if (bytes > maxBytes) {
      void reader.cancel().catch(() => {})
      throw tooLarge(maxBytes)
    }
    text += pieces.decode(value, { stream: true })
  }
}

function tooLarge(maxBytes: number): Problem {
  return new Problem(413, 'TOO_LARGE', `body: is larger than ${maxBytes} bytes. Send less, or in several requests.`)
}
