/** What the doctor says about one thing. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error'
  /** Stable machine name of what was looked at. */
  readonly check: string
  readonly message: string
  /** What to do about it. */
  readonly cure?: string
}

export function ok(check: string, message: string): Finding {
  return { level: 'ok', check, message }
}

export function warning(check: string, message: string, cure: string): Finding {
  return { level: 'warning', check, message, cure }
}

export function error(check: string, message: string, cure: string): Finding {
  return { level: 'error', check, message, cure }
}

/** `good` where `holds`, the other one where it does not. */
export function either(holds: boolean, good: Finding, bad: Finding): Finding {
  return holds ? good : bad
}
