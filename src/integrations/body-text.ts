// How much a model reads of a request body, as far as its bytes say so. Knows no provider: which parts are text is told to it.

import { InvalidRequestError } from '../errors/index.js'

/** The body of a request to a provider. */
export type Body = Readonly<Record<string, unknown>>

/**
 * A copy of what is to be sent, which nobody else can change: objects and lists are copied as JSON reads them, other values (`NaN`) are left. What
 * is no object comes back as it is.
 */
export function snapshotOf(body: unknown): unknown {
  return copied(body, '')
}

const BOXED = new Set(['[object String]', '[object Number]', '[object Boolean]'])

function copied(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null) return value
  const { toJSON } = value as { readonly toJSON?: unknown }
  const written: unknown = typeof toJSON === 'function' ? toJSON.call(value, field) : value
  if (typeof written !== 'object' || written === null) return written
  if (BOXED.has(Object.prototype.toString.call(written))) return written.valueOf()
  if (Array.isArray(written)) return written.map((item, index) => (typeof item === 'function' ? null : copied(item, String(index))))
  const said = Object.entries(written).filter(([, content]) => typeof content !== 'function')
  return Object.fromEntries(said.map(([name, content]) => [name, copied(content, name)]))
}

/** What is text in the bodies of one provider. */
export interface TextShape {
  /** Values of `type` under which there is nothing but text. What has another type is not text. */
  readonly types: ReadonlySet<string>
  /** Fields that name something which the provider adds: it is not text whatever stands in them. */
  readonly references: ReadonlySet<string>
  /** Fields whose content is plain data, with types of its own. */
  readonly data: ReadonlySet<string>
}

/** True where the tokens of all that stands in a value follow from its bytes. */
export function isAllText(value: unknown, shape: TextShape): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (Array.isArray(value)) return value.every((item) => isAllText(item, shape))
  const { type } = value as { readonly type?: unknown }
  if (typeof type === 'string' && !shape.types.has(type)) return false
  return Object.entries(value).every(([field, content]) => {
    if (shape.references.has(field)) return content === undefined || content === null
    return shape.data.has(field) || isAllText(content, shape)
  })
}

/** What is read of the fields of a body, without those named in `unread`: their JSON, which has no fewer tokens than the text in it. */
export function textOfBody(body: Body, unread: ReadonlySet<string>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(body).filter(([field]) => !unread.has(field))))
}

/** A count that a body may have. Throws `InvalidRequestError` for what is none: JSON writes NaN as null, and then there is no such cap. */
export function countIn(body: Body, field: string): number | undefined {
  const value = body[field] ?? undefined
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) return value as number | undefined
  throw new InvalidRequestError(`${field}: ${typeof value === 'string' ? JSON.stringify(value) : String(value)} is no count of tokens or answers. Give a whole number, or leave it out.`)
}

/** True where a field of that name stands anywhere in a value, with that content. */
export function hasInside(value: unknown, matches: (field: string, content: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).some(([field, content]) => (!Array.isArray(value) && matches(field, content)) || hasInside(content, matches))
}

/** How many items a list in a body has; 0 where there is no list. */
export function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0
}

/** The tools in a body, as far as they are objects. */
export function toolsOf({ tools }: Body): readonly Body[] {
  return Array.isArray(tools) ? tools.filter((tool): tool is Body => typeof tool === 'object' && tool !== null) : []
}
