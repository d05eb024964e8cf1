// The README as a stranger follows it: the package is packed, installed in an empty folder, and every block is run there.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { foundOrInstalled, onPath } from '../support/debian.js'
import { freePort } from '../support/free-ports.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({ language: language as string, code: code as string }))
const programs = blocks.filter(({ language }) => language === 'ts' || language === 'js')
const commands = blocks.filter(({ language }) => language === 'sh')
const served = commands.find(({ code }) => code.includes('bursar serve'))
const clients = blocks.filter(({ language }) => language === 'python')

/** What each program of the README must print, in its order: the results that its comments state. */
const PRINTS: readonly (readonly RegExp[])[] = [
  [/^gpt-4o-mini-2024-07-18 cost \$0\.\d+$/m],
  [/^claude-haiku-4-5-20251001 cost \$0\.\d+$/m],
  [/^\d+ tokens, \$0\.\d+$/m],
  [/^an answer by gpt-4o$/m],
  [/^ALLOW 30 %$/m, /^ALLOW 60 %$/m, /^WARN 90 %$/m, /^BLOCK .*window: 'daily'/ms, /cost: 0\.09/],
  [/^0\.0050375 0\.00203$/m, /^model: "gpt-4o-turbo" has no price/m],
  [/^stopped at \$0\.09 of \$0\.1, \$0\.01 left$/m, /^false$/m],
  [/^DEGRADE gpt-4o-mini /m],
  [/^402 The monthly budget of tenant acme is \$0\.05; \$0\.04 is used .*'Retry-After': '\d+'/m],
  [/^false$/m, /^0\.6$/m, /^clean$/m],
  [/^pro$/m, /^Pro \(\$29\/mo\)$/m, /^400$/m],
  [/^ada has used 80 % of the monthly budget$/m, /'gpt-4o': \{\s+cost: 15,/],
  [/refuses: 4\.00 spent \+ 0\.00 held \+ 2\.00 estimate = 6\.00 > 5\.00/, /^\[ 'acme-cap 80 %' \]$/m, /userId: 'ada'.*userId: 'bob'/s],
]

describe('the README', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bursar-readme-'))
  let tarball = ''
  let standIn: ChildProcess | undefined
  /** What the SDKs read: their keys, and where their providers are. */
  let environment: NodeJS.ProcessEnv = process.env

  beforeAll(async () => {
    // A process of its own: this one stands still while a program runs.
    standIn = spawn(process.execPath, ['--import', 'tsx', join(root, 'examples/provider-stand-in/main.ts')], { cwd: root, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    environment = { ...process.env, ...(await listening(standIn)), OPENAI_API_KEY: 'any', ANTHROPIC_API_KEY: 'any' }
    const packed = run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root)
    tarball = join(folder, (JSON.parse(packed) as { filename: string }[])[0]?.filename ?? '')
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: { strict: true, module: 'nodenext', target: 'es2023', types: [], noEmit: true, skipLibCheck: true, lib: ['es2023', 'esnext.disposable', 'dom'] }, include: ['*.ts'] }))
  })

  afterAll(() => {
    standIn?.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  it('has blocks of each kind, and knows what each program prints', () => {
    expect(commands.length).toBeGreaterThan(0)
    expect(programs).toHaveLength(PRINTS.length)
    expect(blocks.filter(({ language }) => !['ts', 'js', 'sh', 'python', 'text'].includes(language))).toEqual([])
  })

  it('installs as printed', () => {
    const install = commands.find(({ code }) => code.includes('npm install'))
    for (const line of (install?.code.trim() ?? '').split('\n')) {
      // The package that was just packed stands in for the published one.
      const [program = '', ...args] = line.replace(/ +#.*/, '').split(' ').map((word) => (word === 'bursar' ? tarball : word))
      run(program, [...args, '--no-audit', '--no-fund'], folder)
    }
    expect(readFileSync(join(folder, 'node_modules/bursar/LICENSE'), 'utf8')).toContain('MIT')
  })

  it.each(programs.map(({ code }, index) => [index + 1, code] as const))('runs program %i as printed', (number, code) => {
    const file = join(folder, `program-${number}.ts`)
    writeFileSync(file, code)
    const printed = run(process.execPath, ['--import', join(root, 'node_modules/tsx/dist/loader.mjs'), file], folder, environment)
    for (const line of PRINTS[number - 1] ?? []) expect(printed).toMatch(line)
  })

  it('compiles as printed, against the types of the installed package', () => {
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder], folder)
  })

  it('runs the lines of curl, and the client in Python, as printed, on a port that is free', async () => {
    expect(clients).toHaveLength(1)
    await foundOrInstalled(() => onPath('python3'), 'python3', 'Install Python 3.')
    await foundOrInstalled(() => onPath('curl'), 'curl', 'Install curl.')
    const port = await freePort()
    const there = (code = ''): string => code.replaceAll(':8787', `:${port}`)
    writeFileSync(join(folder, 'client.py'), there(clients[0]?.code))
    const printed = await runWithJobs(`${there(served?.code)}\necho\npython3 client.py`, folder, { ...process.env, BURSAR_PORT: String(port) })
    expect(printed).toMatch(/"id":"call-1","allowed":true,"action":"ALLOW"/)
    expect(printed).toMatch(/"cost":0\.0042,"overage":0,"replayed":false/)
    expect(printed).toMatch(/"customer_id":"zoe","budget_limit_usd":[\d.]+,"budget_used_usd":0\.0042,/)
    expect(printed).toMatch(/"status":402,.*"largestFittingCost":/)
    expect(printed).toMatch(/(^called gpt-4o-mini for 0\.05\n)+402 The daily budget of user yan is/m)
  })

  it.each(commands.filter((command) => !command.code.includes('npm install') && command !== served).map(({ code }) => code.trim()))('runs "%s" as printed', (command) => {
    const [program = '', ...args] = command.split(' ')
    expect(run(program, args, root)).toMatch(/^agree: /m)
  })
})

/** The base URLs in the first line that the stand-in says. */
function listening(child: ChildProcess): Promise<{ OPENAI_BASE_URL: string; ANTHROPIC_BASE_URL: string }> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.once('exit', () => reject(new Error(`the stand-in has ended: ${said}`)))
    child.stdout?.on('data', (piece: Buffer) => {
      said += piece.toString()
      const [origin] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? []
      if (origin !== undefined && said.includes('\n')) resolve({ OPENAI_BASE_URL: `${origin}/v1`, ANTHROPIC_BASE_URL: origin })
    })
  })
}

/** What a script prints; what it leaves running is ended with it: npx does not pass on that it was killed. */
async function runWithJobs(script: string, cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  const shell = spawn('bash', ['-c', script], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  let printed = ''
  shell.stdout.on('data', (piece: Buffer) => (printed += piece.toString()))
  const closed = once(shell, 'close')
  await once(shell, 'exit')
  process.kill(-(shell.pid as number), 'SIGTERM')
  await closed
  return printed
}

function run(program: string, args: readonly string[], cwd: string, env = process.env): string {
  try {
    return execFileSync(program, args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? ''}`, { cause: error })
  }
}
