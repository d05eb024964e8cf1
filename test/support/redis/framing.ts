// Where one message of the Redis protocol ends and the next begins, in either version of it. Looks at lengths only, never at what
// a message says, but for the words of a command.

/** Cuts a stream of bytes into whole messages. */
export class Framing {
  #rest: Buffer = Buffer.alloc(0)

  /** Takes what has arrived and gives the messages that are complete by now. */
  push(bytes: Buffer): Buffer[] {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes])
    const messages: Buffer[] = []
    for (;;) {
      const end = endOf(this.#rest, 0)
      if (end === undefined) return messages
      messages.push(this.#rest.subarray(0, end))
      this.#rest = this.#rest.subarray(end)
    }
  }
}

/** The words of a command as a client sends it: an array of strings. */
export function wordsOf(message: Buffer): string[] {
  const words: string[] = []
  let at = message.indexOf('\r\n') + 2
  while (at < message.length) {
    const start = message.indexOf('\r\n', at) + 2
    const length = Number(message.toString('latin1', at + 1, start - 2))
    words.push(message.toString('utf8', start, start + length))
    at = start + length + 2
  }
  return words
}

/** True for what the server says without being asked. */
export function isPush(message: Buffer): boolean {
  return message[0] === PUSH
}

const PUSH = '>'.charCodeAt(0)

/** Where the value that starts at `at` ends; undefined while it is incomplete. */
function endOf(bytes: Buffer, at: number): number | undefined {
  const lineEnd = bytes.indexOf('\r\n', at)
  if (lineEnd < 0) return undefined
  const after = lineEnd + 2
  const length = (): number => Number(bytes.toString('latin1', at + 1, lineEnd))
  switch (String.fromCharCode(bytes[at] as number)) {
    case '$':
    case '=':
    case '!': {
      const end = length() < 0 ? after : after + length() + 2
      return end <= bytes.length ? end : undefined
    }
    case '*':
    case '~':
    case '>':
      return afterValues(bytes, after, length())
    case '%':
      return afterValues(bytes, after, 2 * length())
    case '|':
      // Attributes stand before the value that they belong to.
      return afterValues(bytes, after, 2 * length() + 1)
    default:
      return after
  }
}

function afterValues(bytes: Buffer, start: number, count: number): number | undefined {
  let at: number | undefined = start
  for (let index = 0; index < count && at !== undefined; index += 1) at = endOf(bytes, at)
  return at
}
