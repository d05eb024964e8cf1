// Where the Redis server of the tests comes from: one on the PATH, else Debian's package where it can be installed, else an error
// that says what to install. Knows nothing of ports or data.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const PROGRAMS = ['redis-server', 'valkey-server']
const REMEDY = 'Install redis-server or valkey-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), or set REDIS_URL for the tests that need one server only.'

let found: Promise<string> | undefined

/** The path of a Redis or Valkey server, installed first if need be. Rejects with what to install; the tests then fail. */
export function redisProgram(): Promise<string> {
  found ??= find()
  return found
}

async function find(): Promise<string> {
  const present = onPath(PROGRAMS)
  if (present !== undefined) return present
  const isRoot = process.getuid?.() === 0
  if (!isRoot || onPath(['apt-get']) === undefined) throw new Error(`No redis-server is on the PATH. ${REMEDY}`)
  await install()
  const installed = onPath(PROGRAMS)
  if (installed === undefined) throw new Error(`apt-get installed redis-server, but it is not on the PATH (${process.env['PATH'] ?? ''}). ${REMEDY}`)
  return installed
}

function onPath(names: readonly string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin']
  const paths = folders.filter((folder) => folder !== '').flatMap((folder) => names.map((name) => join(folder, name)))
  return paths.find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

// Debian's package starts a service on port 6379; policy-rc.d is Debian's own way to install without that. One process installs,
// the others wait for it.
const INSTALL = `
  set -e
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > "$policy"
    chmod +x "$policy"
  fi
  command -v redis-server > /dev/null && exit 0
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -q -y --no-install-recommends redis-server
`

async function install(): Promise<void> {
  try {
    await promisify(execFile)('flock', ['/tmp/bursar-test-redis.lock', 'sh', '-c', INSTALL], { maxBuffer: 2 ** 24 })
  } catch (cause) {
    throw new Error(`No redis-server is on the PATH and apt-get could not install it: ${String((cause as { stderr?: string }).stderr ?? cause).trim()}. ${REMEDY}`, { cause })
  }
}
