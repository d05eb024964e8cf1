// `bursar report`: where the money went, by whatever it is asked for.

import { Argument, Option, type Command } from 'commander'
import { InvalidRequestError } from '../../errors/index.js'
import type { EntryField, EntryFilter } from '../../ledger/index.js'
import { Reports, TIME_UNITS, type Report, type ReportFormat, type TimeUnit } from '../../report/index.js'
import { countArgument, type Act } from '../act.js'
import { showCount } from '../amounts.js'
import { readConfiguration, type Configuration } from '../configuration.js'
import { openSource } from '../engine.js'
import { addFields, readFilter, type FilterOptions } from '../filters.js'
import { pathToWrite } from '../out-file.js'
import { billingPage, CLIENTS_PAGE, summaryPage, totalLine, type Page } from '../report-page.js'
import type { Run } from '../run.js'

const KINDS = ['summary', 'clients', 'daily', 'top', 'billing'] as const
const FORMATS = ['table', 'csv', 'json', 'jsonl'] as const
const NOTHING: Reports = new Reports({ entries: async function* () {} })

interface ReportCommandOptions extends FilterOptions {
  readonly by?: string | undefined
  readonly limit?: number | undefined
  readonly client?: string | undefined
  readonly service?: string | undefined
  readonly project?: string | undefined
  readonly format?: (typeof FORMATS)[number] | undefined
  readonly json?: boolean | undefined
  readonly out?: string | undefined
  readonly force?: boolean | undefined
}

type Text = Pick<Report<never>, 'toCsv' | 'toJson' | 'toJsonLines' | 'writeTo'>

/** What was asked for: a report of any ledger, as text or as a table. */
interface Asked {
  text(reports: Reports): Text
  print(run: Run, reports: Reports): Promise<void>
}

/** Adds the command. */
export function addReport(program: Command, act: Act): void {
  addFields(
    program
      .command('report')
      .description('where the money went')
      .addArgument(new Argument('[kind]', 'summary (by --by), clients (by model), daily (by tenant), top (who spent most), or billing (to invoice)').choices(KINDS).default('summary')),
  )
    .option('--by <fields>', `summary: fields and at most one of ${TIME_UNITS.join(', ')}, with commas: month,tenant,metadata.project (default: day); top: one field (default: userId)`)
    .option('--limit <count>', 'top: how many', countArgument)
    .option('--client <field>', 'billing: the field that names the client (default: tenant)')
    .option('--service <field>', 'billing: the field that names the service (default: provider)')
    .option('--project <field>', 'billing: the field that names the project (default: metadata.project)')
    .addOption(new Option('--format <format>', 'default: a table; of a file, what its name ends with').choices(FORMATS))
    .option('--json', 'the same as --format json')
    .option('--out <file>', 'into a file, written whole or not at all')
    .option('--force', 'replace a file that is there')
    .action(act<ReportCommandOptions, [(typeof KINDS)[number]]>(report))
}

async function report(run: Run, options: ReportCommandOptions, kind: (typeof KINDS)[number]): Promise<void> {
  // What is wrong with it is said before anything is opened; the configuration may say in which zone times are meant.
  askedFor(kind, options, run).text(NOTHING)
  const { format, out } = formatOf(options, run)
  const configuration = await readConfiguration(run, { opensStore: run.common.ledger === undefined })
  const asked = askedFor(kind, options, run)
  const reports = new Reports(await openSource(configuration, run), { timeZone: run.zone, clock: run.io.clock, ...weekOf(configuration) })
  if (format === 'table') return asked.print(run, reports)
  const found = asked.text(reports)
  // Its dates are all that it says of time.
  if (kind === 'billing') run.terminal.say(`Days begin and end in ${run.zone}.`)
  if (out !== undefined) return toFile(run, found, out, format)
  const pieces = format === 'csv' ? found.toCsv() : format === 'json' ? found.toJson() : found.toJsonLines()
  for await (const piece of run.each(pieces)) await run.terminal.print(piece)
}

function asking<Row extends object>(of: (reports: Reports) => Report<Row>, page: Page<Row>, hasTotal = true): Asked {
  return { text: of, print: (run, reports) => print(run, of(reports), page, hasTotal) }
}

