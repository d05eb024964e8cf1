// What becomes of Postgres servers when the test process dies: they are told to end by their ids, so that they clear up what they share
// among their processes, and their folders are removed.

import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'

// As the one for Redis, but SIGQUIT first, and SIGKILL only for what is still there ten seconds later. A server that has ended has removed
// its postmaster.pid.
const SCRIPT = `
  pids='' ; folders=''
  while read -r sign pid folder; do
    if [ "$sign" = + ]; then pids="$pids $pid" ; folders="$folders $folder"
    else rest='' ; for each in $pids; do [ "$each" = "$pid" ] || rest="$rest $each"; done ; pids=$rest
    fi
  done
  if [ -n "$pids" ]; then
    kill -QUIT $pids 2> /dev/null
    tries=0
    for folder in $folders; do
      while [ $tries -lt 100 ] && [ -e "$folder/data/postmaster.pid" ]; do sleep 0.1; tries=$((tries + 1)); done
    done
    kill -9 $pids 2> /dev/null
  fi
  [ -z "$folders" ] || rm -rf $folders
`

let watchdog: ChildProcess | undefined

/** Ends the server when this process ends, and removes its folder then. Returns what to call when it has ended by itself. */
export function watch(pid: number, folder: string): () => void {
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
