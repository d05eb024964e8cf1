// What the service is deployed with: every file that is named is there, every configuration is one, and every question of the dashboard has an
// answer.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parseServerSection } from '../../src/cli/server-section.js'
import { Bursar } from '../../src/index.js'
import { priceBook } from '../../src/prices/index.js'
import { createMetrics } from '../../src/server/metrics.js'
import { expressionsOf, metricsIn, panelsOf, type Dashboard } from '../support/grafana.js'
import { plainYaml, type Plain } from '../support/plain-yaml.js'
import { allowedOf } from './setting.js'
import { namesIn } from './telemetry/kit.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const read = (file: string): string => readFileSync(join(root, file), 'utf8')
const yaml = (file: string): Record<string, Plain> => plainYaml(read(file)) as Record<string, Plain>
const manifest = JSON.parse(read('package.json')) as { readonly version: string; readonly bin: { readonly bursar: string }; readonly devDependencies: Record<string, string>; readonly scripts: Record<string, string> }

interface ServiceOfCompose {
  readonly image: string
  readonly hostname?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly depends_on?: Plain
  readonly ports?: readonly string[]
  readonly secrets?: readonly string[]
}
const compose = yaml('docker-compose.yml')
const services = compose['services'] as unknown as Record<string, ServiceOfCompose>
const dockerfile = read('Dockerfile')

describe('docker-compose.yml', () => {
  it('starts the service, its databases and what watches it', () => {
    expect(Object.keys(services)).toEqual(['bursar', 'redis', 'postgres', 'prometheus', 'grafana'])
  })

  it('mounts files that are there, and volumes that it declares', () => {
    const mounts = Object.values(services).flatMap(({ volumes = [] }) => volumes.map((mount) => mount.split(':')[0] as string))
    const missing = mounts.filter((source) => (source.startsWith('.') ? !existsSync(join(root, source)) : !Object.hasOwn(compose['volumes'] as object, source)))
    expect(mounts.length).toBeGreaterThan(5)
    expect(missing).toEqual([])
  })

  it('names each image by a version', () => {
    for (const { image } of Object.values(services)) expect(image).toMatch(/^[\w./-]+:v?\d+\.\d+/)
    expect(services['bursar']?.image).toBe(`bursar:${manifest.version}`)
  })

  it('has no password of its own, and does not start without one', () => {
    const secrets = Object.values(services).flatMap(({ environment = {} }) => Object.entries(environment).filter(([name]) => /PASSWORD|KEY/.test(name)))
    expect(secrets.map(([name]) => name)).toEqual(['BURSAR_ADMIN_KEY', 'POSTGRES_PASSWORD', 'GF_SECURITY_ADMIN_PASSWORD'])
    for (const [, value] of secrets) expect(value).toMatch(/^\$\{[A-Z_]+:\?.+\}$/)
    expect(read('docker-compose.yml')).toMatch(/postgres:\/\/bursar:\$\{POSTGRES_PASSWORD:\?/)
  })

  it('keeps what waits for the store where it outlives the container', () => {
    expect(services['bursar']?.volumes).toContain('bursar:/data')
    // A lock is known to be a dead process's by the name of its machine.
    expect(services['bursar']?.hostname).toBe('bursar')
    expect(dockerfile).toMatch(/^WORKDIR \/data$/m)
  })

  it('is reached from this machine alone', () => {
    const ports = Object.values(services).flatMap((service) => service.ports ?? [])
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  it('gives Prometheus the key that its configuration reads', () => {
    const [scrape] = yaml('deploy/prometheus.yml')['scrape_configs'] as { readonly authorization: { readonly credentials_file: string }; readonly metrics_path: string; readonly static_configs: { readonly targets: string[] }[] }[]
    expect(scrape?.authorization.credentials_file).toBe(`/run/secrets/${services['prometheus']?.secrets?.[0]}`)
    expect(Object.keys(compose['secrets'] as object)).toEqual(services['prometheus']?.secrets)
    expect(scrape?.metrics_path).toBe('/metrics')
    expect(scrape?.static_configs[0]?.targets).toEqual(['bursar:8787'])
  })
})

describe('Dockerfile', () => {
  it('copies files that are there and that .dockerignore lets through', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) => (sources as string).split(' '))
    const allowed = read('.dockerignore').split('\n').filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    expect(new Set(copied)).toEqual(new Set(allowed))
    expect(copied.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it('has all that the build reads', () => {
    const build = manifest.scripts['build'] as string
    const files = [...build.matchAll(/[\w./-]+\/[\w.-]+\.(?:ts|json)|tsconfig[\w.]*\.json|src\/[\w/]+/g)].map(([file]) => file).filter((file) => existsSync(join(root, file)))
    expect(files.length).toBeGreaterThan(1)
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources]) => (sources as string).split(' '))
    expect(files.filter((file) => !copied.some((source) => file === source || file.startsWith(`${source}/`)))).toEqual([])
  })

  it('starts the program of the package as a user without rights, on one version of Node', () => {
    expect(dockerfile).toContain(`CMD ["node", "/app/${manifest.bin.bursar.replace('./', '')}", "serve"]`)
    expect(dockerfile.lastIndexOf('USER node')).toBeGreaterThan(dockerfile.lastIndexOf('RUN '))
    expect(new Set(dockerfile.match(/^FROM \S+/gm))).toEqual(new Set(['FROM node:22.14-slim']))
    expect(dockerfile).toContain('HEALTHCHECK')
  })

  it('leaves the port to BURSAR_PORT and PORT, and asks where it is whether it lives', () => {
    expect(dockerfile).not.toMatch(/^ENV .*PORT/m)
    expect(dockerfile).toContain(`process.env.BURSAR_PORT || process.env.PORT || 8787`)
    expect(dockerfile).toContain('EXPOSE 8787')
  })

  it('installs clients that the package is tested with', () => {
    const [, names] = /^RUN for name in ([\w ]+);/m.exec(dockerfile) ?? []
    expect(names?.split(' ').map((name) => typeof manifest.devDependencies[name])).toEqual(['string', 'string'])
  })
})

