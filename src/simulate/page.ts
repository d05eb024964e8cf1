// A simulation as one page that needs nothing else: no network, no server. Whatever the log says is text here, never markup and never code.

import { InvalidConfigError } from '../errors/index.js'
import { SCRIPT } from './page-script.js'
import { STYLE } from './page-style.js'
import type { ColumnReport, Simulation } from './report.js'
import { COMPARED, counted, daysRule, leftOut, money, share, whole } from './text.js'

/** Options of {@link renderPage}. */
export interface PageOptions {
  /** Default `Simulation`. */
  readonly title?: string | undefined
}

type Key = 'spent' | 'blocked' | 'degraded' | 'warned' | 'reached'

const COLOURS = 8
const MOST_ROWS = 20
const DASHES = ['', '', '7 3', '2 3', '9 3 2 3', '12 4', '4 4', '1 4']
const LABELS: Readonly<Record<Key, string>> = {
  spent: 'Money spent on each day, in USD',
  blocked: 'Requests blocked on each day',
  degraded: 'Requests degraded to a cheaper model on each day',
  warned: 'Requests warned on each day',
  reached: 'Users who have been blocked at least once, up to each day',
}

/**
 * Writes a simulation as one HTML file, with plots by uPlot inside it. Its content security policy allows its own script alone. Needs
 * Node. Throws `InvalidConfigError` for an option that is none.
 */
