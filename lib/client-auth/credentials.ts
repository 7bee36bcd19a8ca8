import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import type { SecretGuard } from './secret-guard.js'

/** What a request presents, before anything of it is believed. */
export interface Presented {
  readonly parameters: Parameters
  /** The Authorization header. */
  readonly authorization: string | undefined
}

/** What it takes to verify credentials. */
export interface Verification {
  readonly runtime: Runtime
  readonly guard: SecretGuard
  /** Where the request comes from. */
  readonly address: string
  /** The path of the endpoint that was called, under the mount. */
  readonly endpoint: string
}

/** A proof that counts once only. */
export interface SingleUse {
  readonly jti: string
  /** Milliseconds. After this the proof is worth nothing, used or not. */
  readonly expiresAt: number
}

/** Credentials as one method found them, of which nothing is proven yet. */
export interface Credentials {
  readonly clientId: string
  /** Resolves where they are this client's, with what has to be used up yet; rejects with `invalid_client` where they are not. */
  verify(client: Client, verification: Verification): Promise<SingleUse | undefined>
}

/** One way to authenticate a client. */
export interface AuthMethod {
  readonly name: string
  /** Whether a request uses this method, rightly or wrongly. */
  isPresented(presented: Presented): boolean
  /** Throws where the request uses it wrongly. */
  read(presented: Presented): Credentials
}
