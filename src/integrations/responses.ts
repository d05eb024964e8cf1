// Responses of the Fetch API: that of a refusal, and when one has ended: its body read to the end, failed, left, or nobody there to
// read it. Knows no budget.

import type { ProblemAnswer } from './problem.js'

const NULL_BODY_STATUSES = [101, 204, 205, 304]

/** The answer as a `Response`. */
export function problemResponse({ status, headers, body }: ProblemAnswer): Response {
  return new Response(body, { status, headers })
}

/** For a client that has gone in the meantime: nothing is to be done for it, and it reads no answer. */
export function nobodyThere(): Response {
  return new Response(null, { status: 499 })
}

/** The same response with other header fields beside its own; `end` runs once, when all of it is over, and never throws. */
export async function endingWith(response: Response, request: Request, fields: Readonly<Record<string, string>>, end: () => Promise<void>): Promise<Response> {
  const { body, status } = response
  // What cannot be made anew (an upgrade, an error) goes as it is.
  const isPlain = status >= 200
  if (body === null || !isPlain || NULL_BODY_STATUSES.includes(status)) {
    await end()
    return isPlain ? withFields(null, response, fields) : response
  }
  const reader = body.getReader()
  const ended = once(end)
  const leave = async (reason: unknown): Promise<void> => {
    // First the source: a handler that settles when it is left comes before the abandoning.
    const left = reader.cancel(reason)
    await ended()
    await left
  }
  const { signal } = request
  // Nobody reads the body of an answer to HEAD, nor one that comes when the client is gone.
  if (request.method === 'HEAD' || signal.aborted) {
    leave(signal.reason).catch(() => {})
    return withFields(null, response, fields)
  }
  const onAbort = (): void => void leave(signal.reason).catch(() => {})
  signal.addEventListener('abort', onAbort, { once: true })
  const watched = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const next = await reader.read()
          if (!next.done) return controller.enqueue(next.value)
        } catch (error) {
          signal.removeEventListener('abort', onAbort)
          await ended()
          throw error
        }
        signal.removeEventListener('abort', onAbort)
        // A runtime may stop the process when the last byte is out.
        await ended()
        controller.close()
      },
      cancel(reason) {
        signal.removeEventListener('abort', onAbort)
        return leave(reason)
      },
    },
    { highWaterMark: 0 },
  )
  return withFields(watched, response, fields)
}

/** The response with another body, and fields beside its own; what it says itself stays. */
function withFields(body: ReadableStream<Uint8Array> | null, { status, statusText, headers }: Response, fields: Readonly<Record<string, string>>): Response {
  const all = new Headers(headers)
  for (const [name, value] of Object.entries(fields)) if (!all.has(name)) all.set(name, value)
  return new Response(body, { status, statusText, headers: all })
}

function once(end: () => Promise<void>): () => Promise<void> {
  let ended: Promise<void> | undefined
  return () => (ended ??= end())
}
