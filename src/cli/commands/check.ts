// `bursar check USER`: what would be said to a request now, by the configured store or by a server.

import { InvalidArgumentError, type Command } from 'commander'
import { assertId } from '../../budget/index.js'
import { InvalidRequestError, StoreUnavailableError } from '../../errors/index.js'
import { parseUsd, type Unit } from '../../money/index.js'
import { newRequestId, storeId } from '../../server/ids.js'
import { pairsArgument, type Act } from '../act.js'
import { show, showPct } from '../amounts.js'
import { readConfiguration } from '../configuration.js'
import { openEngine } from '../engine.js'
import { EXIT } from '../failure.js'
import { RemoteServer, type RemoteDecision } from '../remote-server.js'
import type { Run } from '../run.js'
import { scopeText } from '../scope-text.js'
import { listOf } from '../table.js'
import { showTime } from '../times.js'

interface CheckOptions {
  readonly model?: string | undefined
  readonly provider?: string | undefined
  readonly cost?: string | undefined
  readonly inputTokens?: number | undefined
  readonly maxOutputTokens?: number | undefined
  readonly tenant?: string | undefined
  readonly tier?: string | undefined
  readonly scope?: readonly (readonly [string, string])[] | undefined
  readonly hold?: boolean | undefined
  readonly json?: boolean | undefined
  readonly url?: string | undefined
  readonly key?: string | undefined
}

/** What is asked: as the engine and the server take it. */
interface Question {
  readonly userId: string
  readonly tenant?: string | undefined
  readonly [field: string]: unknown
}

/** A decision, and where the store was asked to hold, its id there. */
interface CheckedDecision extends RemoteDecision {
  readonly idInStore?: string | undefined
}

const HELP = `
Exit code 3: the request would be refused. Without --hold nothing stays held, and nothing is counted as a request.
What is held is settled over HTTP by its id (POST /v1/holds/<id>/settle), in an application by the one in the store.
Against a server: --url (or BURSAR_URL), with --key or better BURSAR_KEY, which no list of processes shows.`

/** Adds the command. */
export function addCheck(program: Command, act: Act): void {
  program
    .command('check')
    .description('ask whether a user may make a request now')
    .argument('<user>', 'the id of the user (after -- where it begins with a dash)')
    .option('--model <model>', 'the model that is asked for')
    .option('--provider <provider>', 'who sells it')
    .option('--cost <usd>', 'what it may cost at most')
    .option('--input-tokens <count>', 'how many tokens it reads, in the place of --cost', tokensArgument)
    .option('--max-output-tokens <count>', 'how many it writes at most', tokensArgument)
    .option('--tenant <tenant>', "the user's tenant")
    .option('--tier <tier>', 'as if the user were of this tier')
    .option('--scope <group=id>', 'a group that the request names: team=search; may be given again', pairsArgument)
    .option('--hold', 'hold the money: whoever makes the call settles it by the id')
    .option('--json', 'the decision as JSON')
    .option('--url <url>', 'ask this server instead of the store: http://127.0.0.1:8787')
    .option('--key <key>', 'the key for the server')
    .addHelpText('after', HELP)
    .action(act<CheckOptions, [string]>(check))
}

async function check(run: Run, options: CheckOptions, userId: string): Promise<number> {
  const question = questionOf(userId, options)
  const variable = (name: string): string | undefined => (run.io.env[name] === '' ? undefined : run.io.env[name])
  // A store that is named is the one that is asked, whatever the environment says.
  const url = options.url ?? (run.common.store === undefined ? variable('BURSAR_URL') : undefined)
  if (options.url !== undefined && run.common.store !== undefined) throw new InvalidRequestError('--url: and --store are both given. Give the one that is to be asked.')
  if (options.key !== undefined && url === undefined) throw new InvalidRequestError('--key: is for a server, and none is given. Give it with --url http://…, or leave the key out.')
  const decision = url === undefined ? await askStore(question, options.hold === true, run) : await askServer(url, options.key ?? variable('BURSAR_KEY'), question, options.hold === true, run)
  await (options.json === true ? run.terminal.json(decision, 2) : print(decision, options.hold === true, run))
  return decision.allowed ? EXIT.done : EXIT.found
}