describe('deploy/bursar.config.json', () => {
  it('is a configuration of a server', () => {
    const { server, prices, ...config } = JSON.parse(read('deploy/bursar.config.json')) as Record<string, unknown>
    expect(prices).toBe('catalog')
    expect(() => new Bursar({ ...config, prices: priceBook() } as never)).not.toThrow()
    expect(parseServerSection(server, 'deploy/bursar.config.json')).toEqual(server)
  })
})

describe('the dashboard of Grafana', () => {
  const dashboard = JSON.parse(read('deploy/grafana/dashboard.json')) as Dashboard
  const panels = panelsOf(dashboard)

  it('asks for nothing that the service does not serve', async () => {
    const engine = new Bursar<string, string>({ tiers: { free: { daily: 1 } }, defaultTier: 'free' } as never)
    const metrics = createMetrics({ engine })
    await allowedOf(await engine.check({ userId: 'ann', tenant: 'acme', estimatedCost: 0.1 })).settle({ cost: 0.2 })
    metrics.answered('/v1/check', 'POST', 200, 0.001)
    const served = namesIn((await metrics.exposition()).text)
    const asked = [...new Set(expressionsOf(dashboard).flatMap(metricsIn))]
    expect(asked.length).toBeGreaterThan(20)
    expect(asked.filter((name) => !served.has(name))).toEqual([])
  })

  it('shows everything that the engine measures', async () => {
    const metrics = createMetrics({ engine: new Bursar<string, string>({ tiers: { free: { daily: 1 } } } as never) })
    const served = [...(await metrics.exposition()).text.matchAll(/^# TYPE (bursar_\S+)/gm)].map(([, name]) => name as string)
    const asked = expressionsOf(dashboard).flatMap(metricsIn).map((name) => name.replace(/_bucket$/, ''))
    expect(served.filter((name) => !asked.includes(name))).toEqual([])
  })

  it('asks for what docs/telemetry.md describes, which describes all of it', async () => {
    const metrics = createMetrics({ engine: new Bursar<string, string>({ tiers: { free: { daily: 1 } } } as never) })
    const served = new Set([...(await metrics.exposition()).text.matchAll(/^# TYPE (bursar_\S+) (\S+)/gm)].map(([, name, type]) => `${name} ${type}`))
    const described = new Set([...read('docs/telemetry.md').matchAll(/^\| `(bursar_\w+)` \| (\w+) \|/gm)].map(([, name, type]) => `${name} ${type}`))
    expect(described).toEqual(served)
  })

  it('has its panels beside one another, each with an id, and the source that is provisioned', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = new Set<string>()
    for (const { gridPos, title } of panels) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          expect(cells.has(`${x}/${y}`), `${title} covers another panel`).toBe(false)
          cells.add(`${x}/${y}`)
        }
      }
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
    }
    const [source] = yaml('deploy/grafana/provisioning/datasources/prometheus.yml')['datasources'] as { readonly uid: string; readonly url: string }[]
    const uids = panels.flatMap(({ datasource, targets = [] }) => [datasource?.uid, ...targets.map((target) => target.datasource.uid)]).filter((uid) => uid !== undefined)
    expect(new Set(uids)).toEqual(new Set([source?.uid]))
    expect(source?.url).toBe('http://prometheus:9090')
  })

  it('is where Grafana is told that it is', () => {
    const [provider] = yaml('deploy/grafana/provisioning/dashboards/bursar.yml')['providers'] as { readonly options: { readonly path: string } }[]
    const mount = services['grafana']?.volumes?.find((volume) => volume.includes('dashboard.json'))
    expect(mount?.split(':')[1]).toBe(`${provider?.options.path}/dashboard.json`)
    expect(readdirSync(join(root, 'deploy/grafana/provisioning'))).toEqual(['dashboards', 'datasources'])
  })
})
