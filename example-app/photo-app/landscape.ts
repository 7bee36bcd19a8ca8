/** Landscapes drawn as SVG, so that the example has photos without files and without a network. Only art: skip it. */

type Random = () => number
export type Layer = (random: Random) => string

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

function gradient(kind: 'linear' | 'radial', from: string, to: string, opacity = 1) {
  const id = `${kind}${from}${to}`.replaceAll('#', '')
  const shape = kind === 'linear' ? 'linearGradient x1="0" y1="0" x2="0" y2="1"' : 'radialGradient'
  const stops = `<stop stop-color="${from}"/><stop offset="1" stop-color="${to}" stop-opacity="${opacity}"/>`
  return { id, definition: `<${shape} id="${id}">${stops}</${shape.split(' ')[0]}>` }
}

export const sky = (top: string, bottom: string, y = 0, height = 400): Layer => {
  const { id, definition } = gradient('linear', top, bottom)
  return () => `${definition}<rect y="${y}" width="600" height="${height}" fill="url(#${id})"/>`
}

export const sun = (x: number, y: number, radius: number, color: string): Layer => {
  const { id, definition } = gradient('radial', color, color, 0)
  return () =>
    `${definition}<circle cx="${x}" cy="${y}" r="${radius * 5}" fill="url(#${id})" opacity=".5"/>
    <circle cx="${x}" cy="${y}" r="${radius}" fill="${color}"/>`
}

export const stars = (count: number): Layer => {
  const star = (random: Random) =>
    `<circle cx="${(random() * 600).toFixed(1)}" cy="${(random() * 260).toFixed(1)}" r="${(0.3 + random()).toFixed(1)}"/>`
  return (random) =>
    `<g fill="#fff" opacity=".8">${range(count)
      .map(() => star(random))
      .join('')}</g>`
}

/** The edge between two heights, broken in the middle again and again: the rougher, the more like rock. */
function edge(
  random: Random,
  left: number,
  right: number,
  height: number,
  roughness: number,
  depth: number,
): number[] {
  if (depth === 0) return [left]
  const middle = (left + right) / 2 + (random() - 0.5) * height
  return [
    ...edge(random, left, middle, height * roughness, roughness, depth - 1),
    ...edge(random, middle, right, height * roughness, roughness, depth - 1),
  ]
}

export const mountains = (
  y: number,
  height: number,
  top: string,
  bottom: string,
  roughness = 0.52,
): Layer => {
  const { id, definition } = gradient('linear', top, bottom)
  return (random) => {
    const heights = [...edge(random, y, y, height, roughness, 7), y]
    const points = heights.map((at, index) => `${((index * 600) / 128).toFixed(1)},${at.toFixed(1)}`)
    return `${definition}<path d="M${points.join('L')}V400H0Z" fill="url(#${id})"/>`
  }
}

export const hill = (left: number, crest: number, right: number, top: string, bottom: string): Layer => {
  const { id, definition } = gradient('linear', top, bottom)
  const path = `M0,${left}C150,${crest} 250,${crest} 340,${(crest + right) / 2}S520,${right} 600,${right - 14}V400H0Z`
  return () => `${definition}<path d="${path}" fill="url(#${id})"/>`
}

export const sea = (y: number, top: string, bottom: string, glint: string, x: number): Layer => {
  const wave = (random: Random) => {
    const depth = random()
    const width = 12 + depth * 70 * random()
    const from = x + (random() - 0.5) * (60 + depth * 180) - width / 2
    return `<rect x="${from.toFixed(1)}" y="${(y + 4 + depth * (390 - y)).toFixed(1)}" width="${width.toFixed(1)}" height="${(1 + depth * 3).toFixed(1)}" rx="2"/>`
  }
  const surface = sky(top, bottom, y, 400 - y)
  return (random) =>
    `${surface(random)}<g fill="${glint}" opacity=".55">${range(70)
      .map(() => wave(random))
      .join('')}</g>`
}

