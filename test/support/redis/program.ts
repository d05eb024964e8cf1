// Where the Redis server of the tests comes from: one on the PATH, else Debian's package where it can be installed, else an error
// that says what to install. Knows nothing of ports or data.

import { foundOrInstalled, onPath } from '../debian.js'

const REMEDY = 'Install redis-server or valkey-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), or set REDIS_URL for the tests that need one server only.'

let found: Promise<string> | undefined

/** The path of a Redis or Valkey server, installed first if need be. Rejects with what to install; the tests then fail. */
export function redisProgram(): Promise<string> {
  found ??= foundOrInstalled(() => onPath('redis-server', 'valkey-server'), 'redis-server', REMEDY)
  return found
}
