import { UsageError } from './failure.js'

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 } as const

/** Seconds: `90`, `90s`, `30m`, `12h`, `7d`, `2w`. */
export function duration(flag: string, text: string): number {
  const [, count, unit = 's'] = /^(\d{1,9})([smhdw])?$/.exec(text) ?? []
  if (count !== undefined) return Number(count) * UNITS[unit as keyof typeof UNITS]
  throw new UsageError(`${flag} '${text}' is no length of time. Write 30m, 12h, 7d or 2w.`)
}

/** Milliseconds since 1970: a date (its beginning in UTC), a date with a time, or how long ago: `7d`. */
export function moment(flag: string, text: string, now: number): number {
  if (/^\d{1,9}[smhdw]$/.test(text)) return now - duration(flag, text) * 1000
  const iso = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/
  const time = iso.test(text) ? Date.parse(text.replace(' ', 'T')) : Number.NaN
  if (!Number.isNaN(time) && isDay(text)) return time
  throw new UsageError(
    `${flag} '${text}' is no time. Write 2026-01-31, 2026-01-31T12:00Z, or how long ago: 7d.`,
  )
}

export function isoTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** For a column: to the minute, in UTC. */
export function shortTime(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : isoTime(milliseconds).slice(0, 16).replace('T', ' ')
}

/** `Date.parse` takes the 31st of February for a day in March. */
function isDay(text: string): boolean {
  const day = text.slice(0, 10)
  const time = Date.parse(day)
  return !Number.isNaN(time) && isoTime(time).startsWith(day)
}
