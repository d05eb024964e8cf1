// What the tests of telemetry share: an engine with every kind of end in it, and readers of what was measured.

import type { Registry } from 'prom-client'
import { Bursar, type BursarConfig } from '../../../src/index.js'
import { manualClock } from '../../../src/testing/index.js'
import { tierBasedEnforcement } from '../../../policies/index.js'

/** An engine whose pro users get a cheaper model when they have spent their day. */
export function engine(config: Partial<BursarConfig> = {}) {
  const clock = manualClock()
  const prices = { models: { 'gpt-4o': { input: 2.5, output: 10 }, 'gpt-4o-mini': { input: 0.15, output: 0.6 } } }
  const bursar = new Bursar<string, string>({
    tiers: { free: { daily: 1 }, pro: { daily: 10 } }, defaultTier: 'free', policies: [tierBasedEnforcement], ladder: { 'gpt-4o': 'gpt-4o-mini' }, prices, clock,
    scopes: { tenant: { '*': {} }, tier: { pro: { monthly: 1_000 } } }, logger: { debug: () => {}, warn: () => {} }, ...config,
  } as never) // prettier-ignore
  return { bursar, clock }
}

/** The samples of a registry's text: `name{labels}` → value. */
export async function samplesOf(registry: Registry): Promise<Map<string, number>> {
  return samplesIn(await registry.metrics())
}

/** The same of a text. */
export function samplesIn(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

/** The names that a text declares, with those of a histogram's parts. */
export function namesIn(text: string): Set<string> {
  const declared = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) => (type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name as string]))
  return new Set(declared)
}
