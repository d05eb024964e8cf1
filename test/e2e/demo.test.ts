// The demo in memory, and its command line. Its agreement is worth something only if a microcent too many breaks it: that is run
// with the stores.

import { afterEach, expect, test } from 'vitest'
import { readArguments } from '../../examples/demo/arguments.js'
import { leftRunning, rowOf, runDemo, stopDemos } from './demo-run.js'

afterEach(stopDemos)

test('bursar and the stand-in agree to the microcent, no limit is passed, and the stand-in is stopped', async () => {
  const { code, output, errors } = await runDemo([])
  expect(errors).toBe('')
  expect(output).toMatch(/^agree: settlements, budgets, ledger and the stand-in counted the same \$\d+\.\d{8}, user by user and SDK by SDK/m)
  expect(code).toBe(0)
  expect(output).toContain('no limit that blocks was passed')
  expect(output).toMatch(/the store's own audit is clean: \d+ ledger entries, 0 open holds/)
  expect(output).not.toMatch(/DIFFER/)
  expect(leftRunning(output)).toEqual([])

  // Every kind of token that has a price of its own, and each of the integrations.
  const [, tokens = ''] = /^ {2}tokens: ([\d,]+ read \(.+ from a cache, .+ written to one, .+ for an hour\), .+ written \(.+ as reasoning\))$/m.exec(output) ?? []
  const counts = (tokens.match(/\d[\d,]*/g) ?? []).map((count) => Number(count.replaceAll(',', '')))
  expect(counts).toHaveLength(6)
  for (const count of counts) expect(count).toBeGreaterThan(0)
  expect(output).toMatch(/calls were settled at what the provider said was used, none at an estimate$/m)
  for (const integration of ['bursar/openai', 'bursar/anthropic', 'bursar/ai-sdk']) expect(rowOf(output, integration).allow).toBeGreaterThan(0)

  const all = rowOf(output, 'everybody')
  expect(all.allow + all.warn + all.degrade + all.block).toBe(all.calls)
  for (const count of Object.values(all)) expect(count).toBeGreaterThan(0)
  expect(rowOf(output, 'ada')).toMatchObject({ calls: 12, allow: 12 })
  expect(rowOf(output, 'cleo').block).toBeGreaterThan(0)
  expect(rowOf(output, 'gus').degrade).toBeGreaterThan(0)
  expect(rowOf(output, 'jon')).toMatchObject({ degrade: 0, block: 0 })
  expect(rowOf(output, 'jon').warn).toBeGreaterThan(0)
  // No plan of hers would refuse her: the budget of her team does.
  expect(rowOf(output, 'kim').block).toBeGreaterThan(0)
})

test('an argument that makes no sense ends it with one line, exit code 2, and nothing started', async () => {
  const { code, output, errors } = await runDemo(['--store', 'postgres://127.0.0.1'])
  expect({ code, output }).toEqual({ code: 2, output: '' })
  expect(errors).toBe('bursar demo: --store: "postgres://127.0.0.1" is no store of the demo. Use memory, sqlite:<file> or redis://<host>:<port>.\n')
})

test.each([
  [['--store', 'sqlite:'], /^--store: "sqlite:" is no store/],
  [['--store', 'redis://'], /^--store: "redis:\/\/" is no store/],
  [['--store', 'redis:///0'], /^--store: "redis:\/\/\/0" is no store/],
  [['--store', ''], /^--store: "" is no store/],
  [['--processes', '4'], /^--processes: with the memory store each process would have budgets of its own\. Add --store /],
  [['--store', 'sqlite:x.db', '--processes', '0'], /^--processes: "0" is no number of processes\. Give a whole number from 1 to 16\./],
  [['--store', 'sqlite:x.db', '--processes', '17'], /^--processes: "17" is no/],
  [['--store', 'sqlite:x.db', '--processes', '2.5'], /^--processes: "2.5" is no/],
  [['--keep'], /^--keep: the memory store ends with its process\./],
  [['--miscount', 'nobody'], /^--miscount: "nobody" is no user of the demo\. Use ada, ben, /],
  [['--stroe', 'memory'], /^Unknown option '--stroe'\. The demo takes --store, --processes, --keep and --miscount\.$/],
  [['sqlite:x.db'], /^Unexpected argument 'sqlite:x.db'/],
])('refuses %j', (args, message) => {
  let refusal: unknown
  try {
    readArguments(args)
  } catch (error) {
    refusal = error
  }
  expect(refusal).toMatchObject({ exitCode: 2, message: expect.stringMatching(message) as unknown })
})

test('reads what makes sense', () => {
  const plain = { processes: 1, keep: false, miscount: undefined }
  expect(readArguments([])).toEqual({ ...plain, store: { kind: 'memory' } })
  expect(readArguments(['--store', 'sqlite:./demo.db', '--keep'])).toEqual({ ...plain, store: { kind: 'sqlite', path: './demo.db' }, keep: true })
  expect(readArguments(['--store', 'rediss://:secret@host:6380/2', '--processes', '16'])).toEqual({
    ...plain,
    store: { kind: 'redis', url: 'rediss://:secret@host:6380/2' },
    processes: 16,
  })
})
