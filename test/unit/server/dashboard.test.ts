// How the files of the dashboard are served. What they do in a browser is tested in one.

import { readdirSync } from 'node:fs'
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dashboardFrom } from '../../../src/server/routes/dashboard.js'
import { testApp } from '../../support/server/app.js'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bursar-dashboard-'))
  await mkdir(join(folder, 'app/assets'), { recursive: true })
  await writeFile(join(folder, 'secret.txt'), 'not for you')
  await writeFile(join(folder, 'app/index.html'), '<!doctype html>')
  await writeFile(join(folder, 'app/favicon.svg'), '<svg/>')
  await writeFile(join(folder, 'app/assets/index-Abc123.js'), 'export {}')
})

afterEach(() => rm(folder, { recursive: true, force: true }))

describe('the files of the dashboard', () => {
  it('are served as what they are, with a policy that allows nothing inline and nobody else', async () => {
    const app = dashboardFrom(join(folder, 'app'))
    for (const [path, type, text] of [
      ['/', 'text/html; charset=utf-8', '<!doctype html>'],
      ['/favicon.svg', 'image/svg+xml', '<svg/>'],
      ['/assets/index-Abc123.js', 'text/javascript; charset=utf-8', 'export {}'],
    ] as const) {
      const answer = await app.request(path)
      expect([answer.status, answer.headers.get('content-type'), await answer.text()]).toEqual([200, type, text])
      const policy = answer.headers.get('content-security-policy') ?? ''
      expect(policy).toMatch(/default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/)
      expect(policy).not.toMatch(/unsafe|\*|https?:/)
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
  })

  it('are kept for ever where their name has a hash, and asked for again where not', async () => {
    const app = dashboardFrom(join(folder, 'app'))
    const kept = async (path: string) => (await app.request(path)).headers.get('cache-control')
    expect(await kept('/assets/index-Abc123.js')).toMatch(/max-age=31536000, immutable/)
    expect(await kept('/')).toBe('no-cache')
    expect(await kept('/favicon.svg')).toBe('no-cache')
  })

  it.each(['/../secret.txt', '/assets/../../secret.txt', '/assets/%2e%2e/%2e%2e/secret.txt', '/assets/..%2f..%2fsecret.txt', '//etc/passwd', '/assets/', '/index.html', '/assets/index-Abc123.js/'])('are no way to %s', async (path) => {
    const app = dashboardFrom(join(folder, 'app'))
    expect((await app.request(`http://bursar.test${path}`)).status).toBe(404)
  })

  it('say what to do where they were never built', async () => {
    const answer = await dashboardFrom(undefined).request('/')
    expect(answer.status).toBe(503)
    expect(await answer.text()).toContain('npm run build')
  })
})

describe('the dashboard of a whole server', () => {
  it('is served without a key, as it was built', async () => {
    const { ask, close } = testApp()
    const page = await ask(undefined, 'GET', '/')
    expect(page.status, 'run npm run build first').toBe(200)
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self'")
    const files = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string)
    expect(files.length).toBeGreaterThanOrEqual(3)
    for (const file of files) expect((await ask(undefined, 'GET', file)).status).toBe(200)
    await close()
  })

  it('has nothing inline, and asks nobody else', async () => {
    const { ask, close } = testApp()
    const { text } = await ask(undefined, 'GET', '/')
    expect(text).not.toMatch(/<style|style="|<script(?![^>]* src=)|https?:| on\w+="/)
    const built = readdirSync(new URL('../../../dist/src/dashboard/app/assets/', import.meta.url))
    expect(built.filter((name) => !/-[\w-]{8,}\.(js|css|svg)$/.test(name))).toEqual([])
    await close()
  })
})
