// A call of the AI SDK is charged by an engine once, however often its model was wrapped. Decides nothing else.

import { InvalidConfigError } from '../errors/index.js'

/** Travels with the parameters, and with the list in them: some middlewares copy the one, some make another of the other. No provider reads it. */
const CHARGED = Symbol.for('bursar.ai-sdk.charged')
const LISTS = ['prompt', 'values']
const chargedLists = new WeakMap<object, readonly object[]>()

/**
 * The parameters of a call as those of one that the engine charges. Throws `InvalidConfigError` where they are that already: then the call comes
 * through a model that is wrapped inside of one that is wrapped, and would be charged twice.
 */
export function chargedOnce<Params extends object>(params: Params, bursar: object): Params {
  const given = params as { readonly [field: string | symbol]: unknown }
  const lists = LISTS.flatMap((field) => (Array.isArray(given[field]) ? [[field, given[field] as unknown[]] as const] : []))
  const engines = [...((given[CHARGED] as readonly object[] | undefined) ?? []), ...lists.flatMap(([, list]) => chargedLists.get(list) ?? [])]
  if (engines.includes(bursar)) {
    throw new InvalidConfigError('middleware: the model is under this budget already, and the call would be charged twice. Wrap it once: by wrapLanguageModel() or wrapProvider(), with the middleware once in the list; and give as the option provider one that is not wrapped.')
  }
  // A list of its own: the SDK gives the same one again when it retries.
  const own = lists.map(([field, list]) => [field, [...list]] as const)
  for (const [, list] of own) chargedLists.set(list, [...engines, bursar])
  return { ...params, ...Object.fromEntries(own), [CHARGED]: [...engines, bursar] }
}
