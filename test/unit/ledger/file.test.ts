// Files that are whole or not there, and what is never written over.

import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile as put } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeFile } from '../../../src/ledger/index.js'
import { CostTracker } from '../../../src/index.js'
import { sqliteLedger, sqliteStore } from '../../../src/store/sqlite/index.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bursar-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function* pieces(...all: readonly string[]): AsyncIterable<string> {
  yield* all
}

const unread: AsyncIterable<string> = {
  [Symbol.asyncIterator]: () => {
    throw new Error('read')
  },
}

describe('a file that is replaced', () => {
  it('keeps its permissions, whatever a new one would have', async () => {
    for (const mode of [0o600, 0o666, 0o755]) {
      const path = join(folder, 'a.csv')
      await put(path, 'old')
      await chmod(path, mode)
      await writeFile(path, pieces('n', 'ew'))
      expect([(await stat(path)).mode & 0o777, await readFile(path, 'utf8')]).toEqual([mode, 'new'])
    }
    expect(await readdir(folder)).toEqual(['a.csv'])
  })

  it('stays where links lead, which stay links', async () => {
    await put(join(folder, 'real'), 'old')
    await symlink('real', join(folder, 'link'))
    await symlink('link', join(folder, 'link of a link'))
    await symlink('not yet', join(folder, 'early'))
    await writeFile(join(folder, 'link of a link'), pieces('new'))
    await writeFile(join(folder, 'early'), pieces('first'))
    for (const name of ['link', 'link of a link', 'early']) expect((await lstat(join(folder, name))).isSymbolicLink()).toBe(true)
    expect([await readFile(join(folder, 'real'), 'utf8'), await readFile(join(folder, 'not yet'), 'utf8')]).toEqual(['new', 'first'])
    expect((await readdir(folder)).sort()).toEqual(['early', 'link', 'link of a link', 'not yet', 'real'])
  })

  it('is the last that links lead to, also where it is not there yet', async () => {
    await symlink('second', join(folder, 'first'))
    await symlink('third', join(folder, 'second'))
    await symlink(join(folder, 'not yet'), join(folder, 'third'))
    await writeFile(join(folder, 'first'), pieces('new'))
    for (const name of ['first', 'second', 'third']) expect((await lstat(join(folder, name))).isSymbolicLink()).toBe(true)
    expect(await readFile(join(folder, 'not yet'), 'utf8')).toBe('new')
    expect((await readdir(folder)).sort()).toEqual(['first', 'not yet', 'second', 'third'])
  })

  it('is looked for from the folder that a link is really in', async () => {
    await mkdir(join(folder, 'real', 'deep'), { recursive: true })
    await mkdir(join(folder, 'far', 'away'), { recursive: true })
    await symlink('real/deep', join(folder, 'linked'))
    await symlink('../above', join(folder, 'real', 'deep', 'up'))
    await symlink('../../far/away', join(folder, 'real', 'deep', 'off'))
    await symlink('off/../beside', join(folder, 'real', 'deep', 'through'))
    await writeFile(join(folder, 'linked', 'up'), pieces('above'))
    await writeFile(join(folder, 'linked', 'through'), pieces('beside'))
    expect([await readFile(join(folder, 'real', 'above'), 'utf8'), await readFile(join(folder, 'far', 'beside'), 'utf8')]).toEqual(['above', 'beside'])
    expect((await readdir(folder)).sort()).toEqual(['far', 'linked', 'real'])
    expect((await readdir(join(folder, 'real', 'deep'))).sort()).toEqual(['off', 'through', 'up'])
  })

  it('is behind as many links as a system follows', async () => {
    for (let link = 0; link < 41; link += 1) await symlink(`${link + 1}`, join(folder, `${link}`))
    await expect(writeFile(join(folder, '0'), unread)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('more than 40') as unknown })
    await writeFile(join(folder, '1'), pieces('new'))
    expect(await readFile(join(folder, '41'), 'utf8')).toBe('new')
  })
})

