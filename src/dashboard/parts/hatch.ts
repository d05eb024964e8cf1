// Patterns for bars, so that kinds can be told apart without their colours: plain, dots, lines, a grid of lines.

/** How a kind is drawn. */
export type Hatch = 'plain' | 'dots' | 'lines' | 'grid'

/** A fill for a canvas: `ink` on which the pattern is cut out in `paper`. */
export function hatched(ink: string, paper: string, hatch: Hatch): string | CanvasPattern {
  if (hatch === 'plain') return ink
  const scale = devicePixelRatio
  const size = Math.round(7 * scale)
  const tile = document.createElement('canvas')
  tile.width = size
  tile.height = size
  const draw = tile.getContext('2d')
  if (draw === null) return ink
  draw.fillStyle = ink
  draw.fillRect(0, 0, size, size)
  draw.strokeStyle = paper
  draw.fillStyle = paper
  draw.lineWidth = 1.3 * scale
  draw.beginPath()
  if (hatch === 'dots') {
    draw.arc(size / 2, size / 2, 1.3 * scale, 0, 7)
    draw.fill()
  } else {
    for (const shift of [-size, 0, size]) {
      draw.moveTo(shift, size)
      draw.lineTo(shift + size, 0)
      if (hatch === 'grid') {
        draw.moveTo(shift, 0)
        draw.lineTo(shift + size, size)
      }
    }
    draw.stroke()
  }
  return draw.createPattern(tile, 'repeat') ?? ink
}
