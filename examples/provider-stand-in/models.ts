// What this stand-in serves and charges. Its own table, in integers: whoever checks its bill brings prices of their own.

/** Whose API serves a model. */
export type Provider = 'openai' | 'anthropic'

/** What each token of one call was, every one counted once. */
export interface Used {
  /** Read, and in no cache. */
  readonly fresh: number
  /** Read from a cache. */
  readonly cached: number
  /** Read, and written to a cache for five minutes. */
  readonly written: number
  /** Read, and written to a cache for an hour. */
  readonly writtenForHour: number
  /** Written by the model for itself. */
  readonly reasoning: number
  /** Written by the model for the reader. */
  readonly words: number
}

/** A model that is served. */
export interface Model {
  readonly provider: Provider
  /** The name that answers carry. */
  readonly snapshot: string
  /** Price of a token in nanodollars (a microcent is ten of them): one that is read, read from a cache, written to one, and written. */
  readonly nanodollars: { readonly read: number; readonly cached: number; readonly written: number; readonly writtenForHour: number; readonly output: number }
}

const NANODOLLARS_IN_MICROCENT = 10

const openai = (snapshot: string, read: number, cached: number, output: number): Model => ({
  provider: 'openai',
  snapshot,
  nanodollars: { read, cached, written: read, writtenForHour: read, output },
})

const anthropic = (snapshot: string, read: number, output: number): Model => ({
  provider: 'anthropic',
  snapshot,
  nanodollars: { read, cached: read / 10, written: (read * 5) / 4, writtenForHour: read * 2, output },
})

const MODELS = new Map([
  ['gpt-4o', openai('gpt-4o-2024-08-06', 2_500, 1_250, 10_000)],
  ['gpt-4o-mini', openai('gpt-4o-mini-2024-07-18', 150, 75, 600)],
  ['text-embedding-3-small', openai('text-embedding-3-small', 20, 20, 0)],
  ['claude-sonnet-4-6', anthropic('claude-sonnet-4-6', 3_000, 15_000)],
  ['claude-haiku-4-5', anthropic('claude-haiku-4-5-20251001', 1_000, 5_000)],
])
const BY_NAME: ReadonlyMap<string, Model> = new Map([...MODELS].flatMap(([name, model]) => [[name, model], [model.snapshot, model]]))

/** The model of a name, or of one of its snapshots. */
export function findModel(name: string, provider: Provider): Model | undefined {
  const model = BY_NAME.get(name)
  return model?.provider === provider ? model : undefined
}

/** What a call costs, rounded up once. */
export function microcentsOf({ nanodollars }: Model, { fresh, cached, written, writtenForHour, reasoning, words }: Used): number {
  const input = fresh * nanodollars.read + cached * nanodollars.cached + written * nanodollars.written + writtenForHour * nanodollars.writtenForHour
  return Math.ceil((input + (reasoning + words) * nanodollars.output) / NANODOLLARS_IN_MICROCENT)
}
