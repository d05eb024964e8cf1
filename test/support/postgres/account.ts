// As whom a Postgres server of the tests runs, since it refuses to run as root, and where that user may keep data.

import { spawnSync } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'

/** A user of the system that is not root. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** Nobody in particular, where the machine has no user for Postgres. */
const USERS = ['postgres', 'nobody']

/** As whom to run the server; `undefined`: as whoever runs the tests. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of USERS) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number.parseInt(String(spawnSync('id', [flag, name]).stdout), 10))
    if (uid !== undefined && gid !== undefined && uid > 0 && gid > 0) return { uid, gid }
  }
  throw new Error(`Postgres does not run as root, and this machine has none of the users ${USERS.join(', ')}. Add one (useradd --system postgres), run the tests as another user, or set POSTGRES_URL.`)
}

/** A folder for temporary folders that every user may pass through. */
export function temporaryRoot(): string {
  const given = tmpdir()
  for (let folder = given; ; folder = dirname(folder)) {
    if (process.getuid?.() === 0 && (statSync(folder).mode & 0o001) === 0) return '/tmp'
    if (folder === dirname(folder)) break
  }
  accessSync(given, constants.W_OK)
  return given
}
