// Reports over HTTP: days, clients, models, top spenders, and what to invoice.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import type { EntryField } from '../../ledger/index.js'
import type { Report } from '../../report/index.js'
import { assertTimeZone, calendarFor } from '../../time/index.js'
import type { Caller } from '../caller.js'
import { Completeness } from '../seeing/completeness.js'
import { reachKey, within, type Where } from '../seeing/reach.js'
import { ReportTexts } from '../seeing/report-texts.js'
import { idParameter, operation, problem, routes } from '../route.js'
import type { Env, Service } from '../service.js'
import { textStream } from '../seeing/text-stream.js'
import { instantOf } from '../seeing/when.js'

const common = {
  from: z.string().optional().openapi({ description: 'From then on. Default: the beginning of the month.', example: '2026-11-01' }),
  until: z.string().optional().openapi({ description: 'Up to then; that moment itself is not in it. Default: none: all that there is.' }),
  zone: z.string().max(64).optional().openapi({ description: 'The IANA zone whose clock cuts time. Default: the configured one.', example: 'Europe/Berlin' }),
  format: z.enum(['json', 'csv']).optional().openapi({ description: 'json by default.' }),
  partial: z.enum(['true', 'false']).optional().openapi({ description: 'true: what there is, also where the ledger does not tell of all that was charged. Without it, that is a 409.' }),
  tenant: idParameter.optional().openapi({ description: "Only of this tenant; a tenant's own key leaves it out." }),
}
const fieldName = z.string().min(1).max(256).optional()

const reportSchema = z
  .strictObject({
    from: z.iso.datetime(),
    until: z.iso.datetime().nullable().openapi({ description: 'null: none was asked for.' }),
    timeZone: z.string(),
    items: z.array(z.looseObject({ calls: z.number(), tokens: z.number(), cost: z.number(), exact: z.strictObject({ microcents: z.string(), tokens: z.string() }) })),
  })
  .openapi('Report')

const responses = {
  200: { description: 'The report: money in USD, and exactly in microcents.', content: { 'application/json': { schema: reportSchema }, 'text/csv': { schema: z.string() } } },
  409: problem('The ledger does not tell of all that was charged.'),
} as const
const plain = { tags: ['Reports'], request: { query: z.strictObject(common) }, responses }

const daily = operation('read', { ...plain, method: 'get', path: '/v1/reports/daily', summary: 'Calls, refusals, tokens and cost by day and tenant' })
const byClient = operation('read', { ...plain, method: 'get', path: '/v1/reports/by-client', summary: 'What each client used, model by model' })
const byModel = operation('read', { ...plain, method: 'get', path: '/v1/reports/by-model', summary: 'What was used of each model' })
const top = operation('read', {
  ...plain,
  method: 'get',
  path: '/v1/reports/top',
  summary: 'Who spent most',
  request: {
    query: z.strictObject({
      ...common,
      by: fieldName.openapi({ description: 'Whose spend: userId by default, or any field of an entry.' }),
      limit: z.coerce.number().int().min(1).max(1_000).optional().openapi({ type: 'integer', minimum: 1, maximum: 1_000, description: '10 by default.' }),
    }),
  },
})
const billing = operation('read', {
  ...plain,
  method: 'get',
  path: '/v1/reports/billing',
  summary: 'What to invoice: by day, client, service, model and project',
  request: {
    query: z.strictObject({
      ...common,
      client: fieldName.openapi({ description: 'The field that names the client: tenant by default.' }),
      service: fieldName.openapi({ description: 'The field that names the service: provider by default.' }),
      project: fieldName.openapi({ description: 'The field that names the project: metadata.project by default.' }),
    }),
  },
})

/** The stretch of time that a report is about, in its zone. */
interface Asked {
  readonly from: number
  readonly until: number | undefined
  readonly timeZone: string
  readonly where: Where
  /** Who may be told the same. */
  readonly reach: string
}

type CommonQuery = z.infer<z.ZodObject<typeof common>>

