// The dashboard as people meet it: in a real browser, against a real server, with requests that curl sends.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTab, startBrowser, type Tab } from '../support/browser.js'
import { curl, FOREIGN, LONG_ID, MARKUP_ID, startWorld, type World } from '../support/dashboard.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PAGES = { now: '#/', user: `#/users/ada?tenant=acme`, 'a long name': `#/users/${LONG_ID}`, limits: '#/limits' } as const
const FOCUSABLE = 'a[href], button, input, select, summary, [tabindex="0"]'

let browser: Browser
let world: World
const tabs: Tab[] = []

beforeAll(async () => {
  ;[browser, world] = await Promise.all([startBrowser(), startWorld()])
}, 240_000)

afterEach(async () => {
  const noted = tabs.flatMap((tab) => tab.noted)
  await Promise.all(tabs.splice(0).map(({ context }) => context.close()))
  expect(noted).toEqual([])
})

afterAll(async () => {
  await browser?.close()
  await world?.close()
})

describe('what happens', () => {
  it('is seen arriving without a reload: a hold by curl, settled by curl', async () => {
    const page = await look(world.keys.reader)
    await page.evaluate('window.stays = true')
    const before = await figure(page, 'Spent today')
    const decision = await curl(world.origin, world.keys.check, '/v1/check', { userId: 'cid', model: 'gpt-5', estimatedCost: 0.5 })
    expect(decision).toMatchObject({ allowed: true })
    await page.getByText('cid', { exact: true }).first().waitFor()
    const settled = await curl(world.origin, world.keys.check, `/v1/holds/${String(decision['id'])}/settle`, { cost: 0.4375 })
    expect(settled).toMatchObject({ cost: 0.4375 })

    await ticker(page).filter({ hasText: 'settled' }).filter({ hasText: 'cid' }).filter({ hasText: '$0.4375' }).waitFor()
    await shows(page, usd(cents(before) + 0.4375))
    expect(await page.getByRole('table').getByRole('link', { name: 'cid' }).isVisible()).toBe(true)
    expect(await page.evaluate('window.stays')).toBe(true)
  })

  it('says who is refused, and why', async () => {
    const page = await look(world.keys.reader)
    await curl(world.origin, world.keys.check, '/v1/check', { userId: 'mia', model: 'gpt-5', estimatedCost: 1.5 })
    const line = ticker(page).filter({ hasText: 'BLOCK' }).filter({ hasText: 'mia' })
    await line.waitFor()
    expect(await line.innerText()).toMatch(/daily/)
    const blocked = panel(page, 'Blocked, and why').getByRole('listitem').filter({ hasText: 'mia' })
    await blocked.filter({ hasText: 'daily' }).waitFor()
  })

  it('is told again after the line was cut', async () => {
    const page = await look(world.keys.reader)
    await page.getByText('Live', { exact: true }).first().waitFor()
    await page.context().setOffline(true)
    await lookAgain(page)
    await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor()
    await page.context().setOffline(false)
    await lookAgain(page)
    await page.getByRole('alert').waitFor({ state: 'detached' })
    await page.locator('.line-live').waitFor()
    await curl(world.origin, world.keys.check, '/v1/check', { userId: 'after-the-cut', model: 'gpt-5', estimatedCost: 0.01 })
    await ticker(page).filter({ hasText: 'after-the-cut' }).waitFor()
  })

  it('tells a cost that was recorded from one that was settled', async () => {
    const page = await look(world.keys.reader)
    await curl(world.origin, world.keys.check, '/v1/costs', { userId: 'rec', cost: 0.03, model: 'gpt-5' })
    await ticker(page).filter({ hasText: 'recorded' }).filter({ hasText: 'rec' }).filter({ hasText: '$0.0300' }).waitFor()
  })

  it('says so where the ledger does not have all of the month, and where another answers in the place of the server', async () => {
    const page = await look(world.keys.reader)
    await page.route('**/v1/state', async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...((await response.json()) as object), complete: false, more: { byTenant: { count: 3, spent: 7, calls: 9 }, byTier: { count: 0, spent: 0, calls: 0 }, byModel: { count: 0, spent: 0, calls: 0 }, topSpenders: { count: 0, spent: 0, calls: 0 } } } })
    })
    await lookAgain(page)
    await page.getByRole('note').filter({ hasText: 'does not have all of this month' }).waitFor()
    await panel(page, 'By tenant').getByText('and $7.00 of 3 more').waitFor()
    await page.unrouteAll({ behavior: 'wait' })
    await page.route('**/v1/state', (route) => route.fulfill({ status: 200, contentType: 'text/html', body: '<h1>Sign in</h1>' }))
    await lookAgain(page)
    await page.getByRole('alert').filter({ hasText: 'What answers is not bursar' }).waitFor()
    await page.unrouteAll({ behavior: 'wait' })
    await lookAgain(page)
    await page.getByRole('alert').waitFor({ state: 'detached' })
  })

  it('can be stopped, so that it can be read', async () => {
    const page = await look(world.keys.reader)
    await curl(world.origin, world.keys.check, '/v1/check', { userId: 'first', model: 'gpt-5', estimatedCost: 0.01 })
    await ticker(page).filter({ hasText: 'first' }).waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    await curl(world.origin, world.keys.check, '/v1/check', { userId: 'second', model: 'gpt-5', estimatedCost: 0.01 })
    await page.getByText('2 since you came').waitFor()
    expect(await ticker(page).filter({ hasText: 'second' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Go on' }).click()
    await ticker(page).filter({ hasText: 'second' }).waitFor()
  })
})

describe('who may look', () => {
  it('is asked for a key, told why one will not do, and forgotten on the way out', async () => {
    const { page } = await tab()
    await page.goto(world.origin)
    await page.getByLabel('API key').fill('ключ')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'copy it once more' }).waitFor()
    await page.getByLabel('API key').fill('bursar_0123456789abcdef_nobodys')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').waitFor()
    await page.getByLabel('API key').fill(world.keys.check)
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: 'may not read' }).waitFor()
    await page.getByLabel('API key').fill(world.keys.reader)
    await page.keyboard.press('Enter')
    await page.getByText('Spent today').waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('API key').waitFor()
    expect(await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])')).toBe('[{},{}]')
    expect(await page.getByText('Spent today').count()).toBe(0)
  })

  it('is asked again once the key is revoked, and told why', async () => {
    const { key, token } = await world.server.keys.create({ name: 'for an hour', roles: ['admin'], tenant: 'acme' })
    const page = await look(token, '#/users/ada')
    await panel(page, 'Change').waitFor()
    await world.server.keys.revoke(key.id)
    await expect.poll(async () => (await fetch(`${world.origin}/v1/state`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(401)
    await lookAgain(page)
    await page.getByLabel('API key').waitFor()
    await page.getByRole('alert').filter({ hasText: /key/i }).waitFor()
  })

  it('needs no key on an open server, which says how to begin: with a cost by curl', async () => {
    const open = await startWorld({ isOpen: true })
    try {
      const { page } = await tab({}, open.origin)
      await page.goto(open.origin)
      await page.getByText('Nothing has been spent yet').waitFor()
      expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0)
      await curl(open.origin, undefined, '/v1/costs', { userId: 'ada', cost: 0.25, model: 'gpt-5' })
      await shows(page, '$0.2500')
    } finally {
      await open.close()
    }
  })

  it('sees no forms with a key that may only read', async () => {
    const page = await look(world.keys.reader, PAGES.limits)
    await panel(page, 'In force and to come').getByText('blocks', { exact: true }).first().waitFor()
    expect(await page.locator('main form, main select, main input').count()).toBe(0)
    expect(await page.locator('main').getByRole('button', { name: /Remove|Change/ }).count()).toBe(0)
    await page.goto(`${world.origin}/${PAGES.user}`)
    await panel(page, 'Windows').waitFor()
    expect(await page.locator('main form, main select, main input').count()).toBe(0)
  })

  it("sees the windows of the one user whose key it is, and is offered nothing that the key may not do", async () => {
    const page = await look(world.keys.user)
    const budgets = panel(page, 'Spend against limits')
    await budgets.getByRole('img', { name: /User ada.*monthly/ }).waitFor()
    expect(await page.getByText('Make one').count()).toBe(0)
    await page.getByRole('link', { name: 'Limits' }).click()
    await page.getByText('There is none that this key may see.').waitFor()
  })

  it("sees one tenant alone with that tenant's key", async () => {
    const page = await look(world.keys.tenantReader)
    await page.getByRole('link', { name: 'ada' }).first().waitFor()
    await curl(world.origin, world.keys.check, '/v1/check', { userId: 'bob', tenant: FOREIGN, model: 'gpt-5', estimatedCost: 0.01 })
    await curl(world.origin, world.keys.check, '/v1/check', { userId: 'ada', tenant: 'acme', model: 'gpt-5', estimatedCost: 0.01 })
    await ticker(page).filter({ hasText: 'ada' }).waitFor()
    for (const place of [PAGES.now, PAGES.limits]) {
      await page.goto(`${world.origin}/${place}`)
      await page.getByText('acme').first().waitFor()
      expect(await page.locator('body').innerText()).not.toMatch(new RegExp(`${FOREIGN}|bob|xxxx`))
    }
    await page.goto(`${world.origin}/#/users/bob?tenant=${FOREIGN}`)
    await page.getByRole('alert').filter({ hasText: 'not of that tenant' }).waitFor()
    await page.goto(`${world.origin}/#/users/bob`)
    await page.getByRole('alert').filter({ hasText: 'nothing is known' }).waitFor()
  })
})

