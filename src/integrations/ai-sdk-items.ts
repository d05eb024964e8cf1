// What a provider keeps of its answers and reads again by an id, however little of it stands in the call: how many tokens that can be.
// Knows no prices.

import type { SdkCall, SdkMessage, SdkPart } from './ai-sdk-shapes.js'

/** More than the open conversations of one process have. */
const MOST_REMEMBERED = 50_000

interface KeptAnswer {
  readonly tokens: number
}

/** The items of the answers that this process has seen, by their ids. */
export class KeptItems {
  readonly #answers = new Map<string, KeptAnswer>()

  /** Remembers the items of one answer by all the tokens that it has. */
  note(ids: Iterable<string>, tokens: number): void {
    const answer: KeptAnswer = { tokens }
    for (const id of ids) {
      this.#answers.delete(id)
      this.#answers.set(id, answer)
      const [oldest] = this.#answers.keys()
      if (this.#answers.size > MOST_REMEMBERED) this.#answers.delete(oldest as string)
    }
  }

  /** The most tokens that stand behind the ids; `undefined` where one of them is not known. */
  tokensBehind(ids: readonly string[]): number | undefined {
    const answers = new Set(ids.map((id) => this.#answers.get(id)))
    let tokens = 0
    for (const answer of answers) {
      if (answer === undefined) return undefined
      tokens += answer.tokens
    }
    return tokens
  }
}

/** The ids of what the model reads instead of the text in the call: of reasoning above all, of which the call has a summary. */
export function referredIds({ prompt, providerOptions = {} }: SdkCall): string[] {
  // What the provider does not keep is sent as it is.
  if (Object.values(providerOptions).some((own) => (own as { readonly store?: unknown } | null | undefined)?.store === false)) return []
  return prompt.flatMap(partsOf).flatMap(({ type, providerOptions: own }) => (isKept(type) ? idsIn(own) : []))
}

/** The ids under which the provider keeps a part or a piece of its answer. */
export function keptIds({ type, providerMetadata }: { readonly type: string; readonly providerMetadata?: unknown }): string[] {
  return isKept(type) ? idsIn(providerMetadata) : []
}

function partsOf({ content }: SdkMessage): readonly SdkPart[] {
  return typeof content === 'string' ? [] : content
}

function isKept(type: string): boolean {
  return /^(text|reasoning)(-start|-end)?$/.test(type)
}

function idsIn(byProvider: unknown): string[] {
  if (typeof byProvider !== 'object' || byProvider === null) return []
  const ids = Object.values(byProvider).map((own) => (own as { readonly itemId?: unknown } | null | undefined)?.itemId)
  return ids.filter((id): id is string => typeof id === 'string')
}
