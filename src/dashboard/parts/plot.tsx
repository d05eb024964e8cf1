// Bars over time, stacked where there are several kinds. A pointer or the arrow keys read them, and the same numbers stand beneath as a table.
// Each kind has a pattern beside its colour.

import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { colour, useColours } from '../data/theme.js'
import { hatched, type Hatch } from './hatch.js'

/** One kind of bars: how it is called, how it is told from the others, and its values. */
export interface Kind {
  readonly name: string
  /** A custom property. */
  readonly colour: string
  readonly hatch: Hatch
  readonly values: readonly number[]
}

/** What a plot shows. `times` are seconds since the epoch. */
export interface PlotProps {
  readonly title: string
  readonly times: readonly number[]
  readonly kinds: readonly Kind[]
  readonly each: 'hour' | 'day'
  readonly timeZone: string
  readonly height: number
  readonly show: (value: number) => string
  /** Labels of the axis, where those of `show` are too long. */
  readonly showTick?: (value: number) => string
}

/** A figure with a plot. Draws anew where data, colours or width change. */
export function Plot(props: PlotProps) {
  const { title, times, kinds, each, show } = props
  const holder = useRef<HTMLDivElement>(null)
  const drawn = useRef<uPlot | undefined>(undefined)
  const [at, setAt] = useState<number | undefined>(undefined)
  const [width, setWidth] = useState(0)
  const colours = useColours()
  const content = JSON.stringify([times, kinds.map(({ values }) => values)])

  useEffect(() => {
    const element = holder.current as HTMLDivElement
    const watcher = new ResizeObserver(() => setWidth(element.clientWidth))
    watcher.observe(element)
    return () => watcher.disconnect()
  }, [])

  useEffect(() => {
    const element = holder.current as HTMLDivElement
    if (width === 0) return
    const plot = new uPlot(optionsOf(props, width, setAt), stacked(times, kinds), element)
    drawn.current = plot
    return () => {
      plot.destroy()
      drawn.current = undefined
    }
  }, [width, colours, content, props.timeZone])

  const move = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = { ArrowRight: 1, ArrowLeft: -1, Home: -times.length, End: times.length }
    const step = steps[event.key]
    const plot = drawn.current
    if (step === undefined || plot === undefined) return
    event.preventDefault()
    const next = Math.max(0, Math.min(times.length - 1, (at ?? (step > 0 ? -1 : times.length)) + step))
    plot.setCursor({ left: plot.valToPos(next, 'x'), top: 10 })
  }
  const leave = (): void => drawn.current?.setCursor({ left: -10, top: -10 })

  const time = at === undefined ? undefined : times[at]
  const line = time === undefined ? '' : `${timeText(time, props)}: ${kinds.map(({ name, values }) => `${name} ${show(values[at as number] ?? 0)}`).join(', ')}`
  return (
    <figure class="plot-figure">
      <div class="plot" ref={holder} tabindex={0} role="img" aria-label={`${title}. Arrow keys read it ${each} by ${each}; the numbers follow as a table.`} onKeyDown={move} onBlur={leave} style={{ height: `${props.height}px` }}>
        {line !== '' && (
          <div class="tip" aria-hidden="true">
            {line}
          </div>
        )}
      </div>
      <p class="only-heard" aria-live="polite">
        {line}
      </p>
      <details>
        <summary>Show the numbers{kinds.length === 1 ? '' : ` by ${each}`}</summary>
        <div class="table-wrap" tabindex={0} role="group" aria-label={`${title}: the numbers`}>
          <table>
            <thead>
              <tr>
                <th scope="col">{each === 'hour' ? 'Hour' : 'Day'}</th>
                {kinds.map(({ name }) => (
                  <th scope="col" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times
                .map((each, index) => (
                  <tr key={each}>
                    <th scope="row">{timeText(each, props)}</th>
                    {kinds.map(({ name, values }) => (
                      <td key={name}>{show(values[index] ?? 0)}</td>
                    ))}
                  </tr>
                ))
                .reverse()}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  )
}

/** Running sums, the topmost first, so that what is drawn later covers what belongs to it. */
function stacked(times: readonly number[], kinds: readonly Kind[]): uPlot.AlignedData {
  const sums = kinds.map((_, upTo) => times.map((_, index) => kinds.slice(0, upTo + 1).reduce((sum, { values }) => sum + (values[index] ?? 0), 0)))
  return [times.map((_, index) => index), ...sums.reverse()]
}

function optionsOf(props: PlotProps, width: number, setAt: (at: number | undefined) => void): uPlot.Options {
  const { times, kinds, height, show, showTick = show } = props
  const bars = uPlot.paths.bars?.({ size: [0.78, 48], radius: 0.12 })
  const font = '12px system-ui, sans-serif'
  const axis: uPlot.Axis = { stroke: colour('--soft'), font, grid: { stroke: colour('--grid'), width: 1 }, ticks: { show: false } }
  const series = kinds.map((kind): uPlot.Series => ({ label: kind.name, fill: hatched(colour(kind.colour), colour('--card'), kind.hatch), width: 0, points: { show: false }, ...(bars !== undefined && { paths: bars }) }))
  const most = Math.max(2, Math.floor(width / (props.each === 'hour' ? 70 : 62)))
  const step = Math.max(1, Math.ceil(times.length / most))
  return {
    width,
    height,
    legend: { show: false },
    padding: [8, 18, 0, 0],
    scales: { x: { time: false, range: [-0.6, Math.max(times.length, 1) - 0.4] }, y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.06 : 1] } },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    series: [{}, ...series.reverse()],
    axes: [
      { ...axis, grid: { show: false }, size: 28, gap: 6, splits: () => times.map((_, index) => index).filter((index) => (times.length - 1 - index) % step === 0), values: (_plot, all) => all.map((index) => axisText(times[index], props)) },
      { ...axis, size: 52, space: 36, values: (_plot, all) => all.map((value) => (Number.isInteger(value) || props.showTick !== undefined ? showTick(value) : '')) },
    ],
    hooks: { setCursor: [(plot) => setAt(plot.cursor.idx == null || (plot.cursor.left ?? -1) < 0 ? undefined : plot.cursor.idx)] },
  }
}

function axisText(seconds: number | undefined, { each, timeZone }: PlotProps): string {
  if (seconds === undefined) return ''
  const instant = new Date(seconds * 1_000)
  return each === 'hour' ? instant.toLocaleTimeString('en-GB', { timeZone, hour: '2-digit', minute: '2-digit' }) : instant.toLocaleDateString('en-GB', { timeZone, day: 'numeric', month: 'short' })
}

function timeText(seconds: number, props: PlotProps): string {
  const instant = new Date(seconds * 1_000)
  const { timeZone } = props
  return props.each === 'hour' ? instant.toLocaleString('en-GB', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit' }) : instant.toLocaleDateString('en-GB', { timeZone, weekday: 'short', day: 'numeric', month: 'short' })
}