describe('what is not replaced', () => {
  it('is a link in a circle', async () => {
    await symlink('loop', join(folder, 'loop'))
    await symlink('pong', join(folder, 'ping'))
    await symlink('ping', join(folder, 'pong'))
    for (const name of ['loop', 'ping', 'loop/a.csv']) {
      const path = join(folder, name)
      await expect(writeFile(path, unread)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(`^path: ${path} leads through links in a circle`) as unknown })
    }
    const tracker = new CostTracker({ tiers: { free: { daily: 10 } }, defaultTier: 'free' })
    await expect(tracker.exportToSqlite(join(folder, 'loop'))).rejects.toMatchObject({ code: 'INVALID_CONFIG', message: expect.stringContaining('in a circle') as unknown })
    expect((await readdir(folder)).sort()).toEqual(['loop', 'ping', 'pong'])
  })

  it.each(['exportToCsv', 'exportToJson', 'exportToJsonLines', 'exportToSqlite'] as const)('is the database of a store, open or closed: by %s', async (method) => {
    const path = join(folder, 'live.db')
    const store = sqliteStore({ path })
    const tracker = new CostTracker({ tiers: { free: { daily: 10 } }, defaultTier: 'free', store })
    await tracker.addCost({ userId: 'u', cost: 1 })
    const refused = { code: expect.stringMatching(/^INVALID_(REQUEST|CONFIG)$/) as unknown, message: expect.stringMatching(/Give another path/) as unknown }
    await symlink('live.db', join(folder, 'link'))
    for (const name of ['live.db', 'link']) await expect(tracker[method](join(folder, name))).rejects.toMatchObject(refused)
    await store.close()
    const other = new CostTracker({ tiers: { free: { daily: 10 } }, defaultTier: 'free' })
    for (const name of ['live.db', 'link']) await expect(other[method](join(folder, name))).rejects.toMatchObject(refused)
    const again = sqliteStore({ path })
    expect((await again.ledger.totals()).entries).toBe(1)
    await again.close()
  })

  it('is any other database, and what SQLite keeps beside one, as text', async () => {
    const path = join(folder, 'ledger.db')
    const ledger = sqliteLedger({ path })
    ledger.write([])
    for (const name of ['ledger.db', 'ledger.db-wal', 'ledger.db-shm']) await expect(writeFile(join(folder, name), unread)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(/database/) as unknown })
    ledger.close()
    await expect(writeFile(path, unread)).rejects.toThrow(/is a SQLite database/)
    await expect(writeFile(`${path}-journal`, unread)).rejects.toThrow(/is part of a SQLite database/)
    await put(path, 'SQLite format')
    await writeFile(path, pieces('text'))
    expect(await readFile(path, 'utf8')).toBe('text')
  })

  it.each([undefined, null, 5, '', 'a\0b', '/dev/null'])('is %j, before anything is read', async (path) => {
    await expect(writeFile(path as string, unread)).rejects.toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(/^path: .* is no .*Give the path of a file/) as unknown })
  })

  it('is what a process has open and no file has the name of', async () => {
    const named = async (fd: string): Promise<string> => readlink(`/proc/self/fd/${fd}`).catch(() => '')
    const fds = await readdir('/proc/self/fd')
    const open = (await Promise.all(fds.map(async (fd) => [fd, await named(fd)] as const))).filter(([, name]) => /^(pipe|socket|anon_inode):/.test(name))
    expect(open.length).toBeGreaterThan(0)
    await symlink(`/proc/self/fd/${open[0]?.[0]}`, join(folder, 'link'))
    await expect(writeFile(join(folder, 'link'), unread)).rejects.toThrow(/is no regular file/)
  })

  it('is a folder, or what is in none', async () => {
    await expect(writeFile(folder, unread)).rejects.toThrow(/is a folder/)
    await expect(writeFile(join(folder, 'none', 'a'), unread)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await expect(writeFile(join(folder, 'none/'), unread)).rejects.toThrow(/is a folder/)
    expect(await readdir(folder)).toEqual([])
  })
})
