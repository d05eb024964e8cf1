// The page of the description: HTML without scripts, made of the OpenAPI document and the examples.

import { EXAMPLES } from './docs-examples.js'
import { fieldsOf, nameOfRef, shapeOf, type FieldRow } from './docs-schema.js'
import type { ApiAnswer, ApiContent, ApiDocument, ApiOperation, ApiParameter, JsonSchema } from './openapi.js'

/** Where the page's stylesheet is. */
export const STYLE_PATH = '/docs/style.css'

interface Described {
  readonly method: string
  readonly path: string
  readonly operation: ApiOperation
}

/** The whole page. */
export function docsPage(document: ApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, item]) => Object.entries(item).map(([method, operation]) => ({ method, path, operation })))
  const groups = document.tags.map((tag) => ({ ...tag, operations: operations.filter(({ operation }) => operation.tags?.[0] === tag.name) }))
  const schemas = Object.entries(document.components.schemas)
  const { title, version, description } = document.info
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)} ${escapeHtml(version)}: the API</title>
<link rel="stylesheet" href="${STYLE_PATH}">
</head>
<body>
<header>
<h1>${escapeHtml(title)} <small>${escapeHtml(version)}</small></h1>
<p>${prose(description)}</p>
<p>The same as <a href="/openapi.json">OpenAPI</a>. The lines to try take the server and a key of the operator's from the environment, and what one makes others use:</p>
<pre><code>export BURSAR_URL=http://127.0.0.1:8787 BURSAR_KEY=bursar_…</code></pre>
</header>
<nav aria-label="Operations">
${groups.map(({ name, operations: own }) => `<h2><a href="#${anchor(name)}">${escapeHtml(name)}</a></h2>\n<ul>${own.map(navItem).join('')}</ul>`).join('\n')}
<h2><a href="#schemas">Schemas</a></h2>
<ul>${schemas.map(([name]) => `<li><a href="#${anchor(`schema-${name}`)}">${escapeHtml(name)}</a></li>`).join('')}</ul>
</nav>
<main>
${groups.map((group) => `<section id="${anchor(group.name)}">\n<h2>${escapeHtml(group.name)}</h2>\n<p>${prose(group.description)}</p>\n${group.operations.map((each) => article(each, document)).join('\n')}\n</section>`).join('\n')}
<section id="schemas">
<h2>Schemas</h2>
${schemas.map(([name, schema]) => schemaArticle(name, schema)).join('\n')}
</section>
</main>
</body>
</html>
`
}

function navItem({ method, path, operation }: Described): string {
  return `<li><a href="#${anchor(operation.operationId)}"><span class="method ${escapeHtml(method)}">${escapeHtml(method.toUpperCase())}</span> ${escapeHtml(path)}</a></li>`
}

function article(described: Described, document: ApiDocument): string {
  const { method, path, operation } = described
  const role = operation['x-role']
  const body = operation.requestBody
  const parts = [
    `<h3><span class="method ${escapeHtml(method)}">${escapeHtml(method.toUpperCase())}</span> <code>${escapeHtml(path)}</code></h3>`,
    `<p><strong>${prose(operation.summary ?? '')}.</strong>${operation.description === undefined ? '' : ` ${prose(operation.description)}`}</p>`,
    `<p class="role">${role === undefined ? needOfNone(operation) : `Needs a key with the role <b>${escapeHtml(role)}</b>.`}</p>`,
    ...((operation.parameters ?? []).length > 0 ? ['<h4>Parameters</h4>', table((operation.parameters ?? []).map(parameterRow))] : []),
    ...(body === undefined ? [] : ['<h4>Body</h4>', ...contents(body.content, document)]),
    '<h4>Answers</h4>',
    answers(operation.responses),
    ...trial(described),
  ]
  return `<article id="${anchor(operation.operationId)}">\n${parts.join('\n')}\n</article>`
}

function needOfNone({ security = [] }: ApiOperation): string {
  return security.length === 0 ? 'Needs no key.' : 'Needs a key.'
}

function parameterRow({ name, in: place, required = false, description, schema = {} }: ApiParameter): FieldRow & { readonly place: string } {
  const [row] = fieldsOf({ properties: { [name]: schema }, required: required ? [name] : [] })
  return { ...(row as FieldRow), description: description ?? schema.description ?? '', place }
}

/** A body with its fields, also those of a schema that others have too: who sends one wants to see them. */
function contents(content: ApiContent, { components }: ApiDocument): string[] {
  return Object.entries(content).flatMap(([type, { schema = {} }]) => [`<p>${escapeHtml(type)}${schema.$ref === undefined ? '' : `: ${schemaLink(nameOfRef(schema.$ref))}`}</p>`, ...shapeOrFields(schema.$ref === undefined ? schema : (components.schemas[nameOfRef(schema.$ref)] ?? {}))])
}

function shapeOrFields(schema: JsonSchema): string[] {
  if (schema.$ref !== undefined) return []
  const rows = fieldsOf(schema)
  return rows.length > 0 ? [table(rows)] : [`<p><code>${escapeHtml(shapeOf(schema))}</code></p>`]
}

function answers(responses: Readonly<Record<string, ApiAnswer>>): string {
  const rows = Object.entries(responses).map(([status, { description, content = {} }]) => {
    const shapes = Object.entries(content).map(([type, { schema = {} }]) => `<code>${escapeHtml(type)}</code> ${schema.$ref === undefined ? answerShape(schema) : schemaLink(nameOfRef(schema.$ref))}`)
    return `<tr><th scope="row">${escapeHtml(status)}</th><td>${prose(description)}</td><td>${shapes.join('<br>')}</td></tr>`
  })
  return `<div class="wide" tabindex="0"><table>\n<thead><tr><th scope="col">Status</th><th scope="col">Meaning</th><th scope="col">Body</th></tr></thead>\n<tbody>${rows.join('\n')}</tbody>\n</table></div>`
}

function answerShape(schema: JsonSchema): string {
  const choices = (schema.anyOf ?? []).flatMap(({ $ref }) => ($ref === undefined ? [] : [schemaLink(nameOfRef($ref))]))
  if (choices.length > 1) return choices.join(' or ')
  const rows = fieldsOf(schema)
  if (rows.length === 0) return `<code>${escapeHtml(shapeOf(schema))}</code>`
  return rows.map(({ name, unit, shape, schemaName }) => `<code title="${escapeHtml(shape)}">${escapeHtml(name)}</code>${unit === '' ? '' : ` (${unit})`}${schemaName === undefined ? '' : ` ${schemaLink(schemaName)}`}`).join(', ')
}

function table(rows: readonly (FieldRow & { readonly place?: string })[]): string {
  const cells = rows.map(({ name, shape, isRequired, unit, description, schemaName, place }) => {
    const told = schemaName === undefined ? `<code>${escapeHtml(shape)}</code>` : `<code>${escapeHtml(shape)}</code> ${schemaLink(schemaName)}`
    const notes = [place, isRequired ? 'required' : undefined].filter((note) => note !== undefined).join(', ')
    return `<tr><th scope="row"><code>${escapeHtml(name)}</code>${notes === '' ? '' : `<br><small>${escapeHtml(notes)}</small>`}</th><td>${told}</td><td>${escapeHtml(unit)}</td><td>${prose(description)}</td></tr>`
  })
  return `<div class="wide" tabindex="0"><table>\n<thead><tr><th scope="col">Field</th><th scope="col">Value</th><th scope="col">Unit</th><th scope="col">Meaning</th></tr></thead>\n<tbody>${cells.join('\n')}</tbody>\n</table></div>`
}

function schemaArticle(name: string, schema: JsonSchema): string {
  return `<article id="${anchor(`schema-${name}`)}">\n<h3><code>${escapeHtml(name)}</code></h3>\n${schema.description === undefined ? '' : `<p>${prose(schema.description)}</p>\n`}${shapeOrFields(schema).join('\n')}\n</article>`
}

/** A line for a shell that does what the operation is for, and where it gets what it needs. */
function trial({ method, path, operation }: Described): string[] {
  const example = EXAMPLES[operation.operationId] ?? {}
  if (example.notByHand !== undefined) return [`<p>${prose(example.notByHand)}</p>`]
  const { params = {}, query = {}, body, isOfUser = false, isStream = false } = example
  const answered = Object.values(params).filter((value) => typeof value === 'object')
  const filled = Object.entries(params).reduce((line, [name, value]) => line.replace(`{${name}}`, typeof value === 'object' ? `$${value.variable}` : encodeURIComponent(value)), path)
  const search = new URLSearchParams(query).toString()
  const line = [
    'curl',
    ...(isStream ? ['-N'] : []),
    ...(method === 'get' ? [] : ['-X', method.toUpperCase()]),
    `"$BURSAR_URL${filled}${search === '' ? '' : `?${search}`}"`,
    ...((operation.security ?? []).length === 0 ? [] : [`-H "Authorization: Bearer $${isOfUser ? 'USER_KEY' : 'BURSAR_KEY'}"`]),
    ...(body === undefined ? [] : ["-H 'Content-Type: application/json'", `-d '${JSON.stringify(body).replaceAll("'", String.raw`'\''`)}'`]),
  ].join(' ')
  return [
    `<pre><code>${escapeHtml(line)}</code></pre>`,
    ...(isOfUser ? ['<p><code>$USER_KEY</code> is a key that is bound to a user.</p>'] : []),
    ...answered.map(({ variable, operationId, member }) => `<p><code>$${escapeHtml(variable)}</code> is <code>${escapeHtml(member)}</code> of what <a href="#${anchor(operationId)}">${escapeHtml(operationId)}</a> answers.</p>`),
  ]
}

function schemaLink(name: string): string {
  return `<a href="#${anchor(`schema-${name}`)}">${escapeHtml(name)}</a>`
}

function anchor(name: string): string {
  return encodeURIComponent(name.replaceAll(/\s+/g, '-'))
}

/** Text with `code` in it. */
function prose(text: string): string {
  return escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')
}
