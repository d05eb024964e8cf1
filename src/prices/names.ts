// Which names are names of a model of the catalog: those that it writes down, and their dated snapshots. Its own matching goes by
// beginnings and parts of names, and would take a model that it does not know for one that it does.

import type { MatchLogic, ModelInfo } from '@pydantic/genai-prices'

const DAY = '-20\\d{2}-\\d{2}-\\d{2}|[-@]20\\d{6}|-\\d{2}-\\d{2}(?:\\d{2})?'
/**
 * What providers add to a model's name for one snapshot of it: a day, `-latest`, Google's `-001`; on AWS a version after that. After a day
 * it is one of that day's model; alone, any but the first is another model (`titan-embed-text-v2:0`).
 */
const SNAPSHOT = new RegExp(`(?:${DAY}|-latest|-00\\d)?(?:-v1:\\d+)?$|(?:${DAY})-v\\d+:\\d+$`)
const VERSION = new RegExp(`(?:-v1|(?<=${DAY})-v\\d+):\\d+$`)
/** On AWS a region may stand before the name, and a vendor whom the catalog leaves out. */
const AWS_REGION = /^(?:us|us-gov|eu|apac|au|jp|in|ca|sa|global)\./
const AWS_VENDOR = /^(?:amazon|anthropic)\./

const known = new WeakMap<ModelInfo, ReadonlySet<string>>()

/** The names that the catalog writes down for a model, in lower case. */
export function literalsOf(model: ModelInfo): ReadonlySet<string> {
  const literals = known.get(model) ?? new Set([model.id.toLowerCase(), ...literalsIn(model.match)])
  known.set(model, literals)
  return literals
}

/** What a name of the catalog has to be for this name to be one of its model: itself, or without what makes it one snapshot. */
export function spellings(name: string, provider: string): readonly string[] {
  const lower = name.toLowerCase()
  const without = provider === 'aws' ? withoutPrefixes(lower) : [lower]
  return [...new Set(without.flatMap((one) => [one, one.replace(VERSION, ''), one.replace(SNAPSHOT, '')]))].filter((one) => one !== '')
}

function withoutPrefixes(name: string): string[] {
  const ofNoRegion = name.replace(AWS_REGION, '')
  return [name, ofNoRegion, ofNoRegion.replace(AWS_VENDOR, '')]
}

function literalsIn(match: MatchLogic): string[] {
  if ('or' in match) return match.or.flatMap(literalsIn)
  if ('and' in match) return match.and.flatMap(literalsIn)
  if ('equals' in match) return [match.equals.toLowerCase()]
  if ('starts_with' in match) return [match.starts_with.toLowerCase()]
  if ('contains' in match) return [match.contains.toLowerCase()]
  // The end of a name is not a name; what a pattern takes in is not written down.
  return []
}
