import type { Parameters } from '../parameters.js'

/** What a request presents, before anything of it is believed. */
export interface Presented {
  readonly parameters: Parameters
  /** The Authorization header. */
  readonly authorization: string | undefined
}

/** Credentials as one method found them. */
export interface Credentials {
  readonly method: string
  readonly clientId: string
  /** The readings of the presented secret, the specified one first; none for `none`. */
  readonly secrets: readonly string[]
}

/** One way to authenticate a client. `read` answers undefined where the request does not use it, and throws where it uses it wrongly. */
export interface AuthMethod {
  readonly name: string
  read(presented: Presented): Credentials | undefined
}
