// Prints rows as a Markdown table with aligned columns: the first two to the left, numbers to the right.

const TEXT_COLUMNS = 2

/** Writes the table to standard output. */
export function printTable(head: readonly string[], rows: readonly (readonly string[])[], textColumns: number = TEXT_COLUMNS): void {
  const widths = head.map((title, column) => Math.max(title.length, 3, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, column) => (column < textColumns ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number)))
    return `| ${padded.join(' | ')} |`
  }
  const rule = widths.map((width, column) => (column < textColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  console.log(['', line(head), `| ${rule.join(' | ')} |`, ...rows.map(line), ''].join('\n'))
}
