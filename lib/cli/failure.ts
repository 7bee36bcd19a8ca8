import { ConfigurationError, OAuthError, StoreUnavailableError } from '../errors.js'

/** What a program is answered by the system. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Something that was refused or could not be done. The message says what to do instead. */
export class Failure extends Error {
  override readonly name: string = 'Failure'
  readonly exitCode: number = EXIT.failed
  /** Stable machine name. */
  readonly code: string

  constructor(code: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
  }
}

/** The command was typed in a way that means nothing. */
export class UsageError extends Failure {
  override readonly name = 'UsageError'
  override readonly exitCode = EXIT.usage

  constructor(message: string) {
    super('usage', message)
  }
}

/** Ctrl-C, or the end of the input where an answer was awaited. */
export class Interrupted extends Failure {
  override readonly name = 'Interrupted'
  override readonly exitCode = EXIT.interrupted

  constructor(message = 'Interrupted.') {
    super('interrupted', message)
  }
}

/** What is told of a failure. */
export interface Told {
  readonly error: string
  readonly reason?: string
  readonly message: string
  readonly exitCode: number
}

export function told(error: unknown): Told {
  if (error instanceof Failure) return { error: error.code, message: error.message, exitCode: error.exitCode }
  const exitCode = EXIT.failed
  if (error instanceof OAuthError)
    return { error: error.code, reason: error.reason, message: error.message, exitCode }
  if (error instanceof ConfigurationError)
    return { error: 'configuration', reason: error.option, message: configuration(error), exitCode }
  if (error instanceof StoreUnavailableError)
    return { error: 'store_unavailable', message: withCause(error), exitCode }
  return { error: 'failed', message: error instanceof Error ? error.message : String(error), exitCode }
}

/** Whether nobody reads what is written any longer, as with `| head`. */
export function isBrokenPipe(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_STREAM_WRITE_AFTER_END'
}

/** Here the option `secret` is a variable of the environment. */
function configuration({ option, message }: ConfigurationError): string {
  const text = message.replace(/^oauthProvider: /, '')
  if (option !== 'secret' && !option.startsWith('secret[')) return text
  return `${text} The command line takes the secret from OAUTH_SECRET, and the one before it, while it is being changed, from OAUTH_SECRET_OLD.`
}

function withCause({ message, cause }: StoreUnavailableError): string {
  if (!(cause instanceof Error)) return message
  const { code } = cause as { code?: unknown }
  const why = cause.message || (typeof code === 'string' ? code : cause.name)
  return `${message.replace(/\.$/, '')}: ${why}`
}