export const firs = (y: number, size: number, color: string): Layer => {
  const fir = (x: number, height: number) =>
    [0, 0.28, 0.56].map((at) => {
      const [top, half] = [y - height * (1 - at), height * (0.12 + at * 0.16)]
      return `M${x.toFixed(1)},${top.toFixed(1)}l${half.toFixed(1)},${(height * 0.48).toFixed(1)}h${(-2 * half).toFixed(1)}z`
    })
  return (random) => {
    const trees = range(46).flatMap((index) =>
      fir(index * 13.3 + random() * 10, size * (0.55 + random() * 0.6)),
    )
    return `<path d="${trees.join('')}M0,${y - 20}H600V400H0Z" fill="${color}"/>`
  }
}

export const houses = (y: number, height: number, wall: string, light: string): Layer => {
  return (random) => {
    let drawing = ''
    for (let x = -8; x < 600; ) {
      const [width, top] = [26 + random() * 34, y - height * (0.35 + random() * random() * 0.9)]
      drawing += `<rect x="${x.toFixed(1)}" y="${top.toFixed(1)}" width="${width.toFixed(1)}" height="400" fill="${wall}"/>`
      for (let left = x + 5; left < x + width - 7; left += 8) {
        for (let down = top + 7; down < y + 60; down += 11) {
          if (random() < 0.42)
            drawing += `<path d="M${left.toFixed(1)},${down.toFixed(1)}h4v6h-4z" fill="${light}"/>`
        }
      }
      x += width + 2
    }
    return drawing
  }
}

export const aurora = (color: string, y: number): Layer => {
  const curtain = (random: Random, index: number) => {
    const [x, top, bottom] = [index * 22 - 20, y - 70 - random() * 80, y + Math.sin(index / 3.4) * 46]
    return `<path d="M${x},${bottom.toFixed(1)}Q${x + 12},${(bottom - 70).toFixed(1)} ${x + 26},${top.toFixed(1)}" opacity="${(0.25 + random() * 0.6).toFixed(2)}"/>`
  }
  return (random) =>
    `<filter id="soft" x="-20%" width="140%" y="-20%" height="140%"><feGaussianBlur stdDeviation="9 14"/></filter>
    <g stroke="${color}" stroke-width="24" fill="none" filter="url(#soft)">${range(30)
      .map((index) => curtain(random, index))
      .join('')}</g>`
}

export const balloon = (x: number, y: number, size: number, color: string, stripe: string): Layer => {
  return () =>
    `<g transform="translate(${x} ${y}) scale(${size})"><path d="M-9,19L-3,32H3L9,19" fill="none" stroke="#4a3528"/>
    <path d="M0,-24C28,-24 28,6 5,24H-5C-28,6 -28,-24 0,-24Z" fill="${color}"/>
    <path d="M0,-24C10,-24 10,6 2,24H-2C-10,6 -10,-24 0,-24Z" fill="${stripe}"/>
    <rect x="-4" y="31" width="8" height="7" rx="1.5" fill="#6b4a35"/></g>`
}

export const lighthouse = (x: number, y: number): Layer => {
  return () =>
    `<path d="M${x},${y - 122}L${x - 540},${y - 200}V${y - 72}Z" fill="#ffe9a8" opacity=".28"/>
    <path d="M${x - 11},${y - 112}H${x + 11}L${x + 19},${y + 8}H${x - 19}Z" fill="#f4efe6"/>
    <path d="M${x - 13},${y - 82}h26l2,24h-30zM${x - 16},${y - 34}h32l2,24h-36z" fill="#c8453b"/>
    <path d="M${x - 14},${y - 114}h28v4h-28zM${x - 10},${y - 132}L${x},${y - 143}L${x + 10},${y - 132}z" fill="#2a2b3d"/>
    <rect x="${x - 8}" y="${y - 132}" width="16" height="18" fill="#fff3c4"/>`
}

export function landscape(seed: number, layers: Layer[]): string {
  const random = seededRandom(seed)
  const drawing = layers.map((layer) => layer(random)).join('')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 600 400">${drawing}</svg>`
  return `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`
}

/** The same landscapes at every start (mulberry32). */
function seededRandom(seed: number): Random {
  let state = seed * 7919 + 1
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
