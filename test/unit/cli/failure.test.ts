import { describe, expect, it } from 'vitest'
import { describeFailure } from '../../../src/cli/failure.js'
import { InvalidConfigError, InvalidRequestError, InvalidRowError, UnknownLimitError } from '../../../src/index.js'

describe('what is said of a failure', () => {
  it.each([
    [new UnknownLimitError('x'), 'limit: "x" is not there. "bursar limits" tells which are; it may have been removed.'],
    [new InvalidRowError(3, 'time: is before. Rows may be out of order for as long as lookAhead (1h): give at least 93843201ms, or sort the log.'), 'give at least --look-ahead 27h, or sort'],
    [new InvalidRowError(3, "Sort the log, or say with lookAhead, such as '5m', how far"), 'say with --look-ahead, such as 5m, how far'],
    [new InvalidConfigError('map.userId: is missing. Name the column, or draw users with spread: { users: { count: 10_000 } }.'), '--map userId=…: is missing. Name the column, or draw users with --users 10000.'],
    [new InvalidConfigError('options.spread.repeat: the log lasts long.'), '--repeat: the log lasts long.'],
    [new InvalidRowError(3, "userId: is missing. Fill it in, draw users with spread.users, or leave such rows out with onBadRow: 'skip'."), 'draw users with --users, or leave such rows out with --skip-bad-rows.'],
    [new InvalidRequestError('filter.where.kind: "x" is none.'), '--kind: "x" is none.'],
    [new InvalidRequestError('filter.where.project: "project" is no field of an entry. Use id.'), '--where project: is no field of an entry. What the application calls project may be metadata.project or scopes.project. Use id.'],
    [new InvalidRequestError('filter.cost.atLeast: "x" is none.'), '--min-cost: "x" is none.'],
  ])('speaks of options of the command line: %s', (error, said) => {
    expect(describeFailure(error)).toContain(said)
  })

  it('names the file that the system refuses, as it was given, and the remedy', () => {
    const refused = (code: string, path?: string): Error => Object.assign(new Error(`${code}: no, open`), { code, ...(path !== undefined && { path }) })
    expect(describeFailure(refused('EACCES', '/srv/x.csv.01234567-89ab-cdef-0123-456789abcdef.unfinished'))).toBe('/srv/x.csv: may not be used: permission is denied. Give another path, or ask for permission (EACCES).')
    expect(describeFailure(refused('EISDIR', '/srv'))).toContain('/srv: is a folder')
    expect(describeFailure(refused('ENOSPC'))).toBe('ENOSPC: no, open')
  })
})
