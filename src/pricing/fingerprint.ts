// A short name for a text, the same on every machine. For telling texts apart, not for keeping secrets.

/** Twelve hex digits that differ for texts that differ, as far as 48 bits can. */
export function fingerprint(text: string): string {
  // Two lanes with different constants and mixing: what collides in one does not in the other.
  let one = 0x811c9dc5
  let other = 0x9e3779b9 ^ text.length
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    one = Math.imul(one ^ unit, 0x01000193)
    other = Math.imul(other ^ unit, 0x85ebca6b)
    other = (other << 13) | (other >>> 19)
  }
  return hex(scattered(one ^ (other >>> 7)), 8) + hex(scattered(other), 8).slice(0, 4)
}

function scattered(lane: number): number {
  const mixed = Math.imul(lane ^ (lane >>> 16), 0x7feb352d)
  const again = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b)
  return (again ^ (again >>> 16)) >>> 0
}

function hex(lane: number, digits: number): string {
  return lane.toString(16).padStart(digits, '0')
}
