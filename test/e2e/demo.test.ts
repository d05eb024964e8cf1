// The demo, run as a newcomer runs it. Its agreement is worth something only if a microcent too many breaks it: that is run, too.

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function runDemo(...args: string[]): Promise<{ code: number; output: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['--import', 'tsx', 'examples/demo.ts', ...args], { cwd: root, timeout: 90_000 }, (error, output, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), output, errors })
    })
  })
}

/** The numbers of a user's row: calls, ALLOW, WARN, DEGRADE, BLOCK, failed. */
function rowOf(output: string, user: string): { calls: number; allow: number; warn: number; degrade: number; block: number; failed: number } {
  const cells = new RegExp(`^ {2}${user} +\\w+ +(\\d+) +(\\d+) +(\\d+) +(\\d+) +(\\d+) +(\\d+) `, 'm').exec(output)
  const [calls = -1, allow = -1, warn = -1, degrade = -1, block = -1, failed = -1] = (cells ?? []).slice(1).map(Number)
  return { calls, allow, warn, degrade, block, failed }
}

/** True while a process with this id runs. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const standInPid = (output: string): number => Number(/process (\d+)/.exec(output)?.[1])

beforeAll(() => {
  if (!existsSync(`${root}/dist/src/index.js`)) throw new Error('dist/ is missing, and the demo imports the built package. Run npm run build first.')
})

test('bursar and the stand-in agree to the microcent, no limit is passed, and the stand-in is stopped', async () => {
  const { code, output, errors } = await runDemo()
  expect(errors).toBe('')
  expect(output).toMatch(/^agree: settlements, budgets, ledger and the stand-in counted the same \$\d+\.\d{8}, user by user/m)
  expect(code).toBe(0)
  expect(output).toContain('no limit that blocks was passed')
  expect(output).not.toMatch(/DIFFER/)
  expect(runs(standInPid(output))).toBe(false)

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

test('a stand-in that counts one microcent too many for one user is found out, by name and amount', async () => {
  const { code, output } = await runDemo('--miscount', 'ben')
  expect(code).toBe(1)
  expect(output).toMatch(/^ {2}ben: the stand-in counted [\d,]+ microcents, 1 more than settlements/m)
  expect(output).toMatch(/^ {2}ben .*DIFFER$/m)
  expect(output).toMatch(/^DIFFER: /m)
  expect(output).not.toMatch(/^agree/m)
  expect(output.match(/ agree$/gm)).toHaveLength(11)
  expect(runs(standInPid(output))).toBe(false)
})
