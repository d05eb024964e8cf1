// What every answer tells a browser: nothing of it is a page, a frame, or to be kept. Routes that serve pages say otherwise of themselves.

import { jsonText } from './json-text.js'
import { PROBLEM_TYPE } from '../problem.js'

/** Header fields of every answer that does not bring its own of that name. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = Object.freeze({
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
})

const NAMES = Object.entries(SECURITY_HEADERS)
const WHOLE = new WeakSet<Response>()

/** An answer of JSON that has them all, made in one go: for the routes where speed matters. */
export function quickAnswer(status: number, body: unknown, requestId: string, headers: Readonly<Record<string, string>> = {}): Response {
  const type = status < 400 ? 'application/json' : PROBLEM_TYPE
  const response = new Response(jsonText(body), { status, headers: { ...SECURITY_HEADERS, 'content-type': type, 'x-request-id': requestId, ...headers } })
  WHOLE.add(response)
  return response
}

/** Gives an answer what it lacks of them. */
export function secure(response: Response, requestId: string): void {
  // To look at its header fields costs more than to write them.
  if (WHOLE.has(response)) return
  const { headers } = response
  for (const [name, value] of NAMES) if (!headers.has(name)) headers.set(name, value)
  headers.set('x-request-id', requestId)
}