/** `/v1/reports/…`. */
export function reportRoutes({ engine, clock, log }: Service): OpenAPIHono<Env> {
  const { reports } = engine.tracker
  const completeness = new Completeness(engine.tracker)
  const texts = new ReportTexts()

  const askedBy = (query: CommonQuery, caller: Caller): Asked => {
    const timeZone = query.zone === undefined ? reports.timeZone : assertTimeZone(query.zone, 'zone')
    const until = query.until === undefined ? undefined : instantOf(query.until, 'until', timeZone)
    const last = until === undefined ? clock() : until - 1
    const from = query.from === undefined ? calendarFor({ unit: 'month', timeZone, weekStartsOn: 1, monthStartsOn: 1 }).at(last).startsAt : instantOf(query.from, 'from', timeZone)
    const tenant = caller.tenantOf(query.tenant)
    return { from, until, timeZone, reach: reachKey(caller), where: within(caller, tenant === undefined ? {} : { tenant }) }
  }

  const answer = async <Row extends object>(query: CommonQuery, { from, until, timeZone, reach }: Asked, name: string, report: Report<Row>): Promise<Response> => {
    const failed = (error: unknown): void => log.error({ err: error, route: `/v1/reports/${name}` }, 'the report failed half-way')
    await completeness.assert(from, query.partial === 'true')
    const key = JSON.stringify([reach, name, from, query])
    if (query.format === 'csv') return new Response(await textStream(await texts.pieces(key, () => report.toCsv()), failed), { headers: { 'content-type': 'text/csv; charset=utf-8', 'content-disposition': `attachment; filename="${name}.csv"` } })
    const head = { from: new Date(from).toISOString(), until: until === undefined ? null : new Date(until).toISOString(), timeZone }
    return new Response(await textStream(await texts.pieces(key, () => jsonOf(head, report)), failed), { headers: { 'content-type': 'application/json' } })
  }

  return routes()
    .openapi(daily, async (context) => {
      const query = context.req.valid('query')
      const asked = askedBy(query, context.get('caller'))
      const { from, until, where, timeZone } = asked
      return answer(query, asked, 'daily', reports.daily({ from, until, where, timeZone })) as never
    })
    .openapi(byClient, async (context) => {
      const query = context.req.valid('query')
      const asked = askedBy(query, context.get('caller'))
      const { from, until, where } = asked
      return answer(query, asked, 'by-client', reports.byClient({ from, until, where })) as never
    })
    .openapi(byModel, async (context) => {
      const query = context.req.valid('query')
      const asked = askedBy(query, context.get('caller'))
      const { from, until, where } = asked
      return answer(query, asked, 'by-model', reports.summary({ from, until, where, by: ['model'] })) as never
    })
    .openapi(top, async (context) => {
      const query = context.req.valid('query')
      const asked = askedBy(query, context.get('caller'))
      const { from, until, where } = asked
      const { by, limit } = query
      return answer(query, asked, 'top', reports.topSpenders({ from, until, where, ...(by !== undefined && { by: by as EntryField }), ...(limit !== undefined && { limit }) })) as never
    })
    .openapi(billing, async (context) => {
      const query = context.req.valid('query')
      const asked = askedBy(query, context.get('caller'))
      const { from, until, where, timeZone } = asked
      const { client, service, project } = query
      const fields = { ...(client !== undefined && { client: client as EntryField }), ...(service !== undefined && { service: service as EntryField }), ...(project !== undefined && { project: project as EntryField }) }
      return answer(query, asked, 'billing', reports.billing({ from, until, where, timeZone, ...fields })) as never
    })
}

/** One object whose rows are written as they come. */
async function* jsonOf(head: object, rows: AsyncIterable<object>): AsyncIterable<string> {
  yield `${JSON.stringify(head).slice(0, -1)},"items":[`
  let separator = ''
  for await (const row of rows) {
    yield `${separator}${JSON.stringify(row, exactly)}`
    separator = ','
  }
  yield ']}'
}

/** What a number cannot hold is a text. */
function exactly(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}
