// A file that a command is to write: looked at before anything is read for nothing.

import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { InvalidRequestError } from '../errors/index.js'
import type { Run } from './run.js'

/** The path of a file to be written. Throws `InvalidRequestError` where it cannot be, and where one is there and `force` does not say that it is to be replaced. */
export function pathToWrite(text: string, field: string, force: boolean | undefined, run: Run): string {
  const path = run.path(text, field)
  const folder = dirname(path)
  if (!existsSync(folder)) throw new InvalidRequestError(`${field}: there is no folder ${folder}. Make it, or give another path.`)
  if (!statSync(folder).isDirectory()) throw new InvalidRequestError(`${field}: ${folder} is no folder. Give another path.`)
  if (existsSync(path) && statSync(path).isDirectory()) throw new InvalidRequestError(`${field}: ${path} is a folder. Give the path of a file in it.`)
  if (existsSync(path) && force !== true) throw new InvalidRequestError(`${field}: ${path} is there already. Add --force to replace it, or give another path.`)
  try {
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw new InvalidRequestError(`${field}: no file may be written into ${folder} (${(cause as NodeJS.ErrnoException).code ?? 'unknown'}). Give another path, or ask for permission.`, { cause })
  }
  return path
}
