// What of a request does not fit its description, in one sentence: the field that is wrong before those that are missing because of it, what is
// wrong with it, and what would be right. Pure.

import type { z } from '@hono/zod-openapi'
import { joinPath } from '../../budget/index.js'

/** Which part of a request was read. */
export type RequestPart = 'json' | 'query' | 'param' | 'header' | 'form' | 'cookie'

type Issue = z.core.$ZodIssue

const PARTS: Readonly<Record<RequestPart, string>> = { json: 'body', query: 'query', param: 'path', header: 'headers', form: 'body', cookie: 'cookies' }
const KINDS: Readonly<Record<string, string>> = { object: 'an object', record: 'an object', array: 'a list', string: 'a text', number: 'a number', int: 'a whole number', boolean: 'true or false', null: 'null' }
/** Of those that are wrong beside the first one. */
const MOST_NAMED = 5
const LONGEST_NAME = 100

/** The first thing that is wrong with its remedy, and the names of what else is. */
export function describeRequest(issues: readonly Issue[], part: RequestPart): string {
  // Who has misspelt a field hears of that, and not that another one is missing.
  const told = issues.flatMap(spread).map((issue, index) => ({ ...sentence(issue, part), rank: issue.code === 'unrecognized_keys' ? 0 : 1, index }))
  const [first, ...others] = told.sort((one, other) => one.rank - other.rank || one.index - other.index)
  if (first === undefined) return `${PARTS[part]}: is not what it should be.`
  const fields = [...new Set(others.map(({ field }) => field))].filter((field) => field !== first.field)
  const named = fields.length > MOST_NAMED ? [...fields.slice(0, MOST_NAMED), '…'] : fields
  return `${first.field}: ${first.text}${fields.length === 0 ? '' : ` (And ${fields.length} more: ${named.join(', ')}.)`}`
}

/** One issue for each field that is not known. */
function spread(issue: Issue): readonly Issue[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ ...issue, path: [...issue.path, key] })) : [issue]
}

function sentence(issue: Issue, part: RequestPart): { readonly field: string; readonly text: string } {
  const deepest = deepestOf(issue)
  const path = joinPath('', deepest.path)
  return { field: path === '' ? PARTS[part] : path.length > LONGEST_NAME ? `${path.slice(0, LONGEST_NAME)}…` : path, text: wrong(deepest, part) }
}

/** Of alternatives the one that got furthest says most: a wrong amount inside an object rather than "no number". */
function deepestOf(issue: Issue): Issue {
  const below = issue.code === 'invalid_union' ? issue.errors.flatMap((branch) => branch.slice(0, 1)) : issue.code === 'invalid_key' || issue.code === 'invalid_element' ? issue.issues.slice(0, 1) : []
  const found = below.flatMap(spread).map(deepestOf).filter(({ path, code }) => path.length > 0 || isBound(code)).sort((one, other) => other.path.length - one.path.length)[0]
  return found === undefined ? issue : { ...found, path: [...issue.path, ...found.path] }
}

/** What is wrong with a value that is of the right type. */
function isBound(code: Issue['code']): boolean {
  return code === 'too_small' || code === 'too_big'
}

function wrong(issue: Issue, part: RequestPart): string {
  switch (issue.code) {
    case 'unrecognized_keys':
      return `is no known ${part === 'query' ? 'parameter' : 'field'}. Remove it, or correct its name.`
    case 'invalid_type': {
      const kind = KINDS[issue.expected] ?? issue.expected
      return isAbsent(issue) ? `is missing. Give ${kind}.` : `is not ${kind}. Give one.`
    }
    case 'invalid_value':
      return `is not what it may be. Give ${issue.values.map(String).join(' or ')}.`
    case 'invalid_union':
      return isAbsent(issue) ? 'is missing. Give it.' : `has the wrong type. Give ${[...new Set(wanted(issue))].join(', or ')}.`
    case 'too_small':
      return `is too ${issue.origin === 'number' || issue.origin === 'int' ? 'small' : 'short'}. Give ${issue.inclusive === false ? 'more than' : 'at least'} ${sized(issue.origin, Number(issue.minimum))}.`
    case 'too_big':
      return `is too ${issue.origin === 'number' || issue.origin === 'int' ? 'large' : 'long'}. Give ${issue.inclusive === false ? 'less than' : 'at most'} ${sized(issue.origin, Number(issue.maximum))}.`
    case 'invalid_format':
      return issue.format === 'email' ? 'is no e-mail address. Give one such as ada@example.com.' : issue.format === 'regex' && !issue.message.startsWith('Invalid') ? ended(issue.message) : `is not written as it should be (${issue.format === 'regex' ? (issue.pattern ?? '') : issue.format}). Correct it.`
    default:
      return ended(issue.message)
  }
}

/** Of alternatives: true where each of them misses a value. */
function isAbsent(issue: Issue): boolean {
  if (issue.code === 'invalid_union') return issue.errors.every(([first]) => first !== undefined && isAbsent(first))
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined')
}

/** What a value might be, by the first thing that each alternative says. */
function wanted(issue: Issue): readonly string[] {
  if (issue.code === 'invalid_union') return issue.errors.flatMap((branch) => branch.slice(0, 1)).flatMap(wanted)
  if (issue.code === 'invalid_type') return [KINDS[issue.expected] ?? issue.expected]
  return issue.code === 'invalid_value' ? issue.values.map(String) : ['what its description says']
}

function sized(origin: string, size: number): string {
  if (origin === 'string') return `${size} character${size === 1 ? '' : 's'}`
  return origin === 'array' ? `${size} item${size === 1 ? '' : 's'}` : String(size)
}

function ended(message: string): string {
  return /[.!?]$/.test(message) ? message : `${message}.`
}
