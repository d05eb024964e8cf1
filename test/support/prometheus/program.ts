// Where the Prometheus of the tests comes from: one on the PATH, else Debian's package where it can be installed, else an error that says what
// to install. Knows nothing of ports or of what is scraped.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const REMEDY = 'Install prometheus and promtool (Debian, Ubuntu: apt-get install prometheus; macOS: brew install prometheus).'

/** The programs of one installation. */
export interface PrometheusPrograms {
  readonly prometheus: string
  readonly promtool: string
}

let found: Promise<PrometheusPrograms> | undefined

/** The programs of Prometheus, installed first if need be. Rejects with what to install; the tests then fail. */
export function prometheusPrograms(): Promise<PrometheusPrograms> {
  found ??= find()
  return found
}

async function find(): Promise<PrometheusPrograms> {
  const present = programs()
  if (present !== undefined) return present
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) throw new Error(`No prometheus is on the PATH. ${REMEDY}`)
  await install()
  const installed = programs()
  if (installed === undefined) throw new Error(`apt-get installed prometheus, but it is not on the PATH (${process.env['PATH'] ?? ''}). ${REMEDY}`)
  return installed
}

function programs(): PrometheusPrograms | undefined {
  const [prometheus, promtool] = [onPath('prometheus'), onPath('promtool')]
  return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool }
}

function onPath(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  return folders.filter((folder) => folder !== '').map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

// Debian's package starts a service on port 9090; policy-rc.d is Debian's own way to install without that. One process installs, the others
// wait for it.
const INSTALL = `
  set -e
  command -v prometheus > /dev/null && exit 0
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > "$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends prometheus
`

async function install(): Promise<void> {
  try {
    // Other tests may install other packages meanwhile, and apt-get works for one at a time.
    const locks = ['redis', 'postgres', 'prometheus'].flatMap((what) => ['flock', `/tmp/bursar-test-${what}.lock`])
    await promisify(execFile)(locks[0] as string, [...locks.slice(1), 'sh', '-c', INSTALL], { maxBuffer: 2 ** 24 })
  } catch (cause) {
    throw new Error(`No prometheus is on the PATH and apt-get could not install it: ${String((cause as { stderr?: string }).stderr ?? cause).trim()}. ${REMEDY}`, { cause })
  }
}
