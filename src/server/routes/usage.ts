// Ledger entries over HTTP: page by page, and streamed as CSV.

import { z, type OpenAPIHono } from '@hono/zod-openapi'
import { toCsv, type EntryFilter, type LedgerEntry } from '../../ledger/index.js'
import { Briefly } from '../administration/briefly.js'
import { Completeness } from '../seeing/completeness.js'
import { Cursors } from '../seeing/cursors.js'
import { entrySchema, entryView, ownWords } from '../seeing/entry-view.js'
import { Problem } from '../problem.js'
import { reachKey } from '../seeing/reach.js'
import { operation, problem, routes } from '../route.js'
import type { Env, Service } from '../service.js'
import { textStream } from '../seeing/text-stream.js'
import { filterOf, filterQuery } from '../seeing/usage-query.js'

const USUAL_PAGE = 100
const LARGEST_PAGE = 1_000
/** How many answers are kept that took long to find. */
const MOST_KEPT = 32
const NDJSON = 'application/x-ndjson'

const partial = z.enum(['true', 'false']).optional().openapi({ description: 'true: what there is, also where the ledger does not tell of all that was charged. Without it, that is a 409; pages are always of what there is.' })
const pageQuery = filterQuery({
  limit: z.coerce.number().int().min(1).max(LARGEST_PAGE).optional().openapi({ type: 'integer', minimum: 1, maximum: LARGEST_PAGE, description: `At most so many; ${USUAL_PAGE} by default.` }),
  after: z.string().max(4_096).optional().openapi({ description: 'The `next` of the page before.' }),
  partial,
  newest: z.enum(['true', 'false']).optional().openapi({ description: 'true: the last ones, the newest first; without pages.' }),
})

const pageSchema = z.strictObject({ items: z.array(entrySchema), next: z.string().optional() }).openapi('LedgerPage')

const page = operation('read', {
  method: 'get',
  path: '/v1/usage',
  tags: ['Usage'],
  summary: 'Entries of the ledger, oldest first',
  description: `One page as JSON; with "Accept: ${NDJSON}" all that match, one object on each line, as they are read.`,
  request: { query: pageQuery },
  responses: { 200: { description: 'The entries.', content: { 'application/json': { schema: pageSchema }, [NDJSON]: { schema: z.string() } } }, 409: problem('All were asked for, and the ledger does not tell of all that was charged.') },
})

const csv = operation('read', {
  method: 'get',
  path: '/v1/usage.csv',
  tags: ['Usage'],
  summary: 'Entries of the ledger as CSV',
  description: 'All that match, oldest first, as they are read. Text that a spreadsheet would take for a formula is defused.',
  request: { query: filterQuery({ partial }) },
  responses: { 200: { description: 'The entries.', content: { 'text/csv': { schema: z.string() } } }, 409: problem('The ledger does not tell of all that was charged.') },
})

/** `/v1/usage` and `/v1/usage.csv`. */
export function usageRoutes({ engine, log }: Service): OpenAPIHono<Env> {
  const { tracker } = engine
  const cursors = new Cursors(tracker.registry)
  const completeness = new Completeness(tracker)
  const newestOnes = new Briefly<readonly LedgerEntry[]>(undefined, MOST_KEPT)
  const failed = (error: unknown): void => log.error({ err: error, route: '/v1/usage' }, 'the reading of the ledger failed half-way')

  return routes()
    .openapi(page, async (context) => {
      const caller = context.get('caller')
      const query = context.req.valid('query')
      const { limit = USUAL_PAGE, after, newest } = query
      const filter = filterOf(query, caller, tracker.reports.timeZone)
      if (context.req.header('accept')?.includes(NDJSON) === true) {
        for (const name of ['limit', 'after', 'newest'] as const) if (query[name] !== undefined) throw new Problem(422, 'INVALID_REQUEST', `${name}: is of pages, and ${NDJSON} gives all that match. Leave it out, or ask for application/json.`)
        await completeness.assert(sinceOf(filter), query.partial === 'true')
        const lines = mapped(tracker.entries(filter), (entry) => `${JSON.stringify(entryView(entry, caller))}\n`)
        return context.body(await textStream(lines, failed), 200, { 'content-type': NDJSON }) as never
      }
      if (newest === 'true') {
        if (after !== undefined) throw new Problem(422, 'INVALID_REQUEST', 'after: goes on behind a page, and newest begins at the end. Give one of them; what came before is found with until.')
        const entries = await newestOnes.get(JSON.stringify([filter, limit]), () => tracker.ledger.newest(filter, { limit }))
        return context.json({ items: entries.map((entry) => entryView(entry, caller)) }, 200)
      }
      const reach = reachKey(caller)
      const { entries, next } = await tracker.ledger.query(filter, { limit, ...(after !== undefined && { after: await cursors.open(after, reach) }) })
      return context.json({ items: entries.map((entry) => entryView(entry, caller)), ...(next !== undefined && { next: await cursors.seal(next, reach) }) }, 200)
    })
    .openapi(csv, async (context) => {
      const caller = context.get('caller')
      const query = context.req.valid('query')
      const filter = filterOf(query, caller, tracker.reports.timeZone)
      await completeness.assert(sinceOf(filter), query.partial === 'true')
      const lines = toCsv(mapped(tracker.entries(filter), (entry) => ownWords(entry, caller)))
      return context.body(await textStream(lines, failed), 200, { 'content-type': 'text/csv; charset=utf-8', 'content-disposition': 'attachment; filename="usage.csv"' }) as never
    })
}

/** From when on entries are asked for. */
function sinceOf({ from }: EntryFilter): number {
  return from === undefined ? -Infinity : Number(from)
}

async function* mapped<Made>(entries: AsyncIterable<LedgerEntry>, make: (entry: LedgerEntry) => Made): AsyncIterable<Made> {
  for await (const entry of entries) yield make(entry)
}
