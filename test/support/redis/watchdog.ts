// What becomes of servers and worker processes when the test process dies: however it ends, they are killed by their ids and
// their folders removed. Decides nothing about when they should stop before that.

import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

// Reads "+ pid folder" and "- pid" and, when the pipe closes because this process is gone, kills what is left. A process of its
// own group, so that what stops the tests from a keyboard does not stop it first.
const SCRIPT = `
  pids='' ; folders=''
  while read -r sign pid folder; do
    if [ "$sign" = + ]; then pids="$pids $pid" ; folders="$folders $folder"
    else rest='' ; for each in $pids; do [ "$each" = "$pid" ] || rest="$rest $each"; done ; pids=$rest
    fi
  done
  [ -z "$pids" ] || kill -9 $pids 2> /dev/null
  [ -z "$folders" ] || rm -rf $folders
`

let watchdog: ChildProcess | undefined

/** Kills the process when this one ends, and removes its folder then. Returns what to call when it has ended by itself. */
export function watch(pid: number, folder = ''): () => void {
  if (watchdog === undefined) {
    watchdog = spawn('sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
    watchdog.unref()
    const pipe = watchdog.stdin as unknown as Socket
    pipe.unref()
    pipe.on('error', () => {})
  }
  const pipe = watchdog.stdin as unknown as Socket
  pipe.write(`+ ${pid} ${folder}\n`)
  return () => void pipe.write(`- ${pid}\n`)
}
