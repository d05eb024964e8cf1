// Long text as an answer, piece by piece: read only as fast as the client reads, given up when the client goes, and broken off, never ended,
// where it fails.

import { nextTurn } from '../../ledger/index.js'

/** About how many characters go out at once. */
const CHUNK = 32_768

/** The text as a body. Rejects with what its beginning fails with: then nothing was sent, and the failure can be answered. */
export async function textStream(pieces: AsyncIterable<string>, failed: (error: unknown) => void): Promise<ReadableStream<Uint8Array>> {
  const encoder = new TextEncoder()
  const iterator = pieces[Symbol.asyncIterator]()
  const next = async (): Promise<{ readonly text: string; readonly isLast: boolean }> => {
    let text = ''
    while (text.length < CHUNK) {
      const { done, value } = await iterator.next()
      if (done === true) return { text, isLast: true }
      text += value
    }
    return { text, isLast: false }
  }
  let ahead: Awaited<ReturnType<typeof next>> | undefined = await next()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          // A client that reads at once is not to keep the process from everybody else.
          await nextTurn()
          const { text, isLast } = ahead ?? (await next())
          ahead = undefined
          if (text !== '') controller.enqueue(encoder.encode(text))
          if (isLast) controller.close()
        } catch (error) {
          failed(error)
          controller.error(error)
        }
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
