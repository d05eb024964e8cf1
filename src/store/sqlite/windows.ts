// Windows as they are written down: their names for a layout, and what was limited for a charge. What a store needs of a window
// later follows from these; when it turns does not, and is never asked for.

import { periodOf } from '../../budget/index.js'
import { MAX_AMOUNT } from '../../money/index.js'
import type { WindowTerms } from '../contract.js'
import { Layout } from '../counting/layout.js'
import type { Connection } from './connection.js'
import type { SqliteStatement } from './driver.js'

/** More than this are not kept in memory: every override has terms of its own. */
const MOST_KNOWN = 10_000
const UNTESTED = Object.freeze({ max: MAX_AMOUNT, pre: MAX_AMOUNT })

type WrittenTerms = Pick<WindowTerms, 'window' | 'unit' | 'limit' | 'alerts'>

/** The tables of layouts and of terms, with what is known of them. */
export class WindowTables {
  readonly #root = Layout.root()
  readonly #layouts = new Map<number, Layout>()
  readonly #layoutIds = new Map<Layout, number>()
  readonly #terms = new Map<number, readonly WindowTerms[]>()
  #termIds = new WeakMap<readonly WindowTerms[], number>()
  readonly #findLayout: SqliteStatement
  readonly #findLayoutId: SqliteStatement
  readonly #addLayout: SqliteStatement
  readonly #findTerms: SqliteStatement
  readonly #findTermsId: SqliteStatement
  readonly #addTerms: SqliteStatement

  constructor(connection: Connection) {
    this.#findLayout = connection.prepare('SELECT windows FROM layout WHERE id = ?')
    this.#findLayoutId = connection.prepare('SELECT id FROM layout WHERE windows = ?')
    this.#addLayout = connection.prepare('INSERT INTO layout (windows) VALUES (?)')
    this.#findTerms = connection.prepare('SELECT windows FROM terms WHERE id = ?')
    this.#findTermsId = connection.prepare('SELECT id FROM terms WHERE windows = ?')
    this.#addTerms = connection.prepare('INSERT INTO terms (windows) VALUES (?)')
  }

  /** The layout of a scope in which nothing was counted. */
  get root(): Layout {
    return this.#root
  }

  /** What was added in a transaction that was rolled back is in no table. */
  forget(): void {
    this.#layouts.clear()
    this.#layoutIds.clear()
    this.#terms.clear()
    this.#termIds = new WeakMap()
  }

  layout(id: number): Layout {
    const known = this.#layouts.get(id)
    if (known !== undefined) return known
    const names = JSON.parse((this.#findLayout.get(id) as { readonly windows: string }).windows) as string[]
    return this.#knowLayout(id, this.#root.grownBy(names.map((window) => readTerms({ window, unit: 'usd', limit: null, alerts: [] }))))
  }

  /** The number under which a layout is written down: by now, if it was not. */
  layoutId(layout: Layout): number {
    const known = this.#layoutIds.get(layout)
    if (known !== undefined) return known
    const id = idOf(this.#findLayoutId, this.#addLayout, JSON.stringify(layout.windows.map(({ window }) => window)))
    this.#knowLayout(id, layout)
    return id
  }

  terms(id: number): readonly WindowTerms[] {
    const known = this.#terms.get(id)
    if (known !== undefined) return known
    const written = JSON.parse((this.#findTerms.get(id) as { readonly windows: string }).windows) as WrittenTerms[]
    const terms = Object.freeze(written.map(readTerms))
    this.#termIds.set(terms, id)
    return this.#knowTerms(id, terms)
  }

  /** The number under which the terms of a scope's windows are written down: by now, if they were not. */
  termsId(windows: readonly WindowTerms[]): number {
    const known = this.#termIds.get(windows)
    if (known !== undefined) return known
    const written = windows.map(({ window, unit, limit, alerts }) => ({ window, unit, limit, alerts: alerts.map(({ thresholdPct, at }) => ({ thresholdPct, at })) }))
    const id = idOf(this.#findTermsId, this.#addTerms, JSON.stringify(written))
    this.#termIds.set(windows, id)
    return id
  }

  #knowLayout(id: number, layout: Layout): Layout {
    if (this.#layouts.size >= MOST_KNOWN) this.forget()
    this.#layouts.set(id, layout)
    this.#layoutIds.set(layout, id)
    return layout
  }

  #knowTerms(id: number, terms: readonly WindowTerms[]): readonly WindowTerms[] {
    if (this.#terms.size >= MOST_KNOWN) this.#terms.clear()
    this.#terms.set(id, terms)
    return terms
  }
}

function idOf(find: SqliteStatement, add: SqliteStatement, windows: string): number {
  const found = find.get(windows) as { readonly id: number } | undefined
  return found?.id ?? Number(add.run(windows).lastInsertRowid)
}

function readTerms({ window, unit, limit, alerts }: WrittenTerms): WindowTerms {
  const { source } = periodOf(window)
  return Object.freeze({ window, unit, source, limit, block: UNTESTED, degrade: null, alerts })
}
