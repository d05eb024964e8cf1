// Modes of a call that cost more than the model's own price: a service tier, a faster answer, a place. In the price book such a mode
// stands behind the model's name (`gpt-4o:priority`, `<model>:fast:us`). Knows no prices.

import { pricedName } from './asked-call.js'
import type { SdkCall, SdkMetadata, SdkModel, SdkProviderOptions } from './ai-sdk-shapes.js'

/** Each is what stands behind the name, such as `:priority`, or empty where it is the standard one. */
export interface Mode {
  readonly tier: string
  readonly speed: string
  readonly place: string
}

/** A model in a mode, as it is called. */
export interface CalledModel {
  readonly modelId: string
  readonly mode: Mode
}

/** What an answer says of how it was made. */
export interface SaidOfMode {
  readonly providerMetadata?: SdkMetadata | undefined
  /** The provider's own usage object. */
  readonly raw?: unknown
  /** The provider's own answer. */
  readonly body?: unknown
}

const TIERS = ['serviceTier', 'service_tier', 'sharedRequestType']
const SPEEDS = ['speed']
const PLACES = ['inferenceGeo', 'inference_geo']
const PARTS = ['tier', 'speed', 'place'] as const
const STANDARD: Mode = { tier: '', speed: '', place: '' }

/** Tiers without a price of their own: cheaper ones, and those of a capacity that was bought apart, count as standard. */
const STANDARD_TIERS = new Set(['', 'auto', 'default', 'standard', 'standard_only', 'on_demand', 'flex', 'scale', 'unspecified'])

/** Whose options a model reads, where that is sure; any other may read all of them. */
const READS: Readonly<Record<string, readonly string[] | undefined>> = { openai: ['openai'], azure: ['azure', 'openai'], anthropic: ['anthropic'] }

/** The name of a model in a mode. */
export function nameIn(mode: Mode, modelId: string): string {
  return modelId + mode.tier + mode.speed + mode.place
}

/** What a call asks to be made by. */
export function modeOf({ providerOptions = {} }: SdkCall, { provider }: SdkModel): Mode {
  const [family = ''] = provider.split('.')
  const read = Object.hasOwn(READS, family) ? READS[family] : undefined
  const options = Object.entries(providerOptions).flatMap(([name, own]) => (read === undefined || read.includes(name) ? [own] : []))
  const first = (suffixOf: (own: unknown) => string | undefined): string => options.map(suffixOf).find((suffix) => suffix !== undefined && suffix !== '') ?? ''
  return { tier: first(tierIn), speed: first(speedIn), place: first(placeIn) }
}

/** The model that a decision names: of the mode that was asked for it keeps what stands behind its name. */
export function calledModel(decided: string, asked: Mode): CalledModel {
  let modelId = decided
  const mode = { ...STANDARD }
  for (const part of PARTS.toReversed()) {
    const suffix = asked[part]
    if (suffix === '' || !modelId.endsWith(suffix)) continue
    modelId = modelId.slice(0, -suffix.length)
    mode[part] = suffix
  }
  return { modelId, mode }
}

/** The call without the modes that it asks any provider for beyond this one. */
export function inMode<Call extends SdkCall>(call: Call, { tier, speed, place }: Mode): Call {
  const isOther = (suffix: string | undefined, kept: string): boolean => suffix !== undefined && suffix !== '' && suffix !== kept
  const kept = (name: string, own: unknown): unknown => {
    const changesTier = isOther(tierIn(own), tier)
    const dropped = [...(changesTier ? TIERS : []), ...(isOther(speedIn(own), speed) ? SPEEDS : []), ...(isOther(placeIn(own), place) ? PLACES : [])]
    if (dropped.length === 0) return own
    // A project of OpenAI's may have another tier than the standard one for calls that name none.
    const named = changesTier && (name === 'openai' || name === 'azure') ? { serviceTier: 'default' } : {}
    return { ...Object.fromEntries(Object.entries(own as object).filter(([field]) => !dropped.includes(field))), ...named }
  }
  const providerOptions: SdkProviderOptions = Object.fromEntries(Object.entries(call.providerOptions ?? {}).map(([name, own]) => [name, kept(name, own)]))
  return { ...call, providerOptions }
}

/** The name that the price of an answer has: by the mode that it says, else by the one that was called. */
export function pricedAnswer(answered: string | undefined, { modelId, mode }: CalledModel, { providerMetadata = {}, raw, body }: SaidOfMode): string | undefined {
  const metadata = Object.values(providerMetadata)
  const tier = metadata.map(tierIn).find((suffix) => suffix !== undefined) ?? tierIn(body) ?? mode.tier
  const made = { tier, speed: speedIn(raw) ?? mode.speed, place: placeIn(raw) ?? mode.place }
  const suffix = nameIn(made, '')
  return pricedName(answered ?? (suffix === nameIn(mode, '') ? undefined : modelId), suffix, modelId)
}

function tierIn(own: unknown): string | undefined {
  const said = textIn(own, TIERS)?.toLowerCase().replace(/^service_tier_/, '')
  return said === undefined ? undefined : STANDARD_TIERS.has(said) ? '' : `:${said}`
}

function speedIn(own: unknown): string | undefined {
  const said = textIn(own, SPEEDS)
  return said === undefined ? undefined : said === 'fast' ? ':fast' : ''
}

function placeIn(own: unknown): string | undefined {
  const said = textIn(own, PLACES)
  return said === undefined ? undefined : said === 'us' ? ':us' : ''
}

function textIn(own: unknown, fields: readonly string[]): string | undefined {
  if (typeof own !== 'object' || own === null) return undefined
  return fields.map((field) => (own as Record<string, unknown>)[field]).find((value): value is string => typeof value === 'string')
}