describe('changes', () => {
  it("sets a tier, sets and clears an override, makes a limit, and says what is wrong with one", async () => {
    const { tracker } = world.engine
    const kim = { userId: 'kim', tenant: 'acme' }
    await curl(world.origin, world.keys.admin, '/v1/costs', { ...kim, cost: 0.1, model: 'gpt-5' })
    const page = await look(world.keys.tenant, '#/users/kim')
    const change = panel(page, 'Change')

    await change.getByLabel('New tier').selectOption('pro')
    await change.getByRole('button', { name: 'Set tier' }).click()
    await change.getByText('The tier is pro now.').waitFor()
    expect(await tracker.getUserTier(kim)).toBe('pro')
    await page.locator('.facts').getByText('set for this user').waitFor()

    const override = change.getByRole('form', { name: 'Set an override' })
    await override.getByLabel('Amount').fill('-3')
    await override.getByRole('button').click()
    await override.getByRole('alert').filter({ hasText: '"-3" is no amount' }).waitFor()
    await override.getByLabel('Amount').fill('3.5')
    await override.getByLabel('Until').fill('2020-01-01T00:00')
    await override.getByRole('button').click()
    await override.getByRole('alert').filter({ hasText: /until.*2020/ }).waitFor()
    expect(await tracker.getUserOverrides(kim)).toEqual([])
    await override.getByLabel('Until').fill('2099-01-01T00:00')
    await override.getByRole('button').click()
    await override.getByText('The daily override is in force.').waitFor()
    expect(await tracker.getUserOverrides(kim)).toMatchObject([{ period: 'daily', unit: 'usd', limit: 3.5 }])
    await panel(page, 'Overrides').getByText('$3.50').waitFor()
    await panel(page, 'Overrides').getByRole('button', { name: 'Clear' }).click()
    await panel(page, 'Overrides').getByRole('button', { name: 'Yes, clear' }).click()
    await page.getByText('Nothing is set for this user alone.').waitFor()
    expect(await tracker.getUserOverrides(kim)).toEqual([])

    const limit = change.getByRole('form', { name: 'Make a limit' })
    await limit.getByLabel('Amount').fill('40')
    await limit.getByLabel('Of').selectOption('requests')
    await limit.getByLabel('Period').selectOption('rolling')
    await limit.getByRole('button').click()
    await limit.getByRole('alert').filter({ hasText: 'Length' }).waitFor()
    await limit.getByLabel('Length').fill('1h')
    await limit.getByRole('button').click()
    await limit.getByText('The any 1h limit is in force').waitFor()
    const [made] = (await tracker.limits.list()).filter(({ scope }) => scope.id === 'kim')
    expect(made).toMatchObject({ scope: { kind: 'user', id: 'kim', tenant: 'acme' }, budget: { rolling: { '1h': { requests: 40 } } } })
  })

  it('makes, changes and removes a limit, asking once more before', async () => {
    const { limits } = world.engine.tracker
    const page = await look(world.keys.admin, PAGES.limits)
    const form = page.getByRole('form', { name: 'Make a limit' })
    await form.getByLabel('Whom').selectOption('tier')
    await form.getByLabel('Tier').selectOption('enterprise')
    await form.getByLabel('Amount').fill('123')
    await form.getByLabel('Period').selectOption('weekly')
    await form.getByLabel('What for').fill('<i>a trial</i>')
    await form.getByRole('button', { name: 'Make limit' }).click()
    await form.getByText('The limit is made.').waitFor()
    const found = async () => (await limits.list()).find(({ scope }) => scope.kind === 'tier')
    expect(await found()).toMatchObject({ budget: { weekly: 123 }, mode: 'block' })

    const row = page.locator('.limit').filter({ hasText: '<i>a trial</i>' })
    await row.getByRole('button', { name: 'Change' }).click()
    const change = row.getByRole('form')
    expect([await change.getByLabel('Amount').inputValue(), await change.getByLabel('Of').inputValue(), await change.getByLabel('Period').inputValue()]).toEqual(['123', 'usd', 'weekly'])
    await change.getByLabel('Amount').fill('150')
    await change.getByLabel('Does').selectOption('alert')
    await change.getByRole('button', { name: 'Save' }).click()
    await row.locator('.limit-says').getByText('$150.00 weekly').waitFor()
    expect(await found()).toMatchObject({ budget: { weekly: 150 }, mode: 'alert' })

    await row.getByRole('button', { name: 'Remove' }).click()
    await row.getByRole('button', { name: 'Keep' }).click()
    expect(await found()).toBeDefined()
    await row.getByRole('button', { name: 'Remove' }).click()
    await row.getByRole('button', { name: 'Yes, remove' }).click()
    await row.waitFor({ state: 'detached' })
    expect(await found()).toBeUndefined()
  })

  it('puts one amount of a limit in the place of another, and takes one of several away', async () => {
    const { limits } = world.engine.tracker
    await limits.create({ id: 'several', scope: { kind: 'user', id: 'ada', tenant: 'acme' }, budget: { weekly: { usd: 70, requests: 500 }, rolling: { '5h': 9 } }, mode: 'alert', until: new Date('2098-03-01T12:00:30Z') })
    const page = await look(world.keys.admin, PAGES.limits)
    const row = page.locator('[data-limit="several"]')
    await row.getByRole('button', { name: 'Change' }).click()
    const form = row.getByRole('form')
    await form.getByLabel('Change').selectOption({ label: '$9.00 any 5h' })
    expect(await form.getByLabel('Length').inputValue()).toBe('5h')
    await form.getByLabel('Change').selectOption({ label: '500 requests weekly' })
    await form.getByLabel('Amount').fill('40')
    await form.getByLabel('Period').selectOption('daily')
    await form.getByRole('button', { name: 'Save' }).click()
    await row.locator('.limit-says').getByText('40 requests daily, $70.00 weekly, $9.00 any 5h').waitFor()
    expect((await limits.get('several'))?.budget).toEqual({ daily: { requests: 40 }, weekly: 70, rolling: { '5h': 9 } })
    expect(await limits.get('several')).toMatchObject({ mode: 'alert', until: new Date('2098-03-01T12:00:30Z') })

    await row.getByRole('button', { name: 'Take away $9.00 any 5h' }).click()
    await row.getByRole('button', { name: 'Yes, take away' }).click()
    await row.locator('.limit-says').filter({ hasNotText: '5h' }).waitFor()
    expect((await limits.get('several'))?.budget).toEqual({ daily: { requests: 40 }, weekly: 70, rolling: {} })
    await limits.remove('several')
  })

  it('sends nothing while a date is half entered, and reads it in the zone of the budgets', async () => {
    const { tracker } = world.engine
    const zoe = { userId: 'zoe', tenant: 'acme' }
    await curl(world.origin, world.keys.admin, '/v1/costs', { ...zoe, cost: 0.1 })
    const page = await look(world.keys.admin, '#/users/zoe?tenant=acme', { timezoneId: 'America/Los_Angeles', locale: 'en-US' })
    const form = page.getByRole('form', { name: 'Set an override' })
    await form.getByLabel('Amount').fill('500')
    await form.getByLabel('Until').focus()
    await page.keyboard.type('12012098')
    await form.getByRole('button').click()
    await form.getByRole('alert').filter({ hasText: 'Until: is only half entered' }).waitFor()
    expect(await tracker.getUserOverrides(zoe)).toEqual([])
    await form.getByLabel('Until').fill('2098-12-01T00:00')
    await form.getByText('1 Dec 2098, 00:00 UTC in UTC').waitFor()
    await form.getByRole('button').click()
    await form.getByText('The daily override is in force.').waitFor()
    expect(await tracker.getUserOverrides(zoe)).toMatchObject([{ limit: 500, until: new Date('2098-12-01T00:00:00Z') }])

    await form.getByLabel('Amount').fill('0x10')
    await form.getByRole('button').click()
    await form.getByRole('alert').filter({ hasText: '"0x10" is no amount' }).waitFor()
    await form.getByLabel('Amount').fill('8')
    await form.getByRole('button').click()
    await form.getByText('The daily override is set: the one that is there until').waitFor()
    const overrides = panel(page, 'Overrides')
    expect(await overrides.getByRole('listitem').allInnerTexts()).toEqual([expect.stringMatching(/\$500\.00 .*in force/s), expect.stringMatching(/\$8\.00 .*after that/s)])
    await overrides.getByRole('button', { name: 'Clear the daily override with an end' }).click()
    await overrides.getByRole('button', { name: 'Yes, clear' }).click()
    await overrides.getByText('in force').filter({ hasNotText: '$500' }).waitFor()
    await overrides.getByText('$500.00').waitFor({ state: 'detached' })
    expect(await tracker.getUserOverrides(zoe)).toMatchObject([{ limit: 8, until: null }])
  })

  it('are offered to a tenant only where the server lets it set budgets', async () => {
    const strict = await startWorld({ tenantsManageBudgets: false })
    try {
      const { page } = await tab({}, strict.origin)
      await page.goto(`${strict.origin}/#/users/ada`)
      await enter(page, strict.keys.tenant, panel(page, 'Change'))
      expect(await panel(page, 'Change').getByRole('form').count()).toBe(1)
      await panel(page, 'Change').getByText('set by whoever runs the server').waitFor()
    } finally {
      await strict.close()
    }
  })

  it('leave a long list as far unfolded as it was, with a bar for each limit', async () => {
    const long = await startWorld({ isOpen: true })
    try {
      for (let index = 0; index < 130; index += 1) await long.engine.tracker.limits.create({ id: `limit-${String(index).padStart(3, '0')}`, scope: { kind: 'user', id: `user-${index}` }, budget: { monthly: 10 + index } })
      const { page } = await tab({}, long.origin)
      await page.goto(`${long.origin}/#/limits`)
      await page.getByRole('button', { name: 'Show more' }).click()
      const last = page.locator('[data-limit="limit-129"]')
      await last.scrollIntoViewIfNeeded()
      await last.getByRole('img', { name: /0% used/ }).waitFor()
      await last.getByRole('button', { name: 'Change' }).click()
      await last.getByLabel('Amount').fill('1000')
      await last.getByRole('button', { name: 'Save' }).click()
      await last.locator('.limit-says').filter({ hasText: '$1,000.00 monthly' }).waitFor()
      expect(await page.locator('.limit').count()).toBe(130)
    } finally {
      await long.close()
    }
  })

  it("offers a tenant's key what is the tenant's, and says what is missing", async () => {
    const page = await look(world.keys.tenant, PAGES.limits)
    const form = page.getByRole('form', { name: 'Make a limit' })
    expect(await form.getByLabel('Whom').locator('option').allInnerTexts()).toEqual(['one user', 'each user, apart', 'the whole tenant'])
    await form.getByRole('button', { name: 'Make limit' }).click()
    await form.getByRole('alert').filter({ hasText: 'Amount: is empty' }).waitFor()
  })
})

