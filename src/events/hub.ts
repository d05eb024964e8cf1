// Typed events on eventemitter3, isolated: a listener that throws or rejects changes nothing for the caller nor for the others.

import { EventEmitter } from 'eventemitter3'

/** Event names with the one argument of their listeners. */
export type EventMap = object

type Listener<T> = (event: T) => unknown

/** An emitter whose listeners cannot reach the one who emits. */
export class EventHub<Events extends EventMap & { 'listener-error': { readonly event: string; readonly error: unknown } }> {
  readonly #emitter = new EventEmitter()
  readonly #wrapped = new Map<keyof Events, Map<unknown, (...event: unknown[]) => void>>()
  #listeners = 0
  readonly #onLost: (message: string) => void

  /** `onLost` gets a sentence where a listener for `listener-error` fails itself. */
  constructor(onLost: (message: string) => void) {
    this.#onLost = onLost
  }

  /** Calls the listener at every event of that name, until {@link off}. Adding it twice has no effect. */
  on<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): this {
    return this.#add(name, listener, false)
  }

  /** The same, for one event only. */
  once<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): this {
    return this.#add(name, listener, true)
  }

  /** Stops calling the listener. */
  off<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>): this {
    const wrapped = this.#wrapped.get(name)
    const isolated = wrapped?.get(listener)
    if (isolated !== undefined) {
      wrapped?.delete(listener)
      this.#emitter.off(name, isolated)
      this.#listeners -= 1
    }
    return this
  }

  /** False while nobody listens to anything. */
  get hearsAnything(): boolean {
    return this.#listeners > 0
  }

  /** True if anybody listens to that: what nobody hears need not be made. */
  hears(name: keyof Events & string): boolean {
    return this.#listeners > 0 && this.#emitter.listenerCount(name) > 0
  }

  /** Tells every listener. */
  emit<Name extends keyof Events & string>(name: Name, event: Events[Name]): void {
    if (this.#listeners > 0) this.#emitter.emit(name, event)
  }

  /** Forgets every listener. */
  clear(): void {
    this.#emitter.removeAllListeners()
    this.#wrapped.clear()
    this.#listeners = 0
  }

  #add<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>, once: boolean): this {
    let wrapped = this.#wrapped.get(name)
    if (wrapped === undefined) {
      wrapped = new Map()
      this.#wrapped.set(name, wrapped)
    }
    if (wrapped.has(listener)) return this
    const isolated = (event: unknown): void => {
      if (once) this.off(name, listener)
      this.#isolate(name, listener, event as Events[Name])
    }
    wrapped.set(listener, isolated)
    this.#emitter.on(name, isolated)
    this.#listeners += 1
    return this
  }

  #isolate<Name extends keyof Events & string>(name: Name, listener: Listener<Events[Name]>, event: Events[Name]): void {
    try {
      const returned = listener(event)
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(name, error))
    } catch (error) {
      this.#failed(name, error)
    }
  }

  #failed(name: string, error: unknown): void {
    if (name === 'listener-error' || !this.hears('listener-error')) {
      this.#onLost(`bursar: a listener for "${name}" failed: ${String(error)}`)
      return
    }
    this.emit('listener-error', { event: name, error } as Events['listener-error'])
  }
}
