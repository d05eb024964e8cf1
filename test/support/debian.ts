// Programs that tests need: where they are on this machine, and Debian's packages for those that are not there, where they can be installed. One
// process installs at a time, and no package starts a service of its own.

import { execFile } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

// policy-rc.d is Debian's own way to install a package without its service. Whoever waited may find it installed.
const INSTALL = `
  set -e
  dpkg-query -W -f='\${Status}' "$1" 2> /dev/null | grep -q ' installed$' && exit 0
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > "$policy"
    chmod +x "$policy"
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get -o DPkg::Lock::Timeout=120 install -q -y --no-install-recommends "$1"
`

/** The path of the first of these programs that is there. */
export function onPath(...names: readonly string[]): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/opt/homebrew/bin']
  return folders.filter((folder) => folder !== '').flatMap((folder) => names.map((name) => join(folder, name))).find(isExecutable)
}

/** Installs one of Debian's packages. Rejects with `remedy` where that cannot be done here. */
export async function installPackage(name: string, remedy: string): Promise<void> {
  if (process.getuid?.() !== 0 || onPath('apt-get') === undefined) throw new Error(`${name} was not found, and is installed by root on Debian alone. ${remedy}`)
  try {
    await promisify(execFile)('flock', ['/tmp/bursar-test-packages.lock', 'sh', '-c', INSTALL, 'sh', name], { maxBuffer: 2 ** 24 })
  } catch (cause) {
    throw new Error(`${name} was not found, and apt-get could not install it: ${String((cause as { stderr?: string }).stderr ?? cause).trim()}. ${remedy}`, { cause })
  }
}

/** What `find` finds, with the package installed first if need be. Rejects with `remedy` where it is not found even then. */
export async function foundOrInstalled<T>(find: () => T | undefined, name: string, remedy: string): Promise<T> {
  const present = find()
  if (present !== undefined) return present
  await installPackage(name, remedy)
  const installed = find()
  if (installed === undefined) throw new Error(`apt-get installed ${name}, but it is not found (PATH ${process.env['PATH'] ?? ''}). ${remedy}`)
  return installed
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
