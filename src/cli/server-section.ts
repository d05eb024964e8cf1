// What a server is told, from three places: flags first, then the environment, then the section `server` of the configuration file. All of it is
// checked before anything is opened.

import { z } from 'zod'
import { describeIssues } from '../budget/index.js'
import { InvalidConfigError } from '../errors/index.js'
import { serverFields } from '../server/server-config.js'
import type { Run } from './run.js'

/** How much a server writes into its log. */
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const

const serverSection = z.strictObject({
  host: z.string().min(1).optional(),
  port: z.int().min(0).max(65_535).optional(),
  logLevel: z.enum(LOG_LEVELS).optional(),
  ...serverFields,
})

/** The section `server` of a configuration file. */
export type ServerSection = z.output<typeof serverSection>

/** What `bursar serve` is told by flags. */
export interface ServeFlags {
  readonly host?: string | undefined
  readonly port?: string | undefined
  readonly logLevel?: string | undefined
}

/** The section as it is written in a file. Throws `InvalidConfigError` with the path of what is wrong. */
export function parseServerSection(written: unknown, file: string): ServerSection {
  if (written === undefined) return {}
  const parsed = serverSection.safeParse(written)
  if (!parsed.success) throw new InvalidConfigError(`${file}: ${describeIssues(parsed.error, 'config.server')}`)
  return parsed.data
}

/** What holds where no file says anything else: flags and environment. Throws `InvalidConfigError` for what is wrong in them. */
export function givenSettings(flags: ServeFlags, { io, secrets }: Run): ServerSection {
  const variable = (name: string): string | undefined => (io.env[name] === '' ? undefined : io.env[name])
  const adminKey = variable('BURSAR_ADMIN_KEY')
  if (adminKey !== undefined) secrets.add(adminKey)
  const portName = flags.port !== undefined ? '--port' : variable('BURSAR_PORT') !== undefined ? 'BURSAR_PORT' : 'PORT'
  const port = flags.port ?? variable('BURSAR_PORT') ?? variable('PORT')
  const host = flags.host ?? variable('BURSAR_HOST')
  const logLevel = flags.logLevel ?? variable('BURSAR_LOG_LEVEL')
  if (flags.host === '') throw new InvalidConfigError('--host: is empty. Give 127.0.0.1, or 0.0.0.0 for all addresses of this machine.')
  const given = {
    ...(host !== undefined && { host }),
    ...(port !== undefined && { port: portOf(port, portName) }),
    ...(logLevel !== undefined && { logLevel: levelOf(logLevel, flags.logLevel === undefined ? 'BURSAR_LOG_LEVEL' : '--log-level') }),
  }
  if (adminKey === undefined) return given
  const parsed = serverFields.adminKey.safeParse(adminKey)
  if (!parsed.success) throw new InvalidConfigError(`BURSAR_ADMIN_KEY: ${parsed.error.issues[0]?.message}. Make one: openssl rand -hex 32.`)
  return { ...given, adminKey }
}

function portOf(text: string, field: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new InvalidConfigError(`${field}: ${JSON.stringify(text)} is no port. Give a whole number from 0 to 65535; 0 takes one that is free.`)
  return Number(text)
}

function levelOf(text: string, field: string): (typeof LOG_LEVELS)[number] {
  const level = LOG_LEVELS.find((each) => each === text)
  if (level === undefined) throw new InvalidConfigError(`${field}: ${JSON.stringify(text)} is no level. Give one of ${LOG_LEVELS.join(', ')}.`)
  return level
}