describe('everybody can read it', () => {
  it.each(['light', 'dark'] as const)('has nothing that axe objects to, in %s', async (colorScheme) => {
    const { page } = await tab({ colorScheme, bypassCSP: true, reducedMotion: 'reduce' })
    await page.goto(world.origin)
    await page.getByLabel('API key').waitFor()
    await page.evaluate(AXE)
    expect(await violations(page)).toEqual([])
    await enter(page, world.keys.admin)
    for (const [name, place] of Object.entries(PAGES)) {
      await go(page, place)
      for (const summary of (await page.locator('main details summary').all()).slice(0, 4)) await summary.click()
      expect({ [name]: await violations(page) }).toEqual({ [name]: [] })
    }
  })

  it('never scrolls sideways on a phone', async () => {
    const { page } = await tab({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
    await page.goto(world.origin)
    await page.getByLabel('API key').waitFor()
    expect(await overflow(page)).toEqual([])
    await enter(page, world.keys.admin)
    for (const place of [...Object.values(PAGES), `#/users/${encodeURIComponent(MARKUP_ID)}`]) {
      await go(page, place)
      expect(await overflow(page)).toEqual([])
    }
  })

  it('shows what others have named as text, whatever it is', async () => {
    const page = await look(world.keys.reader, `#/users/${encodeURIComponent(MARKUP_ID)}`)
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toBe(MARKUP_ID)
    await panel(page, 'Last decisions').locator('.activity-what').getByText('<b>model</b>').first().waitFor()
    expect(await page.locator('main img, main b:text-is("model")').count()).toBe(0)
  })

  it('unfolds why a decision was made', async () => {
    const page = await look(world.keys.reader, '#/users/eve?tenant=acme')
    const line = panel(page, 'Last decisions').getByRole('listitem').filter({ hasText: 'BLOCK' }).first()
    await line.locator('summary').click()
    expect(await line.locator('pre').innerText()).toMatch(/daily/)
  })

  it('is light or dark as one wants, and stays so', async () => {
    const page = await look(world.keys.reader)
    const ground = (): Promise<unknown> => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const light = await ground()
    await page.getByRole('button', { name: /^Colours: system/ }).click()
    expect(await ground()).toBe(light)
    await page.getByRole('button', { name: /^Colours: light/ }).click()
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.reload()
    await page.getByText('Spent today').waitFor()
    expect(await ground()).toBe(dark)
  })
})

describe('the keyboard', () => {
  it.each(Object.entries(PAGES))('reaches every control of the page %s, and shows where it is', async (_name, place) => {
    const page = await look(world.keys.admin, place)
    await page.locator('main .panel').nth(1).waitFor()
    await page.evaluate(`document.activeElement.blur(); document.querySelectorAll('${FOCUSABLE}').forEach((each, index) => { each.dataset.place = index })`)
    const wanted = (await page.evaluate(`[...document.querySelectorAll('${FOCUSABLE}')].filter((each) => each.checkVisibility()).map((each) => each.dataset.place)`)) as string[]
    const reached = new Set<string | undefined>()
    const unseen: string[] = []
    // Fields for an instant have several stops each.
    for (let step = 0; step < wanted.length + 60; step += 1) {
      await page.keyboard.press('Tab')
      const [at, isSeen, what] = (await page.evaluate(`(() => { const e = document.activeElement; const s = getComputedStyle(e); return [e.dataset.place, s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0, e.outerHTML.slice(0, 80)] })()`)) as [string | undefined, boolean, string]
      if (at !== undefined && reached.has(at) && reached.size >= wanted.length) break
      reached.add(at)
      if (at !== undefined && !isSeen) unseen.push(what)
    }
    expect(wanted.filter((each) => !reached.has(each))).toEqual([])
    expect(unseen).toEqual([])
  })

  it('works alone: skips to the content, finds a user, reads a plot, takes a limit away', async () => {
    const { limits } = world.engine.tracker
    await limits.create({ id: 'by-keyboard', scope: { kind: 'user', id: 'ada', tenant: 'acme' }, budget: { weekly: 77 } })
    const page = await look(world.keys.admin)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.id')).toBe('main')

    await page.getByRole('img', { name: 'Decisions by hour' }).focus()
    await page.keyboard.press('End')
    await page.locator('.tip').filter({ hasText: /ALLOW \d+, WARN \d+, DEGRADE \d+, BLOCK \d+/ }).waitFor()

    await page.getByLabel('User id', { exact: true }).focus()
    await page.keyboard.type('ada')
    await page.keyboard.press('Tab')
    await page.keyboard.type('acme')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'ada' }).waitFor()

    await page.getByRole('navigation').getByRole('link', { name: 'Limits' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Remove limit by-keyboard' }).focus()
    await page.keyboard.press('Enter')
    await page.locator('button.danger:focus').waitFor()
    await page.keyboard.press('Enter')
    await page.locator('[data-limit="by-keyboard"]').waitFor({ state: 'detached' })
    expect((await limits.list()).some(({ id }) => id === 'by-keyboard')).toBe(false)
  })
})

async function tab(options: BrowserContextOptions = {}, origin = world.origin): Promise<Tab> {
  const opened = await openTab(browser, origin, options)
  tabs.push(opened)
  return opened
}

/** A page of its own, as whoever has that key sees it. */
async function look(key: string, place = '#/', options: BrowserContextOptions = {}): Promise<Page> {
  const { page, context } = await tab(options)
  await context.addInitScript(`if (location.protocol !== 'about:' && !sessionStorage.getItem('bursar-key')) sessionStorage.setItem('bursar-key', ${JSON.stringify(key)})`)
  await go(page, place)
  await page.locator('.line-live').waitFor()
  return page
}

async function go(page: Page, place: string): Promise<void> {
  if (page.url().startsWith(world.origin)) await page.evaluate(`location.hash = ${JSON.stringify(place)}`)
  else await page.goto(`${world.origin}/${place}`)
  await page.locator(place === '#/' ? '.headline' : '.page-head').waitFor()
  await page.locator('main .panel').first().waitFor()
  await page.getByText('Looking …').waitFor({ state: 'detached' })
}

async function enter(page: Page, key: string, then = page.getByText('Spent today')): Promise<void> {
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Look' }).click()
  await then.waitFor()
}

/** As when somebody comes back to the tab: everything is asked for at once. */
async function lookAgain(page: Page): Promise<void> {
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
}

function panel(page: Page, name: string) {
  return page.getByRole('region', { name, exact: true })
}

function ticker(page: Page) {
  return panel(page, 'Live').getByRole('listitem')
}

/** Waits until so much was spent today. */
async function shows(page: Page, spentToday: string): Promise<void> {
  await page.locator('.figure-main .value').getByText(spentToday, { exact: true }).waitFor()
}

async function figure(page: Page, name: string): Promise<string> {
  return page.locator('.figure').filter({ hasText: name }).locator('.value').innerText()
}

function cents(text: string): number {
  return Number(text.replace(/[$,]/g, ''))
}

function usd(value: number): string {
  return `$${(Math.round(value * 100) / 100).toFixed(2)}`
}

async function violations(page: Page): Promise<unknown> {
  return page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.slice(0, 3).map(({ html, failureSummary }) => html.slice(0, 160) + ' ' + failureSummary)]))`)
}

/** What makes a page wider than its window. */
async function overflow(page: Page): Promise<unknown> {
  return page.evaluate(`document.documentElement.scrollWidth <= document.documentElement.clientWidth ? [] : [document.documentElement.scrollWidth, ...[...document.querySelectorAll('main *, header *')].filter((each) => each.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((each) => each.outerHTML.slice(0, 120))]`)
}
