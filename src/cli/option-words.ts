// The engine speaks of its own options; whoever sits at a command line has others. Knows what they are called there, and nothing of why.

const FIELD_OPTIONS: Readonly<Record<string, string>> = { userId: '--user', tenant: '--tenant', tier: '--tier', model: '--model', provider: '--provider', sessionId: '--session', 'scopes.team': '--team', kind: '--kind', action: '--action' }

const WORDS: readonly (readonly [RegExp, string | ((...found: string[]) => string)])[] = [
  [/\bfilter\.where\.([\w.]+): "([^"]*)" is no field of an entry\. /, (_, field = '') => `--where ${field}: is no field of an entry. What the application calls ${field} may be metadata.${field} or scopes.${field}. `],
  [/\bfilter\.where\.([\w.]+)/, (_, field = '') => FIELD_OPTIONS[field] ?? `--where ${field}`],
  [/\bfilter\.cost\.atLeast\b/, '--min-cost'],
  [/\bfilter\.cost\.atMost\b/, '--max-cost'],
  [/\blimits\.list\(\) tells/, '"bursar limits" tells'],
  [/\boptions\.repair\b/, '--repair'],
  [/: set decisionLog:|; set decisionLog:/, '; in the configuration of the application, set decisionLog:'],
  [/\bgive at least (\d+(?:\.\d+)?)(ms|s|m|h|d)\b/, (_, count = '0', unit = 'ms') => `give at least --look-ahead ${lengthFrom(Number(count), unit)}`],
  [/\bwith lookAhead, such as '([^']+)'/, 'with --look-ahead, such as $1'],
  [/\b(?:options\.)?lookAhead\b/, '--look-ahead'],
  [/(?:, or )?leave such rows out with onBadRow: 'skip'/, (found) => `${found.startsWith(',') ? ', or ' : ''}leave such rows out with --skip-bad-rows`],
  [/\bspread: \{ users: \{ count: 10_000 \} \}/, '--users 10000'],
  [/\b(?:options\.)?spread\.repeat\.over\b/, '--over'],
  [/\b(?:options\.)?spread\.(users|tiers|models|repeat)\b/, '--$1'],
  [/\boptions\.spread\b/, '--users, --tiers, --models, --repeat'],
  [/\bmap\.(\w[\w.]*):/, '--map $1=…:'],
  [/^path:/, '--out:'],
  [/^vary:/, '--find:'],
  [/^low, high, step:/, '--low, --high, --step:'],
  [/^(low|high|step):/, '--$1:'],
  [/^target\.tier\b/, '--of-tier'],
  [/^candidates\.([^:]+):/, '--candidate $1:'],
]

const LENGTHS = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1_000]] as const

/** A message of the engine in the words of the command line. */
export function inOptions(message: string): string {
  return WORDS.reduce((text, [pattern, words]) => (typeof words === 'string' ? text.replace(pattern, words) : text.replace(pattern, words)), message)
}

/** So long or longer, in a unit that people use: at most three digits. */
function lengthFrom(count: number, unit: string): string {
  const lengthMs = count * (LENGTHS.find(([name]) => name === unit)?.[1] ?? 1)
  const [name, size] = [...LENGTHS].reverse().find(([, each]) => lengthMs <= 120 * each) ?? LENGTHS[0]
  return `${Math.max(1, Math.ceil(lengthMs / size))}${name}`
}
