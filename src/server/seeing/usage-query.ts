// Which entries a query asks for, within the reach of its caller: that no condition of the query widens.

import { z } from '@hono/zod-openapi'
import { InvalidAmountError, InvalidRequestError } from '../../errors/index.js'
import { parseFilter, type EntryField, type EntryFilter } from '../../ledger/index.js'
import type { Caller } from '../caller.js'
import { within, type Where } from './reach.js'
import { instantOf } from './when.js'

/** Query parameters, and the fields of an entry that they are about. */
const FIELDS = { user: 'userId', tenant: 'tenant', tier: 'tier', model: 'model', provider: 'provider', session: 'sessionId', kind: 'kind', action: 'action' } as const satisfies Readonly<Record<string, EntryField>>

const METADATA = 'metadata.'

const several = z.union([z.string().max(256), z.array(z.string().max(256)).max(100)])
const texts = (field: string): z.ZodOptional<typeof several> => several.openapi({ type: 'array', items: { type: 'string' }, description: `Only of this ${field}; may be given again, for one of several. Empty: entries without one.` }).optional()

/** What chooses entries. */
export const filterFields = {
  from: z.string().optional().openapi({ description: 'From then on: 2026-11-01T08:30:00Z; a day or a month (2026-11) is that of the configured time zone.', example: '2026-11-01' }),
  until: z.string().optional().openapi({ description: 'Up to then; that moment itself is not in it.' }),
  user: texts('user'),
  tenant: texts('tenant'),
  tier: texts('tier'),
  model: texts('model'),
  provider: texts('provider'),
  session: texts('session'),
  kind: texts('kind'),
  action: texts('action'),
  minCost: z.string().optional().openapi({ description: 'Only of this cost or more, in USD.' }),
  maxCost: z.string().optional().openapi({ description: 'Only of this cost or less, in USD.' }),
}

/** A query of these fields and of `metadata.<key>`; anything else is a mistake. */
export function filterQuery<Shape extends z.ZodRawShape>(more: Shape): z.ZodObject<typeof filterFields & Shape> {
  const known = { ...filterFields, ...more }
  const checked = z.object(known).catchall(several).superRefine((query, context) => {
    for (const name of Object.keys(query)) {
      if (!Object.hasOwn(known, name) && !(name.startsWith(METADATA) && name.length > METADATA.length)) context.addIssue({ code: 'custom', path: [name], message: `is no parameter. Use ${Object.keys(known).join(', ')} or metadata.<key>` })
    }
  })
  return checked as never
}

/** The filter. Throws a 403 for what is asked by the name of another, and `InvalidRequestError` or `InvalidAmountError` for what is none. */
export function filterOf(query: z.infer<z.ZodObject<typeof filterFields>>, caller: Caller, zone: string): EntryFilter {
  const { from, until, minCost, maxCost } = query
  const where: Record<string, (string | null)[]> = {}
  for (const [name, value] of Object.entries(query)) {
    const field = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof typeof FIELDS] : name.startsWith(METADATA) ? name : undefined
    if (field !== undefined && value !== undefined) where[field] = (Array.isArray(value) ? value : [value as string]).map((text) => (text === '' ? null : text))
  }
  assertOwn(where, caller)
  const filter: EntryFilter = {
    ...(from !== undefined && { from: instantOf(from, 'from', zone) }),
    ...(until !== undefined && { until: instantOf(until, 'until', zone) }),
    where: within(caller, where as Where),
    ...((minCost !== undefined || maxCost !== undefined) && { cost: { atLeast: minCost, atMost: maxCost } }),
  }
  assertFilter(filter)
  return filter
}

function assertOwn(where: Readonly<Record<string, readonly (string | null)[]>>, caller: Caller): void {
  if (caller.isOperator) return
  for (const tenant of where['tenant'] ?? []) caller.tenantOf(tenant ?? '')
  if (caller.userId !== undefined) for (const user of where['userId'] ?? []) caller.userOf(user ?? '', undefined)
}

/** As a message, the fields are those of the query. */
function assertFilter(filter: EntryFilter): void {
  try {
    parseFilter(filter)
  } catch (error) {
    if (error instanceof InvalidRequestError) throw new InvalidRequestError(inQuery(error.message))
    if (error instanceof InvalidAmountError) throw new InvalidAmountError(inQuery(error.message))
    throw error
  }
}

function inQuery(message: string): string {
  return message.replaceAll('filter.cost.atLeast', 'minCost').replaceAll('filter.cost.atMost', 'maxCost').replaceAll('filter.where.', '').replaceAll('filter.', '')
}
