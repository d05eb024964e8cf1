// `bursar audit`: a store's counters compared with its ledger, and either of them mended.

import type { Command } from 'commander'
import { Option } from 'commander'
import type { AuditDifference, AuditReport } from '../../audit/index.js'
import type { Act } from '../act.js'
import { show, toJson } from '../amounts.js'
import { readConfiguration } from '../configuration.js'
import { openEngine } from '../engine.js'
import { EXIT } from '../failure.js'
import type { Run } from '../run.js'
import { showTime } from '../times.js'

interface AuditCommandOptions {
  readonly repair?: 'counters' | 'ledger' | undefined
  readonly json?: boolean | undefined
}

const SAID: Readonly<Record<AuditReport['status'], string>> = {
  clean: 'Nothing differs.',
  different: 'Counters and ledger differ. "--repair counters" takes the ledger for right, "--repair ledger" the counters.',
  incomplete: 'The ledger no longer has all entries: only what is held was compared. Where a process moves them to a ledger of its own, pass that one with --ledger, or name it in the configuration.',
  repaired: 'Something differed, and was repaired.',
}

/** Adds the command. */
export function addAudit(program: Command, act: Act): void {
  program
    .command('audit')
    .description("compare the store's counters with its ledger and its open holds")
    .addOption(new Option('--repair <what>', 'mend the counters by the ledger, or the ledger by the counters').choices(['counters', 'ledger']))
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExit code 3: something differs that was not repaired, or entries are missing that would tell.')
    .action(act<AuditCommandOptions, []>(audit))
}

async function audit(run: Run, { repair, json }: AuditCommandOptions): Promise<number> {
  const { engine } = await openEngine(await readConfiguration(run), run)
  const report = await engine.tracker.audit({ repair })
  await (json === true ? run.terminal.json(jsonOf(report), 2) : print(report, run))
  // What a repair has made again beside counters.
  for (const failed of report.restored?.failed ?? []) run.terminal.complain(`bursar: not restored: ${failed}`)
  if (json === true && report.status === 'incomplete') run.terminal.complain(SAID.incomplete)
  return report.differences.length > 0 || report.status === 'incomplete' ? EXIT.found : EXIT.done
}

async function print(report: AuditReport, { terminal, zone }: Run): Promise<void> {
  const { status, at, entries, holds, scopes, differences, repaired } = report
  const rows = [...repaired.map((each) => rowOf(each, 'before the repair', zone)), ...differences.map((each) => rowOf(each, 'now', zone))]
  if (rows.length > 0) {
    await terminal.table([{ head: 'scope' }, { head: 'window' }, { head: `starts (${zone})` }, { head: 'what' }, { head: 'counted', number: true }, { head: 'expected', number: true }, { head: 'differs' }], rows)
    await terminal.print('\n')
  }
  await terminal.print(`${status}: ${entries} entries, ${holds} open holds and ${scopes} scopes at ${showTime(at.getTime(), zone)} (${zone}).\n`)
  terminal.say(SAID[status])
}

function rowOf({ scope, window, unit, startsAt, what, exact }: AuditDifference, when: string, zone: string): string[] {
  const shown = (amount: number): string => show(amount, unit === 'usd' ? 'usd' : 'tokens') as string
  const name = scope.tenant === undefined ? `${scope.kind} ${scope.id}` : `${scope.kind} ${scope.id} (${scope.tenant})`
  return [name, window, showTime(startsAt.getTime(), zone), what, shown(exact.counted), shown(exact.expected), when]
}

function jsonOf(report: AuditReport): object {
  const { status, at, entries, holds, scopes, differences, repaired } = report
  const each = ({ scope, window, unit, startsAt, what, exact }: AuditDifference): object => {
    const amount = (value: number): string | number | null => toJson(value, unit === 'usd' ? 'usd' : 'tokens')
    return { scope, window, unit, startsAt: startsAt.toISOString(), what, counted: amount(exact.counted), expected: amount(exact.expected) }
  }
  return { status, at: at.toISOString(), entries, holds, scopes, differences: differences.map(each), repaired: repaired.map(each), ...(report.restored !== undefined && { restored: report.restored }) }
}
