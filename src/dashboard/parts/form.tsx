// What every form that changes something shares: it sends once, says what was wrong in the server's own words, and asks again before it
// takes something away.

import type { ComponentChildren } from 'preact'
import { useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { numberIn } from '../data/figures.js'
import { Done, Failure } from './panel.js'

/** A form. `send` reads the fields and gives what was done, in words: then the fields are as they were at first. What it throws is shown. */
export function Form({ label, button, send, children }: { readonly label: string; readonly button: string; readonly send: (fields: FormData) => Promise<string>; readonly children: ComponentChildren }) {
  const [state, setState] = useState<{ readonly isSending: boolean; readonly failure?: string; readonly done?: string }>({ isSending: false })
  const [turn, setTurn] = useState(0)
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    if (state.isSending) return
    const form = event.currentTarget as HTMLFormElement
    const half = unfinished(form)
    if (half !== undefined) {
      setState({ isSending: false, failure: `${labelOf(half)}: is only half entered, or nothing that there is. Finish it, or empty it.` })
      half.focus()
      return
    }
    setState({ isSending: true })
    try {
      setState({ isSending: false, done: await send(new FormData(form)) })
      setTurn((before) => before + 1)
    } catch (error) {
      setState({ isSending: false, failure: (error as Error).message })
    }
  }
  return (
    <form class="form" aria-label={label} onSubmit={(event) => void submit(event as unknown as SubmitEvent)} noValidate>
      <div class="fields" key={turn}>
        {children}
      </div>
      <button type="submit" class="main-button" aria-disabled={state.isSending}>
        {button}
      </button>
      {state.failure !== undefined && <Failure>{state.failure}</Failure>}
      {state.done !== undefined && <Done>{state.done}</Done>}
    </form>
  )
}

/** The first field in which somebody has entered what the browser cannot read: its value would be as empty as if nobody had. */
function unfinished(form: HTMLFormElement): HTMLInputElement | undefined {
  return [...form.elements].find((each): each is HTMLInputElement => each instanceof HTMLInputElement && each.validity.badInput)
}

function labelOf(field: HTMLInputElement): string {
  return field.labels?.[0]?.textContent ?? field.name
}

/** A field with its label, and with what it may be. */
export function Field({ label, hint, children }: { readonly label: string; readonly hint?: string; readonly children: (id: string, hintId: string | undefined) => ComponentChildren }) {
  const id = useId()
  const hintId = hint === undefined ? undefined : `${id}-hint`
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children(id, hintId)}
      {hint !== undefined && (
        <small class="hint" id={hintId}>
          {hint}
        </small>
      )}
    </div>
  )
}

/** A button that asks once more. `remove` takes the thing away; what it throws is shown. */
export function Remover({ what, label = 'Remove', remove }: { readonly what: string; readonly label?: string; readonly remove: () => Promise<void> }) {
  const [isAsking, setAsking] = useState(false)
  const [failure, setFailure] = useState<string | undefined>(undefined)
  const yes = useRef<HTMLButtonElement>(null)
  const first = useRef<HTMLButtonElement>(null)
  const wasAsking = useRef(false)
  useLayoutEffect(() => {
    if (isAsking) yes.current?.focus()
    else if (wasAsking.current) first.current?.focus()
    wasAsking.current = isAsking
  }, [isAsking])
  const take = async (): Promise<void> => {
    try {
      await remove()
      setFailure(undefined)
    } catch (error) {
      setFailure((error as Error).message)
    }
    setAsking(false)
  }
  return (
    <span class="remover">
      {isAsking ? (
        <>
          <button type="button" class="danger" ref={yes} onClick={() => void take()}>
            Yes, {label.toLowerCase()}
            <span class="only-heard"> {what}</span>
          </button>
          <button type="button" class="quiet" onClick={() => setAsking(false)}>
            Keep
          </button>
        </>
      ) : (
        <button type="button" class="quiet" ref={first} onClick={() => setAsking(true)}>
          {label}
          <span class="only-heard"> {what}</span>
        </button>
      )}
      {failure !== undefined && <Failure>{failure}</Failure>}
    </span>
  )
}

/** A text of a form; `undefined`: left empty. */
export function textOf(fields: FormData, name: string): string | undefined {
  const value = fields.get(name)
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined
}

/** A number of a form. Throws what is wrong with it. */
export function numberOf(fields: FormData, name: string, label: string): number {
  const text = textOf(fields, name)
  if (text === undefined) throw new Error(`${label}: is empty. Give a number, such as 25.`)
  const value = numberIn(text)
  if (value === undefined) throw new Error(`${label}: "${text}" is no amount. Give a number of 0 or more, such as 25 or 0.5.`)
  return value
}
