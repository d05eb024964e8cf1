// Every operation of the service, asked by everybody for anything: made of the service's own description, so that no route is forgotten. No
// request is answered with a 500 or with something that the description does not have, and no key of a tenant learns or changes anything
// of another's.

import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { CallerFacts } from '../../src/server/caller.js'
import type { ApiDocument } from '../../src/server/description/openapi.js'
import { sqliteStore } from '../../src/store/sqlite/index.js'
import { assertProperty } from '../support/property.js'
import { operationsOf, requestTo, type FuzzRequest, type Operation } from '../support/server/arbitrary.js'
import { sendTo, wrongWith, type FuzzAnswer } from '../support/server/judge.js'
import { ACMES, OTHERS, twoTenants, type Callers, type TwoTenants } from '../support/server/two-tenants.js'

/** So many requests to each operation; BURSAR_RUNS counts as everywhere. */
const RUNS = Math.ceil(Number(process.env['BURSAR_RUNS'] ?? 1_000) / 10)
const MOST_GUESSES = 120
/** After so many requests, all find a new world: one in which nothing is taken away yet, and that is small. */
const RENEWED = 400

interface Asked {
  /** `POST /v1/check`: a counterexample is to be read. */
  readonly operation: string
  readonly as: string
  readonly request: FuzzRequest
}

interface Opened {
  readonly world: TwoTenants
  readonly document: ApiDocument
  readonly operations: readonly Operation[]
}

