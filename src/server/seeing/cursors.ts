// Cursors of the ledger for clients: what a ledger says of where a page ends may name the ids of others and how many entries there are, so it
// goes out encrypted, for one reach, under a key that all processes of a store share.

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Registry } from '../../store/index.js'
import { Problem } from '../problem.js'

const KIND = 'server-secret'
const KEY = 'cursors'
const CIPHER = 'aes-256-gcm'
const IV_BYTES = 12
const TAG_BYTES = 16
/** Cursors are as long as others of about their length: digits of a place in the ledger are not to be counted. */
const PADDED_TO = 64

/** The cursors of a service. */
export class Cursors {
  readonly #registry: Registry
  #secret: Promise<Buffer> | undefined

  constructor(registry: Registry) {
    this.#registry = registry
  }

  /** What a client is given for the place where a page ends. */
  async seal(place: string, reach: string): Promise<string> {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(CIPHER, await this.#key(), iv).setAAD(Buffer.from(reach))
    const length = Buffer.byteLength(place) + 1
    const padded = `${place}\0`.concat(' '.repeat((PADDED_TO - (length % PADDED_TO)) % PADDED_TO))
    return Buffer.concat([iv, cipher.update(padded, 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }

  /** The place. Throws a 422 for what was given to nobody, or to somebody who reaches something else. */
  async open(cursor: string, reach: string): Promise<string> {
    const known = this.#secret !== undefined
    const place = opened(cursor, reach, await this.#key())
    if (place !== undefined) return place
    // The store may have begun anew since.
    if (known) {
      this.#secret = undefined
      const again = opened(cursor, reach, await this.#key())
      if (again !== undefined) return again
    }
    throw new Problem(422, 'INVALID_REQUEST', 'after: is no cursor of this ledger. Give the next of the page before, or none to begin.')
  }

  #key(): Promise<Buffer> {
    if (this.#secret !== undefined) return this.#secret
    const found = this.#find()
    this.#secret = found
    found.catch(() => {
      if (this.#secret === found) this.#secret = undefined
    })
    return found
  }

  async #find(): Promise<Buffer> {
    const known = await this.#registry.get(KIND, KEY)
    if (known !== undefined) return Buffer.from(known.value, 'base64url')
    const made = randomBytes(32)
    if ((await this.#registry.put(KIND, KEY, made.toString('base64url'), { expected: 0 })) !== undefined) return made
    // Another process was first.
    const other = await this.#registry.get(KIND, KEY)
    if (other === undefined) throw new Problem(503, 'UNAVAILABLE', 'The store does not keep what it is given. Try again.')
    return Buffer.from(other.value, 'base64url')
  }
}

function opened(cursor: string, reach: string, key: Buffer): string | undefined {
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes.length <= IV_BYTES + TAG_BYTES || bytes.toString('base64url') !== cursor) return undefined
  try {
    const decipher = createDecipheriv(CIPHER, key, bytes.subarray(0, IV_BYTES)).setAAD(Buffer.from(reach)).setAuthTag(bytes.subarray(-TAG_BYTES))
    const padded = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]).toString()
    return padded.slice(0, padded.lastIndexOf('\0'))
  } catch {
    return undefined
  }
}
