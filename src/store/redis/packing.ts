// Numbers and texts as the scripts read and write them: little-endian, integers of 1, 2, 4, 7 and 8 bytes, texts that end in a zero
// byte or begin with their length. Knows no operation.

const TWO_32 = 2 ** 32
const START_SIZE = 4_096

/** Writes one message. Used again and again: {@link Packer.take} copies what was written and begins anew. */
export class Packer {
  #bytes = Buffer.allocUnsafe(START_SIZE)
  #length = 0

  /** Forgets what was written and not taken. */
  begin(): this {
    this.#length = 0
    return this
  }

  u8(value: number): this {
    if (!(value <= 0xff)) throw new RangeError(`a count of ${value} does not fit the store's message`)
    const at = this.#grow(1)
    this.#bytes[at] = value
    return this
  }

  u16(value: number): this {
    if (!(value <= 0xffff)) throw new RangeError(`a length of ${value} does not fit the store's message`)
    const at = this.#grow(2)
    this.#bytes.writeUInt16LE(value, at)
    return this
  }

  u32(value: number): this {
    const at = this.#grow(4)
    this.#bytes.writeUInt32LE(value, at)
    return this
  }

  /** An integer from 0 to 2^53: an instant, or an amount. */
  u56(value: number): this {
    const at = this.#grow(7)
    const high = Math.floor(value / TWO_32)
    this.#bytes.writeUInt32LE(value - high * TWO_32, at)
    this.#bytes.writeUIntLE(high, at + 4, 3)
    return this
  }

  i64(value: number): this {
    const at = this.#grow(8)
    const high = Math.floor(value / TWO_32)
    this.#bytes.writeUInt32LE(value - high * TWO_32, at)
    this.#bytes.writeInt32LE(high, at + 4)
    return this
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length)
    this.#bytes.set(value, at)
    return this
  }

  /** A text with its length before it. */
  text16(value: string): this {
    const length = Buffer.byteLength(value)
    this.u16(length)
    const at = this.#grow(length)
    this.#bytes.write(value, at)
    return this
  }

  /** A text that ends in a zero byte; it must not contain one. */
  textZ(value: string): this {
    const length = Buffer.byteLength(value)
    const at = this.#grow(length + 1)
    this.#bytes.write(value, at)
    this.#bytes[at + length] = 0
    return this
  }

  /** A text as it is. */
  text(value: string): this {
    const length = Buffer.byteLength(value)
    const at = this.#grow(length)
    this.#bytes.write(value, at)
    return this
  }

  /** What `write` writes, with its length before it. */
  sized16(write: () => void): this {
    const at = this.#grow(2)
    write()
    const length = this.#length - at - 2
    if (length > 0xffff) throw new RangeError(`a part of ${length} bytes does not fit the store's message`)
    this.#bytes.writeUInt16LE(length, at)
    return this
  }

  /** The same for more. */
  sized32(write: () => void): this {
    const at = this.#grow(4)
    write()
    this.#bytes.writeUInt32LE(this.#length - at - 4, at)
    return this
  }

  /** What was written, as bytes of their own. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    return taken
  }

  #grow(by: number): number {
    const at = this.#length
    this.#length = at + by
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(2 * this.#length)
      larger.set(this.#bytes.subarray(0, at))
      this.#bytes = larger
    }
    return at
  }
}

/** Reads one message from its beginning. */
export class Unpacker {
  readonly #bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.at = at
  }

  get isDone(): boolean {
    return this.at >= this.#bytes.length
  }

  u8(): number {
    return this.#bytes[this.at++] as number
  }

  u16(): number {
    const value = this.#bytes.readUInt16LE(this.at)
    this.at += 2
    return value
  }

  u32(): number {
    const value = this.#bytes.readUInt32LE(this.at)
    this.at += 4
    return value
  }

  u56(): number {
    const value = this.#bytes.readUInt32LE(this.at) + this.#bytes.readUIntLE(this.at + 4, 3) * TWO_32
    this.at += 7
    return value
  }

  i64(): number {
    const value = this.#bytes.readUInt32LE(this.at) + this.#bytes.readInt32LE(this.at + 4) * TWO_32
    this.at += 8
    return value
  }

  f64(): number {
    const value = this.#bytes.readDoubleLE(this.at)
    this.at += 8
    return value
  }

  text(length: number): string {
    const value = this.#bytes.toString('utf8', this.at, this.at + length)
    this.at += length
    return value
  }

  text16(): string {
    return this.text(this.u16())
  }

  textZ(): string {
    const end = this.#bytes.indexOf(0, this.at)
    const value = this.#bytes.toString('utf8', this.at, end)
    this.at = end + 1
    return value
  }

  bytes(length: number): Buffer {
    const value = this.#bytes.subarray(this.at, this.at + length)
    this.at += length
    return value
  }

  rest(): Buffer {
    return this.#bytes.subarray(this.at)
  }
}
