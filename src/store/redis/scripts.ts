// The Lua scripts as Redis runs them: each with what it includes, and the name under which Redis remembers it.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** A script with its SHA-1. */
export interface Script {
  readonly name: string
  readonly text: string
  readonly sha: string
}

/** Scripts by operation. */
export type ScriptName =
  | ('reserve' | 'settle' | 'release' | 'extend' | 'opened' | 'record' | 'refund' | 'read' | 'restart')
  | ('hello' | 'set-entry' | 'note' | 'snapshot' | 'correct')
  | ('read-record' | 'write-record' | 'list-records')

const loaded = new Map<ScriptName, Script>()

/** The script of an operation. Read once, from beside this file. */
export function scriptFor(name: ScriptName): Script {
  let script = loaded.get(name)
  if (script === undefined) {
    const text = withIncludes(name)
    script = { name, text, sha: createHash('sha1').update(text).digest('hex') }
    loaded.set(name, script)
  }
  return script
}

function withIncludes(name: string): string {
  return read(name).replace(/^ *--include ([\w-]+)$/gm, (_, included: string) => withIncludes(included))
}

// Comments are for readers: Redis would keep them, and hash them.
function read(name: string): string {
  const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8')
  return text.replace(/^ *--(?!include ).*\n/gm, '').replace(/\n+$/, '')
}
