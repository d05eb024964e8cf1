// `bursar serve`: the service over HTTP, until somebody stops it.

import type { Command } from 'commander'
import { existsSync } from 'node:fs'
import { InvalidConfigError } from '../../errors/index.js'
import type { BursarServer } from '../../server/index.js'
import type { Act } from '../act.js'
import { readConfiguration, type Configuration } from '../configuration.js'
import { openEngine } from '../engine.js'
import { EXIT } from '../failure.js'
import { parsePlace } from '../places.js'
import type { Run } from '../run.js'
import { sampleConfiguration } from '../sample/index.js'
import { givenSettings, type ServeFlags } from '../server-section.js'
import { serverLog } from '../server-log.js'
import { webhookOf } from '../stripe-sync.js'

interface ServeOptions extends ServeFlags {
  readonly sample?: boolean | undefined
}

const DEFAULT_HOST = '127.0.0.1'
const DEFAULT_PORT = 8_787
const HELP = `
Settings, the first that says something: these options, the environment (BURSAR_HOST, BURSAR_PORT or PORT,
BURSAR_STORE, BURSAR_LEDGER, BURSAR_ADMIN_KEY, BURSAR_LOG_LEVEL), the section "server" of the configuration.
Without a key it listens on this machine alone: bursar keys create --name operator --role admin.
Settles that wait for a store that is away are in a file beside the configuration (bursar-settles-….queue), or in the one
that its settleQueue names: the next server sends what is left there.
SIGTERM or Ctrl-C ends it when the requests under way are answered; a second one ends it at once.`

/** Adds the command. */
export function addServe(program: Command, act: Act): void {
  program
    .command('serve')
    .description('answer over HTTP: checks, holds, budgets, reports, the dashboard')
    .option('--host <address>', 'the address to listen on (default: 127.0.0.1, this machine alone)')
    .option('--port <port>', 'the port to listen on; 0 takes one that is free (default: 8787)')
    .option('--log-level <level>', 'debug, info, warn, error or silent (default: info)')
    .option('--sample', 'try it out: a built-in configuration, and 14 days of made-up traffic in sqlite:./bursar-sample.db')
    .addHelpText('after', HELP)
    .action(act<ServeOptions, []>(serve))
}

async function serve(run: Run, options: ServeOptions): Promise<number> {
  const given = givenSettings(options, run)
  const [{ createServer }, { assertMayListen }] = await Promise.all([import('../../server/index.js'), import('../../server/http/may-listen.js')])
  // Filling a sample takes seconds, for a server that then cannot start.
  if (options.sample === true) await assertMayListen(given.host ?? DEFAULT_HOST, given.port ?? DEFAULT_PORT, true)
  const configuration = options.sample === true ? await sampleConfiguration(run) : await configured(run)
  const { host = DEFAULT_HOST, port = DEFAULT_PORT, logLevel = 'info', ...settings } = { ...configuration.server, ...given }
  assertTenantScopes(settings.tenantScopes, configuration)
  // Before a store is opened, and made: of a server that cannot start, none is left behind.
  await assertMayListen(host, port, settings.adminKey !== undefined || !isNew(configuration, run))
  const { log, logger, flush } = serverLog(logLevel, run)
  run.closeLater(flush)
  const { engine } = await openEngine(configuration, run, { mayCreate: true, service: { logger, log, port } })
  const stripe = await webhookOf(configuration, engine, run)
  const server = createServer({ ...settings, bursar: engine, stripe, log })
  run.closeLater(async () => {
    if (run.isService) log.info({}, 'stopping')
    await server.close()
    if (run.isService) log.info({}, 'stopped')
  })
  const { url } = await server.listen({ host, port, ownsProcess: true })
  run.isService = true
  log.info({ url }, 'listening')
  await run.terminal.print(`bursar listens on ${url} (the dashboard; the API is described at ${url}/docs)${await whoMayAsk(server)}\n`)
  await stopped(run)
  return EXIT.done
}

/** Said where it is not as people expect: a key that is valid. */
async function whoMayAsk({ keys }: BursarServer): Promise<string> {
  if ((await keys.authenticate(undefined)) !== undefined) return '; no key is needed: this machine alone is answered'
  return (await keys.hasAny()) ? '' : '; there is no key that is valid: make one with "bursar keys create --name operator --role admin"'
}

/** True where a store is a file that is not there: there are no keys in it. */
function isNew({ store, folder }: Configuration, { common, io }: Run): boolean {
  const given = common.store ?? store
  if (typeof given !== 'string') return false
  const place = parsePlace(given, 'store', 'store', common.store === undefined ? folder : io.cwd)
  return place.kind === 'sqlite' && !existsSync(place.path)
}

async function configured(run: Run): Promise<Configuration> {
  const configuration = await readConfiguration(run)
  if (configuration.file === undefined) throw new InvalidConfigError(`serve: there is no configuration in ${configuration.folder}. Write one with "npx bursar init", name one with --config, or try --sample.`)
  if (configuration.store === undefined && run.common.store === undefined) {
    throw new InvalidConfigError(`store: ${configuration.file} names none, and what is counted in memory alone is lost when the server stops. Name it there, in BURSAR_STORE, or with --store sqlite:./bursar.db (or redis://…).`)
  }
  return configuration
}

/** A group that there is not would be one that no key may ever name. */
function assertTenantScopes(groups: readonly string[] = [], { config }: Configuration): void {
  const known = Object.keys(config.scopes ?? {})
  const unknown = groups.find((group) => !known.includes(group))
  if (unknown !== undefined) throw new InvalidConfigError(`config.server.tenantScopes: "${unknown}" is no group of config.scopes. ${known.length === 0 ? 'There is none.' : `There are ${known.join(', ')}.`}`)
}

function stopped({ io }: Run): Promise<void> {
  return new Promise((resolve) => io.signal?.addEventListener('abort', () => resolve(), { once: true }))
}
