// Where the browser of the tests comes from: Chromium on this machine, else Debian's package where it can be installed, else an error that says
// what to install. And a page that notes what must not happen on it.

import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core'
import { foundOrInstalled, onPath } from './debian.js'

const REMEDY = 'Install Chromium (Debian: apt-get install chromium), or set CHROMIUM to the path of one.'

/** Starts a browser. Rejects with what to install; the tests then fail. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: await program(), args: ['--no-sandbox', '--disable-dev-shm-usage'] })
}

/** A page with a context of its own, and what was noted on it. */
export interface Tab {
  readonly page: Page
  readonly context: BrowserContext
  /** What must not happen: requests that leave the origin, breaches of the content security policy, errors of scripts and of the console. */
  readonly noted: string[]
}

/** Opens a tab. Answers that are problems are no errors of the page: the browser's own lines about them are left out. */
export async function openTab(browser: Browser, origin: string, options: BrowserContextOptions = {}): Promise<Tab> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const noted: string[] = []
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('request', (request) => {
    if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:')) noted.push(`request: ${request.url()}`)
  })
  page.on('console', (message) => {
    const isOfNetwork = message.text().startsWith('Failed to load resource: ')
    if (['error', 'warning'].includes(message.type()) && !isOfNetwork) noted.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => noted.push(`script: ${error.message}`))
  return { page, context, noted }
}

async function program(): Promise<string> {
  const named = process.env['CHROMIUM']
  return named !== undefined && named !== '' ? named : foundOrInstalled(() => onPath('chromium', 'chromium-browser', 'google-chrome'), 'chromium', REMEDY)
}
