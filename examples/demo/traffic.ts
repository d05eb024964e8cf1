// Who asks what: eleven users on three plans, and the calls of each. The calls follow from the user's name alone, so that every
// run sends the same.

/** The plans. */
export type Tier = 'free' | 'pro' | 'enterprise'

/** A user, and how many calls they make, `inFlight` of them at the same time. */
export interface User {
  readonly id: string
  readonly tier: Tier
  readonly team?: 'research'
  readonly calls: number
  readonly inFlight: number
}

/** One call. A prompt with `#500` makes the stand-in fail. */
export interface Call {
  readonly prompt: string
  readonly maxTokens: number
  readonly stream: boolean
}

/** The users of the demo: in each tier one who stays well below the limit and one who runs into it. */
export const USERS: readonly User[] = [
  { id: 'ada', tier: 'free', calls: 12, inFlight: 2 },
  { id: 'ben', tier: 'free', calls: 21, inFlight: 2 },
  { id: 'cleo', tier: 'free', calls: 60, inFlight: 4 },
  { id: 'dan', tier: 'free', calls: 60, inFlight: 12 },
  { id: 'eva', tier: 'pro', calls: 20, inFlight: 4 },
  { id: 'finn', tier: 'pro', calls: 60, inFlight: 4 },
  { id: 'gus', tier: 'pro', calls: 140, inFlight: 8 },
  { id: 'hana', tier: 'pro', team: 'research', calls: 40, inFlight: 4 },
  { id: 'ivy', tier: 'enterprise', calls: 30, inFlight: 4 },
  { id: 'jon', tier: 'enterprise', calls: 100, inFlight: 6 },
  { id: 'kim', tier: 'enterprise', team: 'research', calls: 40, inFlight: 4 },
]

/** The model that everybody asks for. */
export const MODEL = 'gpt-4o'

const MOST_TOKENS: Readonly<Record<Tier, number>> = { free: 900, pro: 7_000, enterprise: 12_000 }
const FAILING = 0.05
const STREAMED = 0.4
const WORDS = 'summarise translate compare the report contract ticket release of this week for our customer in three points'.split(' ')

/** A user's calls, the same in every run. */
export function callsOf({ id, tier, calls }: User): Call[] {
  const random = randomFrom(id)
  return Array.from({ length: calls }, (_, index) => {
    const words = Array.from({ length: 10 + Math.floor(random() * 60) }, () => WORDS[Math.floor(random() * WORDS.length)])
    const fails = random() < FAILING
    const maxTokens = Math.ceil(MOST_TOKENS[tier] * (0.3 + 0.7 * random()))
    return { prompt: `${id} ${index}: ${words.join(' ')}${fails ? ' #500' : ''}`, maxTokens, stream: random() < STREAMED }
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
