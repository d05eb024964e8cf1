// The part of YAML that deployment files keep to: maps, lists, scalars and flow lists, indented by two spaces. What it does not know is an error.

/** A value of a file. */
export type Plain = string | null | Plain[] | { readonly [key: string]: Plain }

interface Line {
  readonly indent: number
  readonly text: string
  readonly number: number
}

/** Reads a file. Throws with the number of the line that it does not understand. */
export function plainYaml(text: string): Plain {
  const lines = text.split('\n').flatMap((line, index): Line[] => {
    const bare = line.trimEnd()
    if (bare.trim() === '' || bare.trim().startsWith('#')) return []
    if (bare.includes('\t')) throw new Error(`line ${index + 1}: has a tab`)
    return [{ indent: bare.length - bare.trimStart().length, text: bare.trimStart(), number: index + 1 }]
  })
  const read = blockAt(lines, 0, 0)
  if (read.next !== lines.length) throw new Error(`line ${lines[read.next]?.number}: is indented as nothing before it`)
  return read.value
}

function blockAt(lines: readonly Line[], at: number, indent: number): { readonly value: Plain; readonly next: number } {
  return lines[at]?.text.startsWith('- ') === true ? listAt(lines, at, indent) : mapAt(lines, at, indent)
}

function listAt(lines: readonly Line[], start: number, indent: number): { readonly value: Plain[]; readonly next: number } {
  const items: Plain[] = []
  let at = start
  while (at < lines.length && lines[at]?.indent === indent && lines[at]?.text.startsWith('- ') === true) {
    const line = lines[at] as Line
    const rest = line.text.slice(2)
    if (!isEntry(rest)) {
      items.push(scalar(rest, line))
      at += 1
      continue
    }
    // The map of an item begins behind its dash.
    const item = mapAt([...lines.slice(0, at), { ...line, indent: indent + 2, text: rest }, ...lines.slice(at + 1)], at, indent + 2)
    items.push(item.value)
    at = item.next
  }
  return { value: items, next: at }
}

function mapAt(lines: readonly Line[], start: number, indent: number): { readonly value: Plain; readonly next: number } {
  const map: Record<string, Plain> = {}
  let at = start
  while (at < lines.length && lines[at]?.indent === indent) {
    const line = lines[at] as Line
    const [, key, rest] = /^([\w.-]+):(?: (.*))?$/.exec(line.text) ?? []
    if (key === undefined) throw new Error(`line ${line.number}: is no entry of a map: ${line.text}`)
    if (Object.hasOwn(map, key)) throw new Error(`line ${line.number}: ${key} stands there twice`)
    at += 1
    const inner = lines[at]
    if (rest !== undefined) map[key] = scalar(rest, line)
    else if (inner !== undefined && inner.indent > indent) {
      const block = blockAt(lines, at, inner.indent)
      map[key] = block.value
      at = block.next
    } else map[key] = null
  }
  return { value: map, next: at }
}

function isEntry(text: string): boolean {
  return /^[\w.-]+:( |$)/.test(text)
}

function scalar(text: string, line: Line): Plain {
  if (text.startsWith('[')) return JSON.parse(text) as string[]
  if (text.startsWith('"')) return JSON.parse(text) as string
  if (/^['{&*|>!%@`]/.test(text) || / #|: /.test(text)) throw new Error(`line ${line.number}: is more than plain: ${text}`)
  return text
}