function questionOf(userId: string, { model, provider, cost, inputTokens, maxOutputTokens, tenant, tier, scope }: CheckOptions): Question {
  assertId(userId, 'user')
  if (cost === undefined && inputTokens === undefined) throw new InvalidRequestError('--cost: is missing. Give what the request may cost, such as 0.03, or --input-tokens and --max-output-tokens of a model that has a price.')
  if (cost !== undefined) parseUsd(cost, '--cost', 'round-up')
  const scopes = scope === undefined ? {} : { scopes: Object.fromEntries(scope) }
  const given = { model, provider, estimatedCost: cost, inputTokens, maxOutputTokens, tenant, userTier: tier }
  return { userId, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)), ...scopes }
}

async function askStore(question: Question, isHeld: boolean, run: Run): Promise<CheckedDecision> {
  const { engine } = await openEngine(await readConfiguration(run), run)
  if (!isHeld) {
    const decision = await engine.check(question, { countRequest: false })
    if (decision.allowed) await decision.release()
    return JSON.parse(JSON.stringify(decision)) as RemoteDecision
  }
  // As a server makes them: it knows the hold by the one, whoever has the store by the other.
  const id = newRequestId()
  const idInStore = storeId(question.tenant, id)
  const decision = await engine.check({ ...question, idempotencyKey: idInStore })
  return { ...(JSON.parse(JSON.stringify(decision)) as RemoteDecision), id, idInStore }
}

async function askServer(url: string, key: string | undefined, question: Question, isHeld: boolean, run: Run): Promise<CheckedDecision> {
  const server = new RemoteServer(url, key, run)
  if (!isHeld) return server.check({ ...question, dryRun: true })
  const id = newRequestId()
  try {
    return await server.check(question, id)
  } catch (error) {
    // Whoever gets no answer must know what to release.
    throw error instanceof StoreUnavailableError ? new StoreUnavailableError(`${error.message} Where the question has come there, money may be held as ${id}: release that, or let it expire.`, { cause: error }) : error
  }
}

async function print(decision: CheckedDecision, isHeld: boolean, { terminal, zone }: Run): Promise<void> {
  const { id, action, model, requestedModel, estimatedCost, reason, expiresAt } = decision
  const { windows = [] } = decision.context ?? {}
  await terminal.print(
    listOf([
      ['action', action],
      ['model', model === undefined ? requestedModel : model === requestedModel ? model : `${model} (instead of ${requestedModel})`],
      ['cost', estimatedCost === undefined ? undefined : show(parseUsd(estimatedCost, 'cost', 'round-up'))],
      ['reason', reason],
      ['held as', isHeld && expiresAt !== undefined ? `${id}, until ${showTime(Date.parse(expiresAt), zone)}` : undefined],
      ['in the store', isHeld && expiresAt !== undefined ? decision.idInStore : undefined],
    ]),
  )
  if (windows.length === 0) return
  await terminal.print('\n')
  const amount = (value: number | null, unit: Unit): string | undefined => show(value, unit)
  await terminal.table(
    [{ head: 'scope' }, { head: 'window' }, { head: 'unit' }, { head: 'spent', number: true }, { head: 'held', number: true }, { head: 'limit', number: true }, { head: 'used', number: true }, { head: 'with it', number: true }, { head: `resets (${zone})` }],
    windows.map(({ scope, period, unit, exact, usedPct, projectedPct, resetsAt }) => [
      scope.kind === 'user' ? 'user' : scopeText(scope),
      period,
      unit === 'usd' ? 'USD' : unit,
      amount(exact.spent, unit),
      amount(exact.held, unit),
      exact.limit === null ? 'none' : amount(exact.limit, unit),
      exact.limit === null ? undefined : showPct(usedPct),
      exact.limit === null ? undefined : showPct(projectedPct),
      resetsAt === null ? 'never' : showTime(Date.parse(resetsAt), zone),
    ]),
  )
}

function tokensArgument(text: string): number {
  if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('Give a whole number from 0 up.')
  return Number(text)
}
