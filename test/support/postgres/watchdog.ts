// A Postgres server is told to end, so that it clears up what its processes share, and killed only if it is still there ten seconds
// later. One that has ended has removed its postmaster.pid.

import { watchdog } from '../watchdog.js'

/** Ends the server when this process ends, and removes its folder then. Returns what to call when it has ended by itself. */
export const watch = watchdog(`
    kill -QUIT $pids 2> /dev/null
    tries=0
    for folder in $folders; do
      while [ $tries -lt 100 ] && [ -e "$folder/data/postmaster.pid" ]; do sleep 0.1; tries=$((tries + 1)); done
    done
    kill -9 $pids 2> /dev/null`)
