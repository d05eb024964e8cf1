// Where the Prometheus of the tests comes from: one on the PATH, else Debian's package where it can be installed, else an error that says what
// to install. Knows nothing of ports or of what is scraped.

import { foundOrInstalled, onPath } from '../debian.js'

const REMEDY = 'Install prometheus and promtool (Debian, Ubuntu: apt-get install prometheus; macOS: brew install prometheus).'

/** The programs of one installation. */
export interface PrometheusPrograms {
  readonly prometheus: string
  readonly promtool: string
}

let found: Promise<PrometheusPrograms> | undefined

/** The programs of Prometheus, installed first if need be. Rejects with what to install; the tests then fail. */
export function prometheusPrograms(): Promise<PrometheusPrograms> {
  found ??= foundOrInstalled(programs, 'prometheus', REMEDY)
  return found
}

function programs(): PrometheusPrograms | undefined {
  const [prometheus, promtool] = [onPath('prometheus'), onPath('promtool')]
  return prometheus === undefined || promtool === undefined ? undefined : { prometheus, promtool }
}
