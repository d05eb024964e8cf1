// Node's own modules, taken when they are needed: the library loads where there are none.

import { InvalidConfigError } from '../errors/index.js'

interface Modules {
  'node:fs': typeof import('node:fs')
  'node:os': typeof import('node:os')
  'node:path': typeof import('node:path')
}

/** What a file is written with. */
export type NodeFs = Modules['node:fs']

/** Throws `InvalidConfigError` on a runtime without that module. */
export function nodeModule<Name extends keyof Modules>(name: Name): Modules[Name] {
  const found = globalThis.process?.getBuiltinModule?.(name) as Modules[Name] | undefined
  if (found === undefined) throw new InvalidConfigError(`settleQueue.path: this runtime has no ${name}, so endings cannot be kept in a file. Leave the path out to keep them in memory.`)
  return found
}
