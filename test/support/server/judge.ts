// What may be said of any answer, whatever was asked: its status stands in the description, its body fits it, nothing has gone wrong that
// nobody foresaw, and nothing in it is another tenant's.

import type { ApiDocument, JsonSchema } from '../../../src/server/description/openapi.js'
import type { FuzzRequest, Operation } from './arbitrary.js'
import { misfit } from './schema-check.js'

/** An answer, read to its end, or to the end of what is asked of it. */
export interface FuzzAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** Streams that do not end are read so far. */
const MOST_CHUNKS = 3

/** What is wrong with an answer; `undefined`: nothing. `secret`: what must not stand in it. */
export function wrongWith(document: ApiDocument, { described }: Operation, { status, headers, text }: FuzzAnswer, secret: RegExp | undefined): string | undefined {
  if (status >= 500 && status !== 503) return `is a ${status}: ${text}`
  const answer = described.responses[String(status)]
  if (answer === undefined) return `${status} is in no description: ${text.slice(0, 300)}`
  const type = (headers.get('content-type') ?? '').split(';')[0] as string
  if (secret !== undefined) {
    const all = `${text}\n${[...headers].join('\n')}`
    const at = all.search(secret)
    if (at >= 0) return `tells what is another tenant's: …${all.slice(Math.max(0, at - 200), at + 60)}`
  }
  if (status === 204) return text === '' ? undefined : `204 has a body: ${text.slice(0, 100)}`
  const content = answer.content?.[type]
  if (answer.content !== undefined && content === undefined) return `${status} is of type ${type}, and its description has ${Object.keys(answer.content).join(', ')}`
  if (!/[/+]json$/.test(type) || content?.schema === undefined) return undefined
  const value = JSON.parse(text) as unknown
  const found = misfit(content.schema, value, (ref) => document.components.schemas[ref.split('/').at(-1) as string] as JsonSchema)
  return found === undefined ? undefined : `${status} does not fit its description: ${found}`
}

/** Sends it to an app. */
export async function sendTo(app: { fetch(request: Request): Response | Promise<Response> }, { method, path, headers, body }: FuzzRequest, authorization: string | undefined): Promise<FuzzAnswer> {
  const request = new Request(`http://bursar.test${path}`, { method, headers: { ...headers, ...(authorization !== undefined && { authorization }) }, ...(body !== undefined && { body }) })
  const response = await app.fetch(request)
  return { status: response.status, headers: response.headers, text: await textOf(response) }
}

async function textOf(response: Response): Promise<string> {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return response.text()
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  let text = ''
  // The first comes at once; who waits for the next would wait for something to happen.
  for (let chunk = 0; chunk < MOST_CHUNKS; chunk += 1) {
    const read = await Promise.race([reader.read(), new Promise<undefined>((resolve) => setImmediate(() => setImmediate(() => resolve(undefined))))])
    if (read === undefined || read.done) break
    text += new TextDecoder().decode(read.value)
  }
  await reader.cancel()
  return text
}
