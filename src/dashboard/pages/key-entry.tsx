// Where the key is asked for, when the server wants one.

import { useEffect, useRef, useState } from 'preact/hooks'
import { Failure } from '../parts/panel.js'

/** Asks for a key. `reason`: why the last one would not do. */
export function KeyEntry({ reason, enter }: { readonly reason: string | undefined; readonly enter: (key: string) => void }) {
  const field = useRef<HTMLInputElement>(null)
  const [wrong, setWrong] = useState<string | undefined>(undefined)
  useEffect(() => field.current?.focus(), [])
  const submit = (event: Event): void => {
    event.preventDefault()
    const key = field.current?.value.trim() ?? ''
    if (/^[!-~]+$/.test(key)) return enter(key)
    setWrong(key === '' ? undefined : 'A key has letters, digits, - and _ alone. This has something else in it: copy it once more.')
    field.current?.focus()
  }
  return (
    <main id="main" class="entry" tabindex={-1}>
      <section class="panel entry-panel" aria-labelledby="entry-title">
        <h1 id="entry-title">Who is looking?</h1>
        <p>
          This server wants a key. One with the role <code>read</code> shows the dashboard, one with <code>admin</code> also changes tiers, overrides and limits. A tenant's key shows that tenant.
        </p>
        <form class="form" onSubmit={submit} aria-label="Enter a key">
          <div class="field">
            <label for="key">API key</label>
            <input id="key" ref={field} type="password" autocomplete="off" spellcheck={false} placeholder="bursar_…" />
          </div>
          <button type="submit" class="main-button">
            Look
          </button>
        </form>
        {(wrong ?? reason) !== undefined && <Failure>{wrong ?? reason}</Failure>}
        <p class="soft">The key stays in this tab until you sign out or close it. Whoever runs the server makes one with:</p>
        <pre tabindex={0} aria-label="How a key is made">
          <code>bursar keys create --name wall --role read</code>
        </pre>
      </section>
    </main>
  )
}
