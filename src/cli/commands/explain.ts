// `bursar explain ID`: all that a decision was made from.

import type { Command } from 'commander'
import { assertId } from '../../budget/index.js'
import { explainText, type Explanation } from '../../decision/index.js'
import { UnknownDecisionError } from '../../errors/index.js'
import { formatUsd } from '../../money/index.js'
import { prefixOf } from '../../server/ids.js'
import type { Act } from '../act.js'
import { readConfiguration } from '../configuration.js'
import { openEngine, type Engine } from '../engine.js'
import type { Run } from '../run.js'
import { visible } from '../visible.js'

interface ExplainOptions {
  readonly tenant?: string | undefined
  readonly json?: boolean | undefined
}

/** Adds the command. */
export function addExplain(program: Command, act: Act): void {
  program
    .command('explain')
    .description('what a decision was made from: windows, sums, rungs and verdicts')
    .argument('<decision>', 'its id, as "bursar usage" or a server shows it')
    .option('--tenant <tenant>', 'the tenant to whom a server has shown that id')
    .option('--json', 'as JSON: money as exact decimal strings')
    .action(act<ExplainOptions, [string]>(explain))
}

async function explain(run: Run, { tenant, json }: ExplainOptions, decisionId: string): Promise<void> {
  assertId(decisionId, 'decision')
  if (tenant !== undefined) assertId(tenant, 'tenant')
  const { engine } = await openEngine(await readConfiguration(run), run)
  const explanation = await explanationOf(engine, decisionId, tenant)
  if (json === true) return run.terminal.json(withDecimals(JSON.parse(JSON.stringify(explanation)), 'usd'), 2)
  await run.terminal.print(`${explainText(explanation).split('\n').map(visible).join('\n').trimEnd()}\n`)
}

/** By the id in the store, else by the one that a server has shown: ids of tenants stand behind the tenant's name. */
async function explanationOf(engine: Engine, id: string, tenant: string | undefined): Promise<Explanation> {
  try {
    return await engine.explain(id)
  } catch (error) {
    if (!(error instanceof UnknownDecisionError)) throw error
    return engine.explain(`${prefixOf(tenant)}${id}`).catch((again: unknown) => {
      throw again instanceof UnknownDecisionError ? error : again
    })
  }
}

/** What the engine gives as a number of USD is what beside it is exact, under another name in two places. */
const EXACT_NAMES: Readonly<Record<string, string>> = { microcents: 'estimatedCost', largestFittingMicrocents: 'largestFittingCost' }

/** The same with money as exact decimal strings; an object with a `unit` says what the amounts in it are. */
function withDecimals(value: unknown, unit: unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => withDecimals(each, unit))
  if (typeof value !== 'object' || value === null) return value
  const object = value as Readonly<Record<string, unknown>>
  const own = object['unit'] ?? unit
  const shown = Object.fromEntries(Object.entries(object).map(([key, each]) => [key, key === 'exact' ? each : withDecimals(each, own)]))
  if (own !== 'usd') return shown
  for (const [name, amount] of Object.entries((object['exact'] ?? {}) as Readonly<Record<string, unknown>>)) {
    const field = EXACT_NAMES[name] ?? name
    if (name !== 'tokens' && typeof amount === 'number' && typeof object[field] === 'number') shown[field] = formatUsd(amount)
  }
  return shown
}
