import type { Answer, Probe } from './probe.js'

/** What the checks know of the provider that they look at. */
export interface Examination {
  readonly probe: Probe
  /** The issuer, as it was asked about. */
  readonly issuer: string
  readonly metadata: Readonly<Record<string, unknown>>
  /** The answer that the metadata came with. */
  readonly document: Answer
  readonly options: Options
  /** Milliseconds since 1970. */
  readonly now: number
}

export interface Options {
  /** A client with which a whole request can be tried. */
  readonly client: string | undefined
  readonly redirectUri: string | undefined
  /** A route of the API that `requireToken` guards. */
  readonly resource: string | undefined
  /** Whether a client may be registered for the time of the examination. */
  readonly register: boolean
  /** The header Cookie of a browser that is signed in. */
  readonly cookie: string | undefined
}

/** A client with which a whole request can be made. */
export interface TryOut {
  readonly clientId: string
  readonly redirectUri: string
}

/** A member of the metadata that is a text. */
export function text({ metadata }: Pick<Examination, 'metadata'>, member: string): string | undefined {
  const value = metadata[member]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A member that is a list of texts; empty where it is none. */
export function texts({ metadata }: Pick<Examination, 'metadata'>, member: string): readonly string[] {
  const value = metadata[member]
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
}
