import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Run } from '../../../src/cli/run.js'
import { Secrets } from '../../../src/cli/secrets.js'
import { Terminal } from '../../../src/cli/terminal.js'

function aRun(zone?: string): Run {
  const io = { stdout: new PassThrough(), stderr: new PassThrough(), clock: () => 0, env: {}, cwd: '/somewhere' }
  return new Run(io, new Terminal(io, false, new Secrets()), new Secrets(), { zone })
}

describe('a run', () => {
  it('closes everything, the newest first, whatever fails, and once', async () => {
    const run = aRun()
    const closed: string[] = []
    const failure = new Error('the sink is away')
    run.closeLater(() => closed.push('sink'))
    run.closeLater(() => {
      closed.push('store')
      throw failure
    })
    run.closeLater(async () => closed.push('engine'))
    expect(await run.close()).toEqual([failure])
    expect(closed).toEqual(['engine', 'store', 'sink'])
    expect(await run.close()).toEqual([])
    expect(closed).toHaveLength(3)
  })

  it('sees paths from where it was started', () => {
    expect(aRun().path('x/../y.csv', '--out')).toBe('/somewhere/y.csv')
    expect(aRun().path('/y.csv', '--out')).toBe('/y.csv')
    expect(() => aRun().path('', '--out')).toThrow('--out: "" is no path')
  })

  it('refuses a zone that there is not', () => {
    expect(() => aRun('Mars/Olympus')).toThrow('--zone: "Mars/Olympus" is not a time zone')
  })
})
