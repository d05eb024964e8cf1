// Who asks what: eleven users on three plans, each through one of the SDKs, and the calls of each. The calls follow from the user's
// name alone, so that every run sends the same.

/** The plans. */
export type Tier = 'free' | 'pro' | 'enterprise'

/** The integrations. */
export const SDKS = ['openai', 'anthropic', 'ai-sdk'] as const

/** The integration that a user's calls go through: `bursar/openai`, … */
export type Sdk = (typeof SDKS)[number]

/** A user, and how many calls they make, `inFlight` of them at the same time. */
export interface User {
  readonly id: string
  readonly tier: Tier
  readonly sdk: Sdk
  readonly team?: 'research'
  readonly calls: number
  readonly inFlight: number
}

/** One call. A prompt with `#500` makes the stand-in fail. */
export interface Call {
  readonly prompt: string
  readonly maxTokens: number
  readonly stream: boolean
  /** On OpenAI's responses, else on its chat completions; on Anthropic's messages with a cache that lasts an hour, else five minutes. */
  readonly isNewer: boolean
}

/** The users of the demo: in each tier one who stays well below the limit and one who runs into it. */
export const USERS: readonly User[] = [
  { id: 'ada', tier: 'free', sdk: 'openai', calls: 12, inFlight: 2 },
  { id: 'ben', tier: 'free', sdk: 'ai-sdk', calls: 21, inFlight: 2 },
  { id: 'cleo', tier: 'free', sdk: 'anthropic', calls: 40, inFlight: 4 },
  { id: 'dan', tier: 'free', sdk: 'openai', calls: 60, inFlight: 12 },
  { id: 'eva', tier: 'pro', sdk: 'anthropic', calls: 12, inFlight: 4 },
  { id: 'finn', tier: 'pro', sdk: 'openai', calls: 60, inFlight: 4 },
  { id: 'gus', tier: 'pro', sdk: 'ai-sdk', calls: 140, inFlight: 8 },
  { id: 'hana', tier: 'pro', sdk: 'anthropic', team: 'research', calls: 40, inFlight: 4 },
  { id: 'ivy', tier: 'enterprise', sdk: 'ai-sdk', calls: 30, inFlight: 4 },
  { id: 'jon', tier: 'enterprise', sdk: 'openai', calls: 100, inFlight: 6 },
  { id: 'kim', tier: 'enterprise', sdk: 'anthropic', team: 'research', calls: 30, inFlight: 4 },
]

const MOST_TOKENS: Readonly<Record<Tier, number>> = { free: 900, pro: 7_000, enterprise: 12_000 }
const FAILING = 0.05
const STREAMED = 0.4
const NEWER = 0.5
const WORDS = 'summarise translate compare the report contract ticket release of this week for our customer in three points'.split(' ')

/** A user's calls, the same in every run. */
export function callsOf({ id, tier, calls }: User): Call[] {
  const random = randomFrom(id)
  return Array.from({ length: calls }, (_, index) => {
    const words = Array.from({ length: 10 + Math.floor(random() * 60) }, () => WORDS[Math.floor(random() * WORDS.length)])
    const fails = random() < FAILING
    const maxTokens = Math.ceil(MOST_TOKENS[tier] * (0.3 + 0.7 * random()))
    return { prompt: `${id} ${index}: ${words.join(' ')}${fails ? ' #500' : ''}`, maxTokens, stream: random() < STREAMED, isNewer: random() < NEWER }
  })
}

/** Numbers in [0, 1) that follow from a seed (mulberry32 over an FNV-1a hash). */
function randomFrom(seed: string): () => number {
  let state = 2_166_136_261
  for (const character of seed) state = Math.imul(state ^ character.charCodeAt(0), 16_777_619)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
