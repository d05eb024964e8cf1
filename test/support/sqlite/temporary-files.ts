// Files that a test may leave lying about: each in a folder of its own that is removed with everything in it.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Paths of files that are not there yet, and what has to be closed before they go. */
export interface TemporaryFiles {
  /** A path in a new folder. */
  path(name?: string): string
  /** The same object, closed when everything is removed. */
  closedLater<T extends { close(): unknown }>(opened: T): T
  /** Closes and removes everything so far. */
  removeAll(): void
}

/** Files of one test file: call `removeAll` after each test. */
export function temporaryFiles(): TemporaryFiles {
  const folders: string[] = []
  const opened: { close(): unknown }[] = []
  return {
    path(name = 'bursar.db') {
      const folder = mkdtempSync(join(tmpdir(), 'bursar-sqlite-'))
      folders.push(folder)
      return join(folder, name)
    },
    closedLater(each) {
      opened.push(each)
      return each
    },
    removeAll() {
      for (const each of opened.splice(0)) each.close()
      for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
    },
  }
}
