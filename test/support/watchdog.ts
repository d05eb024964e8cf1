// What becomes of servers and worker processes when the test process dies: however it ends, they are ended by their ids and their
// folders removed. Decides nothing about when they should stop before that, nor how each kind is best ended.

import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

// Reads "+ pid folder" and "- pid" and, when the pipe closes because this process is gone, ends what is left. A process of its
// own group, so that what stops the tests from a keyboard does not stop it first.
const scriptWith = (ending: string): string => `
  pids='' ; folders=''
  while read -r sign pid folder; do
    if [ "$sign" = + ]; then pids="$pids $pid" ; folders="$folders $folder"
    else rest='' ; for each in $pids; do [ "$each" = "$pid" ] || rest="$rest $each"; done ; pids=$rest
    fi
  done
  if [ -n "$pids" ]; then
    ${ending}
  fi
  [ -z "$folders" ] || rm -rf $folders
`

/** Watches a process, with the folder that goes with it. Returns what to call when it has ended by itself. */
export type Watch = (pid: number, folder?: string) => () => void

/** A watchdog that ends processes so: a piece of shell, with their ids in `$pids` and their folders in `$folders`. */
export function watchdog(ending: string): Watch {
  let process: ChildProcess | undefined
  return (pid, folder = '') => {
    if (process === undefined) {
      process = spawn('sh', ['-c', scriptWith(ending)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
      process.unref()
      const pipe = process.stdin as unknown as Socket
      pipe.unref()
      pipe.on('error', () => {})
    }
    const pipe = process.stdin as unknown as Socket
    pipe.write(`+ ${pid} ${folder}\n`)
    return () => void pipe.write(`- ${pid}\n`)
  }
}
