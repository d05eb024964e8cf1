// The command line as a whole: which commands there are, what all of them take, and how one run of them ends.

import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import type { Act } from './act.js'
import { addAssign } from './commands/assign.js'
import { addAudit } from './commands/audit.js'
import { addBudget } from './commands/budget.js'
import { addCheck } from './commands/check.js'
import { addExplain } from './commands/explain.js'
import { addExport } from './commands/export.js'
import { addInit } from './commands/init.js'
import { addKeys } from './commands/keys.js'
import { addLimits } from './commands/limits.js'
import { addReport } from './commands/report.js'
import { addServe } from './commands/serve.js'
import { addSimulate } from './commands/simulate.js'
import { addStripe } from './commands/stripe.js'
import { addUsage } from './commands/usage.js'
import { describeFailure, EXIT, exitCodeOf, Interrupted } from './failure.js'
import { OutputClosed, write, type Io } from './io.js'
import { Run, type CommonOptions } from './run.js'
import { Secrets } from './secrets.js'
import { Terminal } from './terminal.js'

const HELP = `
Configuration: --config, else bursar.config.mjs, .js or .json in this folder (no other is looked in).
Data goes to stdout, everything else to stderr. Times are in the configuration's zone (else UTC), or in --zone.

Exit codes:
  0    done
  1    failed: a store that is away, a file that cannot be written, an id that is not there
  2    wrong usage or configuration: nothing was changed
  3    found: an audit's differences that are left or entries that are missing, what --fail-on asks for, or a refusal
  130  interrupted (Ctrl-C)
`

/** Runs one command line (without `node` and the script) and gives its exit code. Never throws; closes what it opened. */
export async function runCommand(args: readonly string[], io: Io): Promise<number> {
  const secrets = new Secrets()
  let run: Run | undefined
  let code: number = EXIT.done
  const act: Act = (work) => async (...given) => {
    // What commander gives: the arguments, the options, the command.
    const command = given.at(-1) as Command
    const options = command.optsWithGlobals()
    run = new Run(io, new Terminal(io, options['quiet'] === true, secrets), secrets, options as CommonOptions)
    code = (await work(run, options as never, ...(given.slice(0, -2) as never))) ?? EXIT.done
  }
  let written = Promise.resolve()
  const program = programOf(act, (text) => (written = written.then(() => write(io.stdout, text))))
  const debug = args.includes('--debug')
  const complaints = new Terminal(io, false, secrets)
  const complain = (error: unknown): void => {
    complaints.complain(`bursar: ${describeFailure(error)}`)
    if (debug && error instanceof Error) for (const line of traceOf(error)) complaints.complain(line)
  }
  try {
    await orInterrupted(program.parseAsync(args, { from: 'user' }), io.signal)
    await written
  } catch (error) {
    code = error instanceof Interrupted && run?.isService === true ? EXIT.done : await endingOf(error, written, complain)
  }
  for (const error of (await run?.close()) ?? []) {
    complain(error)
    if (code === EXIT.done) code = EXIT.failed
  }
  return code
}

async function endingOf(error: unknown, written: Promise<void>, complain: (error: unknown) => void): Promise<number> {
  if (error instanceof OutputClosed) return EXIT.done
  if (error instanceof CommanderError && error.exitCode === 0) {
    return written.then(() => EXIT.done, (failed: unknown) => endingOf(failed, Promise.resolve(), complain))
  }
  if (error instanceof CommanderError && error.code === 'commander.help') {
    complain(new CommanderError(2, error.code, 'a command is missing.'))
    return EXIT.usage
  }
  if (!(error instanceof Interrupted)) complain(error)
  return exitCodeOf(error)
}

function programOf(act: Act, printHelp: (text: string) => unknown): Command {
  const program = new Command('bursar')
    .description('Budgets of LLM users: what was spent, what is left, what would have happened.')
    .version(versionOfPackage(), '--version', 'the version')
    .option('--config <path>', 'the configuration file')
    .option('--store <address>', "the store: 'sqlite:./bursar.db', 'redis://…' or 'rediss://…'")
    .option('--ledger <address>', "a ledger to read by itself, or of a Redis store: 'sqlite:./ledger.db' or 'postgres://…'")
    .option('--zone <zone>', 'the time zone of times that are shown and read, such as Europe/Berlin (default: that of the configuration, else UTC)')
    .option('--quiet', 'no messages and no progress, errors apart')
    .option('--debug', 'errors with their stack')
    .addHelpText('after', HELP)
    .showHelpAfterError(false)
    .configureHelp({ showGlobalOptions: true })
  // Before the commands: they inherit it.
  program.exitOverride().configureOutput({ writeOut: printHelp, writeErr: () => {}, outputError: () => {} })
  for (const add of [addInit, addServe, addCheck, addBudget, addUsage, addReport, addExport, addAssign, addLimits, addKeys, addExplain, addSimulate, addAudit, addStripe]) add(program, act)
  return program
}

/** The package is two folders above the sources, and three above what is built from them. */
function versionOfPackage(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { readonly version: string }).version
    } catch {
      // The other one.
    }
  }
  return 'unknown'
}

async function orInterrupted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  let stop = (): void => {}
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, stopped])
  } finally {
    signal.removeEventListener('abort', stop)
    // Whichever comes second is heard of by nobody.
    work.catch(() => {})
    stopped.catch(() => {})
  }
}

function traceOf(error: Error): readonly string[] {
  const lines = (error.stack ?? '').split('\n').slice(1)
  const { cause } = error
  return cause instanceof Error ? [...lines, `caused by ${cause.name}: ${cause.message.split('\n', 1)[0] as string}`, ...traceOf(cause)] : lines
}
