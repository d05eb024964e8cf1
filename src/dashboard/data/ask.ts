// How the page asks its server: with the key, and with what went wrong as one kind of error that says why in words.

import { heldKey } from './session.js'

/** An answer that is a problem, or none at all (`status` 0). `message` is for people. */
export class AskError extends Error {
  readonly status: number
  /** Seconds after which it may be repeated, where the server says so. */
  readonly retryAfter: number | undefined

  constructor(status: number, message: string, retryAfter?: number) {
    super(message)
    this.name = 'AskError'
    this.status = status
    this.retryAfter = retryAfter
  }
}

/** What may be sent along. */
export interface AskOptions {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly body?: object
  readonly signal?: AbortSignal
  readonly accept?: string
}

/** The answer as it comes, once it is known to be a good one. Throws `AskError`. */
export async function open(path: string, { method = 'GET', body, signal, accept = 'application/json' }: AskOptions = {}): Promise<Response> {
  const key = heldKey()
  const headers: Record<string, string> = { accept }
  if (key !== undefined) headers['authorization'] = `Bearer ${key}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  let response: Response
  try {
    response = await fetch(path, { method, headers, cache: 'no-store', redirect: 'error', ...(body !== undefined && { body: JSON.stringify(body) }), ...(signal !== undefined && { signal }) })
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error
    throw new AskError(0, 'The server does not answer. Look whether it runs, and whether this machine reaches it.')
  }
  if (response.ok) return response
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  throw new AskError(response.status, await whyNot(response), Number.isFinite(seconds) ? seconds : undefined)
}

/** The answer's JSON; `undefined` where it has no content. Throws `AskError`. */
export async function ask<Answer>(path: string, options: AskOptions = {}): Promise<Answer> {
  const response = await open(path, options)
  if (response.status === 204) return undefined as Answer
  const text = await response.text()
  try {
    return JSON.parse(text) as Answer
  } catch {
    throw new AskError(response.status, 'What answers is not bursar: a proxy or a page to sign in may stand before it. Look at what this address serves.')
  }
}

/** `?name=value` of what is there. */
export function query(values: Readonly<Record<string, string | null | undefined>>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '')
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`
}

async function whyNot(response: Response): Promise<string> {
  const text = await response.text().catch(() => '')
  try {
    const problem = JSON.parse(text) as { readonly detail?: unknown; readonly title?: unknown }
    const words = [problem.detail, problem.title].find((each) => typeof each === 'string' && each !== '')
    if (words !== undefined) return words as string
  } catch {
    // No problem document: a proxy may have answered.
  }
  return `The server answered ${response.status}${response.statusText === '' ? '' : ` ${response.statusText}`}.`
}
