// `bursar explain ID`: all that a decision was made from.

import type { Command } from 'commander'
import { assertId } from '../../budget/index.js'
import { explainText } from '../../decision/index.js'
import type { Act } from '../act.js'
import { readConfiguration } from '../configuration.js'
import { openEngine } from '../engine.js'
import type { Run } from '../run.js'
import { visible } from '../visible.js'

/** Adds the command. */
export function addExplain(program: Command, act: Act): void {
  program
    .command('explain')
    .description('what a decision was made from: windows, sums, rungs and verdicts')
    .argument('<decision>', 'its id, as "bursar usage" shows it')
    .option('--json', 'as JSON')
    .action(act<{ readonly json?: boolean | undefined }, [string]>(explain))
}

async function explain(run: Run, { json }: { readonly json?: boolean | undefined }, decisionId: string): Promise<void> {
  assertId(decisionId, 'decision')
  const { engine } = await openEngine(await readConfiguration(run), run)
  const explanation = await engine.explain(decisionId)
  if (json === true) return run.terminal.json(explanation, 2)
  await run.terminal.print(`${explainText(explanation).split('\n').map(visible).join('\n').trimEnd()}\n`)
}
