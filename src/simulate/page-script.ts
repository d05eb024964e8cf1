// What the page of a simulation does: it draws the plots from the data beside it, and lets a pointer or the arrow keys read them. Runs in a
// browser, where it finds uPlot; asks nobody for anything.

/** The script of the page. */
export const SCRIPT = String.raw`
'use strict'
const data = JSON.parse(document.getElementById('data').textContent)
const dashes = [[], [], [7, 3], [2, 3], [9, 3, 2, 3], [12, 4], [4, 4], [1, 4]]
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()
const usd = (value) => {
  const size = Math.abs(value)
  const sign = value < 0 ? '−' : ''
  return size !== 0 && size < 1e-4 ? (value < 0 ? '> ' : '< ') + sign + '$0.0001' : sign + '$' + size.toLocaleString('en', { minimumFractionDigits: 4, maximumFractionDigits: 4 })
}
const count = (value) => value.toLocaleString('en')
const short = (value, most) => (most >= 1e4 && value !== 0 ? (value / 1e3).toLocaleString('en', { maximumFractionDigits: 1 }) + 'k' : value.toLocaleString('en'))
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const dayOf = (day) => Number(day.slice(8)) + ' ' + months[Number(day.slice(5, 7)) - 1]
const n = data.days.length
const plots = []

function splits(u) {
  const most = Math.max(2, Math.floor(u.bbox.width / devicePixelRatio / 64))
  const step = Math.max(1, Math.ceil(n / most))
  const all = []
  for (let i = 0; i < n; i += step) all.push(i)
  return all
}

function draw(holder) {
  holder.u?.destroy()
  const { element, key } = holder
  const isMoney = key === 'spent'
  const show = isMoney ? usd : count
  const columns = data.columns.map((column, index) => ({ ...column, index })).filter((column) => column.index > 0 || data.logKnows.includes(key))
  const font = '12px system-ui, sans-serif'
  const axis = { stroke: css('--soft'), font, grid: { stroke: css('--grid'), width: 1 }, ticks: { show: false } }
  const series = columns.map(({ name, index }) => ({
    label: name, stroke: css('--c' + (index % 8)), width: index === 0 ? 1.5 : 2.25, dash: dashes[index % 8],
    points: { show: n <= 45, size: 5, fill: css('--card') },
  }))
  const tip = element.querySelector('.tip')
  const options = {
    width: element.clientWidth, height: 230, legend: { show: false }, padding: [10, 26, 0, 0],
    scales: { x: { time: false, range: n === 1 ? [-0.5, 0.5] : [0, n - 1] }, y: { range: (u, low, high) => [Math.min(0, low), high > 0 ? high * 1.08 : 1] } },
    cursor: { y: false, points: { size: 8 }, drag: { x: false, y: false } },
    series: [{}, ...series],
    axes: [
      { ...axis, splits, grid: { show: false }, values: (u, all) => all.map((i) => (data.days[i] === undefined ? '' : dayOf(data.days[i]))), size: 38, gap: 9 },
      { ...axis, size: 62, values: (u, all) => all.map((value) => (isMoney ? '$' + short(value, Math.max(...all)) : Number.isInteger(value) ? short(value, Math.max(...all)) : '')) },
    ],
    hooks: { setCursor: [(u) => point(u, element, tip, columns, key, show)] },
  }
  holder.u = new uPlot(options, [data.days.map((_, i) => i), ...columns.map((column) => column[key])], element)
}

function point(u, element, tip, columns, key, show) {
  const { idx, left } = u.cursor
  if (idx == null || left < 0) { tip.style.display = 'none'; return }
  tip.textContent = ''
  const head = document.createElement('b')
  head.textContent = data.days[idx]
  tip.append(head)
  for (const column of columns) {
    const line = document.createElement('div')
    const swatch = document.createElement('span')
    swatch.className = 'swatch k' + (column.index % 8)
    const name = document.createElement('bdi')
    name.textContent = column.name
    const value = document.createElement('i')
    value.textContent = show(column[key][idx])
    line.append(swatch, name, value)
    tip.append(line)
  }
  tip.style.display = 'block'
  const at = u.over.offsetLeft + u.valToPos(idx, 'x')
  const width = tip.offsetWidth
  tip.style.left = Math.max(0, Math.min(at + 14 + width > element.clientWidth ? at - width - 14 : at + 14, element.clientWidth - width)) + 'px'
  tip.style.top = '12px'
  if (element === document.activeElement) element.parentElement.querySelector('.sr').textContent = data.days[idx] + ': ' + columns.map((column) => column.name + ' ' + show(column[key][idx])).join(', ')
}

for (const element of document.querySelectorAll('.plot')) {
  const holder = { element, key: element.dataset.key, u: undefined }
  plots.push(holder)
  draw(holder)
  let at = -1
  element.addEventListener('keydown', (event) => {
    const moves = { ArrowRight: 1, ArrowLeft: -1, Home: -n, End: n }
    if (!(event.key in moves)) return
    event.preventDefault()
    at = Math.max(0, Math.min(n - 1, at + moves[event.key]))
    holder.u.setCursor({ left: holder.u.valToPos(at, 'x'), top: 20 })
  })
  element.addEventListener('blur', () => holder.u.setCursor({ left: -10, top: -10 }))
  new ResizeObserver(() => { if (holder.u.width !== element.clientWidth) holder.u.setSize({ width: element.clientWidth, height: 230 }) }).observe(element)
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plots.forEach(draw))
`
