// A disk that becomes full while the file of the queue is written anew: what was promised is still there afterwards.

import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { InvalidConfigError } from '../../../src/errors/index.js'
import { EndingFile } from '../../../src/outage/ending-file.js'
import { START } from '../setting.js'

const folder = mkdtempSync(join(tmpdir(), 'bursar-full-disk-'))
const path = join(folder, 'endings')
const fs = process.getBuiltinModule('node:fs')
const writeSync = fs.writeSync.bind(fs)

/** Writes at most `most` bytes at a time, and altogether no more than `room`. */
function disk(most: number, room = Infinity): void {
  let left = room
  const short = (file: number, data: string | Uint8Array, offset = 0, length?: number): number => {
    const bytes = Buffer.from(data as string).subarray(offset, length === undefined ? undefined : offset + length)
    if (left === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const written = writeSync(file, bytes, 0, Math.min(bytes.length, most, left))
    left -= written
    return written
  }
  vi.spyOn(fs, 'writeSync').mockImplementation(short as typeof fs.writeSync)
}

beforeEach(async () => {
  rmSync(path, { force: true })
  const file = new EndingFile(path)
  await Promise.all(['a', 'b', 'c'].map((id) => file.add({ id, at: START, kind: 'settle', microcents: 5 })))
  await file.close()
  // As after a replay that was interrupted: the next one to open it writes it anew.
  appendFileSync(path, '{"done":"a"}\n')
})
afterEach(() => void vi.restoreAllMocks())
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a file that is written anew', () => {
  it('stays as it was where the disk has no room for all of it, says so, and leaves nothing beside it', async () => {
    const before = readFileSync(path, 'utf8')
    disk(Infinity, 60)
    let failure: unknown
    try {
      void new EndingFile(path)
    } catch (error) {
      failure = error
    }
    expect(failure).toBeInstanceOf(InvalidConfigError)
    expect((failure as Error).message).toMatch(/^settleQueue\.path: .*endings cannot be used \(ENOSPC.*whose disk has room/)
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readdirSync(folder)).toEqual(['endings'])
    vi.restoreAllMocks()
    const again = new EndingFile(path)
    expect(again.left.map(({ id }) => id)).toEqual(['b', 'c'])
    await again.close()
  })

  it('is whole where the disk takes it bit by bit', async () => {
    disk(7)
    await new EndingFile(path).close()
    vi.restoreAllMocks()
    const again = new EndingFile(path)
    expect(again.left.map(({ id }) => id)).toEqual(['b', 'c'])
    await again.close()
  })

  it('fails where the disk takes nothing and says nothing', () => {
    const before = readFileSync(path, 'utf8')
    disk(0)
    expect(() => new EndingFile(path)).toThrow(/the disk takes no more bytes/)
    expect(readFileSync(path, 'utf8')).toBe(before)
    expect(readdirSync(folder)).toEqual(['endings'])
  })
})