export async function renderPage(simulation: Simulation, options: PageOptions = {}): Promise<string> {
  for (const name of Object.keys(options)) if (name !== 'title') throw new InvalidConfigError(`options.${name}: is no known option. Use title.`)
  const { title = 'Simulation' } = options
  const { script, style } = await plotLibrary()
  const code = `${script}\n${SCRIPT}`
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${await digest(code)}'; base-uri 'none'; form-action 'none'`
  const columns = [simulation.log, ...simulation.candidates]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${text(title)}</title><style>${style}${STYLE}</style></head>
<body><main>
<header><h1>${text(title)}</h1>${sourceLine(simulation)}</header>
<section class="cards" aria-label="Summary">${columns.map((column, index) => card(column, index)).join('')}</section>
${problems(simulation)}
<h2>Day by day</h2><div class="plots">${plots(simulation, columns)}</div>
<h2>Spend by tier</h2><section class="box">${tiers(columns)}</section>
<h2>Side by side</h2><section class="box wide">${comparison(simulation, columns)}</section>
<h2>Who would notice</h2><section class="box">${simulation.candidates.map((column, index) => affected(column, index)).join('')}</section>
${columns.some(({ differences }) => differences.total > 0) ? `<h2>Other than in the log</h2><section class="box">${simulation.candidates.map(differences).join('')}</section>` : ''}
<h2>What was assumed</h2><section class="box"><ul class="rules">${[...simulation.rules, daysRule(simulation)].map((rule) => `<li>${text(rule)}</li>`).join('')}</ul></section>
<footer>Made with bursar: ${counted(simulation.speed.decisions, 'decision')} in ${(simulation.speed.elapsedMs / 1_000).toFixed(1)} s, ${whole(simulation.speed.decisionsPerSecond)} a second.</footer>
</main><script type="application/json" id="data">${embedded(plotData(columns))}</script><script>${code}</script></body></html>
`
}

function sourceLine({ source, timeZone }: Simulation): string {
  const { name, requests, users, from, until } = source
  const when = from === undefined || until === undefined ? '' : `, ${dateOf(from, timeZone)} to ${dateOf(until, timeZone)}`
  return `<p class="sub">${id(name)}: ${counted(requests, 'request')} of ${counted(users, 'user')}${when}</p>`
}

function card(column: ColumnReport, index: number): string {
  const { name, spent, savedOnLog, blocked, requests, degraded, users, usersBlocked } = column
  const saved = savedOnLog === undefined ? ['what really happened', ''] : savedOnLog === 0 ? ['as in the log', ''] : savedOnLog > 0 ? [`${money(savedOnLog)} less than the log`, 'good'] : [`${money(-savedOnLog)} more than the log`, 'bad']
  return `<article class="card k${index % COLOURS}"><p class="name">${swatch(index)}${id(titleOf(name, index))}</p><p class="big">${money(spent)}</p><p class="sub ${saved[1]}">${saved[0]}</p>
${index === 0 && !decides(column) ? '<p class="sub">The log does not say what was decided.</p></article>' : `<dl><dt>requests blocked</dt><dd>${share(blocked, requests)}</dd><dt>requests degraded</dt><dd>${share(degraded, requests)}</dd><dt>users ever blocked</dt><dd>${whole(usersBlocked)} (${share(usersBlocked, users)})</dd></dl></article>`}`
}

function problems(simulation: Simulation): string {
  const { source, candidates, warnings } = simulation
  const lines = candidates.flatMap(({ name, errors }) => errors.map(({ code, count, row, message }) => `${id(name)}: ${whole(count)} × ${text(code)}, first in row ${row}. ${text(message)}`))
  if (source.skipped.count > 0) lines.push(`${leftOut(simulation)}. ${source.skipped.first.slice(0, 3).map(({ message }) => text(message)).join(' ')}`)
  lines.push(...warnings.map(text))
  if (lines.length === 0) return ''
  return `<h2>Look at this first</h2><section class="box warn"><ul class="rules">${lines.map((line) => `<li>${line}</li>`).join('')}</ul></section>`
}

function plots({ log }: Simulation, columns: readonly ColumnReport[]): string {
  const known = logKnows(log)
  const figure = (key: Key, caption: string): string => {
    const shown = columns.map((column, index) => ({ column, index })).filter(({ index }) => index > 0 || known.includes(key))
    const keys = shown.map(({ column, index }) => `<li class="k${index % COLOURS}"><svg width="26" height="8" aria-hidden="true"><line x1="1" y1="4" x2="25" y2="4" stroke="var(--k)" stroke-width="${index === 0 ? 2 : 3}" stroke-dasharray="${DASHES[index % COLOURS]}"/></svg>${id(titleOf(column.name, index))}</li>`)
    return `<figure><figcaption>${caption}<small>${LABELS[key]}</small></figcaption><ul class="keys">${keys.join('')}</ul>
<div class="plot" tabindex="0" role="img" data-key="${key}" aria-label="${LABELS[key]}. Arrow keys read it day by day; the numbers follow as a table."><div class="tip"></div></div><p class="sr" aria-live="polite"></p>
${numbers(key, shown.map(({ column }) => column), shown.map(({ index }) => index))}</figure>`
  }
  const kinds: readonly Key[] = ['blocked', 'degraded', 'warned']
  const first = kinds.find((key) => columns.some((column) => column[key as 'blocked'] > 0)) ?? 'blocked'
  return [
    figure('spent', 'Money spent'),
    figure('reached', 'Users blocked so far'),
    ...[first, ...kinds.filter((key) => key !== first)].map((key) => figure(key, { blocked: 'Blocked', degraded: 'Degraded', warned: 'Warned' }[key as 'blocked'])),
  ].join('')
}

function numbers(key: Key, columns: readonly ColumnReport[], places: readonly number[]): string {
  const series = columns.map((column) => seriesOf(column, key))
  const show = (value: number): string => (key === 'spent' ? money(value) : whole(value))
  const rows = (columns[0]?.byDay ?? []).map(({ day }, index) => `<tr><th scope="row">${day}</th>${series.map((values) => `<td>${show(values[index] ?? 0)}</td>`).join('')}</tr>`)
  return `<details><summary>Show the numbers</summary><div class="scroll"><table><thead><tr><th scope="col">Day</th>${columns.map(({ name }, index) => `<th scope="col">${id(titleOf(name, places[index] as number))}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`
}

function tiers(columns: readonly ColumnReport[]): string {
  const names = [...new Set(columns.flatMap(({ byTier }) => byTier.toSorted((a, b) => b.spent - a.spent).map(({ tier }) => tier)))]
  if (names.length === 0) return '<p class="tier sub">No requests.</p>'
  const most = Math.max(...columns.flatMap(({ byTier }) => byTier.map(({ spent }) => spent)), 1e-9)
  return names.map((tier) => {
    const bars = columns.map((column, index) => {
      const found = column.byTier.find((each) => each.tier === tier)
      const width = Math.max(0, (100 * (found?.spent ?? 0)) / most)
      const blocked = found === undefined || index === 0 ? '' : `${whole(found.usersBlocked)} of ${counted(found.users, 'user')} blocked`
      return `<div class="bar k${index % COLOURS}"><span>${id(titleOf(column.name, index))}</span><svg preserveAspectRatio="none" viewBox="0 0 100 12" aria-hidden="true"><rect width="${width.toFixed(3)}" height="12" rx=".4"/></svg><span>${money(found?.spent ?? 0)}</span><span>${blocked}</span></div>`
    })
    const users = columns[0]?.byTier.find((each) => each.tier === tier)?.users ?? 0
    return `<div class="tier"><h3>${tier === '' ? 'no tier named' : id(tier)} <small>${counted(users, 'user')}</small></h3>${bars.join('')}</div>`
  }).join('')
}

function comparison(simulation: Simulation, columns: readonly ColumnReport[]): string {
  const head = columns.map(({ name }, index) => `<th scope="col">${swatch(index)}${id(titleOf(name, index))}</th>`).join('')
  const rows = COMPARED.map(([label, read]) => `<tr><th scope="row">${label}</th>${columns.map((column) => `<td>${text(read(column, simulation))}</td>`).join('')}</tr>`)
  const models = [...new Set(columns.flatMap(({ byModel }) => byModel.map(({ model }) => model)))].filter((model) => model !== '').slice(0, MOST_ROWS)
  const byModel = models.map((model) => `<tr><th scope="row">Spent on ${id(model)}</th>${columns.map((column) => `<td>${money(column.byModel.find((each) => each.model === model)?.spent ?? 0)}</td>`).join('')}</tr>`)
  return `<table><thead><tr><td></td>${head}</tr></thead><tbody>${rows.join('')}${byModel.join('')}</tbody></table>`
}

function affected({ name, affected }: ColumnReport, index: number): string {
  if (affected.length === 0) return `<div class="tier"><h3>${swatch(index + 1)} ${id(name)}</h3><p class="sub">Nobody is warned, degraded or blocked.</p></div>`
  const rows = affected.slice(0, MOST_ROWS).map((user) => `<tr><td class="text">${user.tenant === undefined ? '' : `${id(user.tenant)} / `}${id(user.userId)}</td><td>${id(user.tier)}</td><td>${whole(user.requests)}</td><td>${whole(user.warned)}</td><td>${whole(user.degraded)}</td><td>${whole(user.blocked)}</td><td>${momentOf(user.firstBlockedAt)}</td></tr>`)
  return `<details${index === 0 ? ' open' : ''}><summary><strong>${id(name)}</strong>: those affected most</summary><div class="scroll"><table><thead><tr><th scope="col" class="text">User</th><th scope="col">Tier</th><th scope="col">Requests</th><th scope="col">Warned</th><th scope="col">Degraded</th><th scope="col">Blocked</th><th scope="col">First blocked (UTC)</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`
}

function differences({ name, differences }: ColumnReport): string {
  const rows = differences.first.map(({ row, at, userId, what, log, candidate }) => `<tr><td>${row}</td><td>${momentOf(at)}</td><td class="text">${id(userId)}</td><td>${what}</td><td class="text">${id(log)}</td><td class="text">${id(candidate)}</td></tr>`)
  return `<details><summary><strong>${id(name)}</strong>: ${whole(differences.total)} in all${rows.length < differences.total ? `, the first ${rows.length} of them` : ''}</summary><div class="scroll"><table><thead><tr><th scope="col">Row</th><th scope="col">Time (UTC)</th><th scope="col" class="text">User</th><th scope="col">What</th><th scope="col" class="text">In the log</th><th scope="col" class="text">Here</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></details>`
}

function plotData(columns: readonly ColumnReport[]): object {
  return {
    days: (columns[0]?.byDay ?? []).map(({ day }) => day),
    logKnows: logKnows(columns[0] as ColumnReport),
    columns: columns.map((column, index) => ({ name: shown(titleOf(column.name, index)), ...Object.fromEntries((Object.keys(LABELS) as Key[]).map((key) => [key, seriesOf(column, key)])) })),
  }
}

function seriesOf({ byDay }: ColumnReport, key: Key): number[] {
  let reached = 0
  return byDay.map((day) => (key === 'reached' ? (reached += day.newlyBlocked) : day[key]))
}

/** What the log says at all: a line at nought where it knows of no decisions would be a claim. */
function logKnows(log: ColumnReport): Key[] {
  return decides(log) ? ['spent', 'blocked', 'degraded', 'warned', 'reached'] : ['spent']
}

function decides({ blocked, degraded, warned }: ColumnReport): boolean {
  return blocked + degraded + warned > 0
}

function titleOf(name: string, index: number): string {
  return index === 0 ? 'the log' : name
}

function swatch(index: number): string {
  return `<span class="swatch k${index % COLOURS}" aria-hidden="true"></span>`
}

function momentOf(at: Date | undefined): string {
  return at === undefined ? '–' : at.toISOString().slice(0, 19).replace('T', ' ')
}

function dateOf(at: Date, timeZone: string): string {
  return new Intl.DateTimeFormat('en', { timeZone, dateStyle: 'long' }).format(at)
}

/** What somebody named, in markup: whichever way it is written, what stands beside it stays where it is. */
function id(value: string): string {
  return `<bdi>${text(value)}</bdi>`
}

/** Text in markup. Characters that cannot be seen and turn or move others are shown as what they are. */
function text(value: string): string {
  return shown(value).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}

function shown(value: string): string {
  return value.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Data in a script element: nothing in it can end the element. */
function embedded(value: object): string {
  return JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

async function digest(code: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(code)))
  return btoa(String.fromCharCode(...bytes))
}

async function plotLibrary(): Promise<{ readonly script: string; readonly style: string }> {
  const { createRequire } = await import('node:module')
  const { readFile } = await import('node:fs/promises')
  const { dirname, join } = await import('node:path')
  const folder = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  const [script, style] = await Promise.all([readFile(join(folder, 'dist/uPlot.iife.min.js'), 'utf8'), readFile(join(folder, 'dist/uPlot.min.css'), 'utf8')])
  return { script, style }
}