function askedFor(kind: (typeof KINDS)[number], options: ReportCommandOptions, run: Run): Asked {
  const { from, until, where } = readFilter(options, run)
  const common: Pick<EntryFilter, 'where'> & { from?: number; until?: number } = { ...(from !== undefined && { from: Number(from) }), ...(until !== undefined && { until: Number(until) }), where }
  const { by, limit, client, service, project } = options
  refuseOthers(kind, options)
  if (kind === 'clients') return asking((reports) => reports.byClient(common), CLIENTS_PAGE)
  if (kind === 'daily') return asking((reports) => reports.daily(common), summaryPage(['tenant'], 'day', run.zone))
  if (kind === 'billing') {
    const fields = { ...(client !== undefined && { client: client as EntryField }), ...(service !== undefined && { service: service as EntryField }), ...(project !== undefined && { project: project as EntryField }) }
    return asking((reports) => reports.billing({ ...common, ...fields }), billingPage(run.zone))
  }
  if (kind === 'top') {
    const field = (by ?? 'userId') as EntryField
    // Of those who are shown, a total would be taken for that of all.
    return asking((reports) => reports.topSpenders({ ...common, by: field, ...(limit !== undefined && { limit }) }), summaryPage(field === 'userId' ? ['userId', 'tenant'] : [field], undefined, run.zone), false)
  }
  const words = (by ?? 'day').split(',').map((word) => word.trim()) as (TimeUnit | EntryField)[]
  const unit = words.find((word) => (TIME_UNITS as readonly string[]).includes(word))
  return asking((reports) => reports.summary({ ...common, by: words }), summaryPage(words.filter((word) => word !== unit), unit, run.zone))
}

/** An option that the report does not know would be taken for one that it has followed. */
function refuseOthers(kind: (typeof KINDS)[number], options: ReportCommandOptions): void {
  const knownBy = { by: ['summary', 'top'], limit: ['top'], client: ['billing'], service: ['billing'], project: ['billing'] } as const
  for (const [name, kinds] of Object.entries(knownBy)) {
    if (options[name as keyof typeof knownBy] === undefined || (kinds as readonly string[]).includes(kind)) continue
    throw new InvalidRequestError(`--${name}: means nothing to "report ${kind}". Use it with ${kinds.map((each) => `"report ${each}"`).join(' or ')}, or leave it out.`)
  }
}

function formatOf({ format, json, out, force }: ReportCommandOptions, run: Run): { readonly format: (typeof FORMATS)[number]; readonly out: string | undefined } {
  if (json === true && format !== undefined && format !== 'json') throw new InvalidRequestError(`--json: and --format ${format} are both given. Give one of them.`)
  const asked = json === true ? 'json' : format
  if (out === undefined) return { format: asked ?? 'table', out }
  const ending = out.slice(out.lastIndexOf('.') + 1).toLowerCase()
  const found = asked ?? FORMATS.find((each) => each === ending)
  if (found === undefined || found === 'table') throw new InvalidRequestError(`--format: ${found === undefined ? `is missing, and ${JSON.stringify(out)} ends with none of csv, json, jsonl` : 'a table is for the screen'}. Give csv, json or jsonl.`)
  return { format: found, out: pathToWrite(out, '--out', force, run) }
}

function weekOf({ config: { weekStartsOn } }: Configuration): { weekStartsOn?: NonNullable<typeof weekStartsOn> } {
  return weekStartsOn === undefined ? {} : { weekStartsOn }
}

async function toFile({ terminal, io }: Run, found: Text, out: string, format: ReportFormat): Promise<void> {
  const progress = terminal.progress('rows')
  let done = 0
  const onProgress = (written: number): void => {
    progress.add(written - done)
    done = written
  }
  try {
    await found.writeTo(out, { format, onProgress, signal: io.signal })
  } finally {
    progress.end()
  }
  terminal.say(`${done === 1 ? '1 row' : `${showCount(done)} rows`} written to ${out}.`)
}

async function print<Row extends object>(run: Run, found: Report<Row>, page: Page<Row>, hasTotal: boolean): Promise<void> {
  const rows: Row[] = []
  for await (const row of run.each(found)) if (isOfAnything(row, page)) rows.push(row)
  if (rows.length === 0) return run.terminal.say('Nothing was spent or denied that matches.')
  const lines = rows.flatMap((row) => page.linesOf(row))
  await run.terminal.table(page.columns, hasTotal && rows.length > 1 ? [...lines, totalLine(page, rows)] : lines)
}

/** What is configured stands in the ledger too, and nobody asks where the money went for that. */
function isOfAnything<Row extends object>(row: Row, page: Page<Row>): boolean {
  const { calls, denials = 0, tokens, microcents } = page.sumsOf(row)
  return calls !== 0 || denials !== 0 || tokens !== 0n || microcents !== 0n
}
