// `bursar init`: writes a configuration to begin with, and never over one that is there.

import type { Command } from 'commander'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InvalidConfigError } from '../../errors/index.js'
import type { Act } from '../act.js'
import { NAMES } from '../configuration.js'
import type { Run } from '../run.js'
import { JSON_CONFIGURATION, MODULE_CONFIGURATION } from '../templates.js'

interface InitOptions {
  readonly json?: boolean | undefined
}

/** Adds the command. */
export function addInit(program: Command, act: Act): void {
  program
    .command('init')
    .description('write a commented bursar.config.mjs into this folder')
    .option('--json', 'a bursar.config.json instead: what can be said without code')
    .action(act<InitOptions, []>(init))
}

async function init(run: Run, { json }: InitOptions): Promise<void> {
  const there = NAMES.find((name) => existsSync(join(run.io.cwd, name)))
  const refusal = (name: string): InvalidConfigError => new InvalidConfigError(`${name}: is there already, and nothing is written over it. Change it, or move it away first.`)
  if (there !== undefined) throw refusal(there)
  const name = json === true ? 'bursar.config.json' : 'bursar.config.mjs'
  try {
    // Not if somebody else makes it at this moment.
    await writeFile(join(run.io.cwd, name), json === true ? JSON_CONFIGURATION : MODULE_CONFIGURATION, { flag: 'wx' })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? refusal(name) : error
  }
  run.terminal.say(`${name} was written. Look through it, then try: npx bursar simulate --sample 1000`)
}