const worlds: TwoTenants[] = []
const folders: string[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function open(config: Parameters<typeof twoTenants>[0] = {}): Promise<Opened> {
  const world = await twoTenants(config)
  worlds.push(world)
  const document = (await world.ask(undefined, 'GET', '/openapi.json')).json as ApiDocument
  return { world, document, operations: operationsOf(document) }
}

/** Requests of some callers to all operations of a world, or of those that take its place. */
function asking({ document, operations }: Opened, world: () => TwoTenants, callers: Callers): fc.Arbitrary<Asked> {
  return fc
    .tuple(fc.constantFrom(...operations), fc.constantFrom(...Object.keys(callers)), fc.boolean())
    .chain(([operation, as, isTame]) => requestTo(operation, { document, guesses: () => world().guesses, ids: world().ids, isTame }).map((request) => ({ operation: nameOf(operation), as, request })))
}

function nameOf({ method, path }: Operation): string {
  return `${method} ${path}`
}

/** Sends one, and throws what is wrong with the answer. */
async function sent(world: TwoTenants, { document, operations }: Opened, { operation: name, as, request }: Asked, callers: Callers): Promise<FuzzAnswer> {
  const operation = operations.find((each) => nameOf(each) === name) as Operation
  const facts = callers[as]
  const answer = await sendTo(world.app, request, facts && (await tokenOf(world, facts)))
  const wrong = wrongWith(document, operation, answer, Object.hasOwn(ACMES, as) ? world.secret : undefined)
  if (wrong !== undefined) throw new Error(`${as}: ${request.method} ${request.path} ${request.body?.slice(0, 500) ?? ''}: ${wrong}`)
  // What one has learnt, all may guess.
  for (const [, id] of answer.text.matchAll(/"(?:id|decisionId|keyId)":"([!-~]{1,100}?)"/g)) {
    if (world.guesses.length < MOST_GUESSES && !(id as string).includes(world.marker) && !world.guesses.includes(id as string)) world.guesses.push(id as string)
  }
  return answer
}

/** The test's app knows a caller once it has asked. */
async function tokenOf({ ask }: TwoTenants, facts: CallerFacts): Promise<string> {
  const token = `test-${JSON.stringify(facts)}`.replaceAll(' ', '_')
  await ask(facts, 'GET', '/health')
  return `Bearer ${token}`
}

/** True for an operation that does what it is for, where somebody who may asks for it often enough. */
async function opensSometimes(operation: Operation): Promise<boolean> {
  const opened = await open()
  const { world, document } = opened
  const callers = { ...ACMES, ...OTHERS }
  for (const request of fc.sample(requestTo(operation, { document, guesses: () => world.guesses, ids: world.ids, isTame: true }), 60)) {
    for (const as of ['operator', 'acme admin', 'acme ada']) {
      const { status } = await sent(world, opened, { operation: nameOf(operation), as, request }, callers)
      if (status < 300) return true
    }
  }
  return false
}

describe('every operation of the description', () => {
  test.each([
    ['in memory', RUNS, () => ({})],
    ['in SQLite', Math.ceil(RUNS / 8), () => {
      const folder = mkdtempSync(join(tmpdir(), 'bursar-fuzz-'))
      folders.push(folder)
      return { store: sqliteStore({ path: join(folder, 'bursar.db') }) }
    }],
  ])("tells keys of a tenant nothing of another's, whatever they ask, and lets them change nothing of it: %s", async (_where, runs, config) => {
    const opened = await open(config())
    let { world } = opened
    let before = await world.snapshot()
    expect(before).toContain(world.marker)
    const unchanged = async (): Promise<void> => {
      expect((await world.snapshot()).split('\n')).toEqual(before.split('\n'))
      expect(world.logged.filter(({ level }) => level === 'error')).toEqual([])
      expect(JSON.stringify(world.logged)).not.toContain(world.marker)
    }
    let asked = 0
    await assertProperty('server-fuzz tenants', fc.asyncProperty(asking(opened, () => world, ACMES), async (request) => {
      if ((asked += 1) % RENEWED === 0) {
        await unchanged()
        await world.close()
        world = (await open(config())).world
        before = await world.snapshot()
      }
      await sent(world, opened, request, ACMES)
    }), runs * opened.operations.length)
    await unchanged()
  })

  test('answers as described to everybody, also while all change what they may', async () => {
    const opened = await open()
    let { world } = opened
    const met = new Map<string, Set<number>>()
    const all = { ...ACMES, ...OTHERS }
    let asked = 0
    await assertProperty('server-fuzz everybody', fc.asyncProperty(asking(opened, () => world, all), async (request) => {
      // Where everybody may take away what is there, soon nothing is.
      if ((asked += 1) % RENEWED === 0) {
        await world.close()
        world = (await open()).world
      }
      const { status } = await sent(world, opened, request, all)
      met.set(request.operation, (met.get(request.operation) ?? new Set()).add(status))
    }), RUNS * opened.operations.length)
    // A fuzzer that never gets in has tried the doors alone. What is not there in these worlds: Stripe, and something that was delivered.
    const never = opened.operations.filter((each) => !/^POST (\/webhooks\/stripe|.*\/retry)$/.test(nameOf(each)) && ![...(met.get(nameOf(each)) ?? [])].some((status) => status < 300))
    const closed: string[] = []
    for (const operation of never) if (!(await opensSometimes(operation))) closed.push(nameOf(operation))
    expect(closed).toEqual([])
  })

  test('says which methods there are to whoever uses another one, and takes no body that is not said to be JSON', async () => {
    const { world, operations } = await open()
    const paths = new Map([...new Set(operations.map(({ path }) => path))].map((path) => [path, operations.filter((each) => each.path === path)]))
    const wrong: string[] = []
    for (const [path, own] of paths) {
      const methods = own.map(({ method }) => method)
      const filled = path.replaceAll(/\{.+?\}/g, 'nobody')
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'FROBNICATE'].filter((each) => !methods.includes(each))) {
        const { status, headers, json } = await world.ask(OTHERS['operator'], method, filled)
        // Another address may have the same words: /v1/limits/triggered is one of /v1/limits/{id}.
        const isAnothers = [...paths].some(([other, those]) => other !== path && new RegExp(`^${other.replaceAll(/\{.+?\}/g, '[^/]+')}$`).test(filled) && those.some((each) => each.method === method))
        if (!isAnothers && (status !== 405 || json?.code !== 'METHOD_NOT_ALLOWED' || !methods.every((each) => (headers.get('allow') ?? '').includes(each)))) wrong.push(`${method} ${filled}: ${status} ${headers.get('allow')}`)
      }
      for (const { method } of own.filter((each) => path.startsWith('/v1/') && each.method !== 'GET')) {
        const { status } = await world.ask(OTHERS['operator'], method, filled, '{}', { 'content-type': 'text/plain' })
        if (status !== 415) wrong.push(`${method} ${filled} as text: ${status}`)
      }
    }
    expect(wrong).toEqual([])
  })
})
