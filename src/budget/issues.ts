// One sentence for what a schema found wrong: the path, the value and the remedy.

import type { z } from 'zod'

/** Describes the first thing that is wrong, with its path below `root`, and how many more there are. */
export function describeIssues(error: z.ZodError, root = ''): string {
  const [first] = error.issues
  if (first === undefined) return `${root}: is invalid.`
  const more = error.issues.length - 1
  return `${describeIssue(first, root)}${more > 0 ? ` (and ${more} more)` : ''}`
}

function describeIssue(issue: z.core.$ZodIssue, root: string): string {
  const path = joinPath(root, issue.path)
  if (issue.code === 'unrecognized_keys') return `${joinPath(path, issue.keys)}: is no known field. Remove it, or correct its name.`
  if (issue.code === 'invalid_union') {
    // The branch that got furthest says most: a wrong amount inside an object rather than "not a number".
    const branches = issue.errors.flatMap((branch) => branch.slice(0, 1))
    const deepest = branches.sort((a, b) => b.path.length - a.path.length || Number(b.code === 'unrecognized_keys') - Number(a.code === 'unrecognized_keys'))[0]
    if (deepest !== undefined && (deepest.path.length > 0 || deepest.code === 'unrecognized_keys')) return describeIssue(deepest, path)
    return `${path}: has the wrong type (${branches.map((branch) => branch.message.replace(/^Invalid input: /, '')).join('; or ')}).`
  }
  return `${path}: ${issue.message.replace(/^Invalid input: /, '').replace(/^(?:amount|tokens|requests|timeZone|rolling): /, '')}`
}

/** The path of a field below `root`, as messages write it. */
export function joinPath(root: string, path: readonly PropertyKey[]): string {
  const below = path.map(String).join('.')
  return root === '' ? below : below === '' ? root : `${root}.${below}`
}
