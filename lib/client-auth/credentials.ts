import type { ClientJwt } from '../keys/client-jwt.js'
import type { From } from '../network.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Sender } from '../sender.js'
import type { SingleUse } from '../single-use.js'
import type { Client } from '../store/records.js'
import type { Guard } from './guard.js'

/** What a machine endpoint hands over of a request. */
export interface AuthRequest {
  readonly parameters: Parameters
  /** The Authorization header. */
  readonly authorization: string | undefined
  /** Where it comes from, so that one stranger's guessing does not lock a client out everywhere. */
  readonly address: string
  /** The path of the endpoint that was called, under the mount. */
  readonly endpoint: string
  readonly sender: Sender
}

/** A JWT that is sent as proof (RFC 7521 §4.2), or what came in its place. */
export interface PresentedAssertion {
  /** The client_assertion as it was sent. */
  readonly compact: string | undefined
  /** The same decoded; undefined where it is no JWT. */
  readonly jwt: ClientJwt | undefined
  /** The client_assertion_type. */
  readonly type: string | undefined
}

/** What a request presents, before anything of it is believed. */
export interface Presented extends Pick<AuthRequest, 'parameters' | 'authorization'> {
  /** Undefined where neither an assertion nor its type is there. */
  readonly assertion: PresentedAssertion | undefined
}

/** What it takes to verify credentials. */
export interface Verification extends Pick<AuthRequest, 'endpoint' | 'sender'> {
  readonly from: From
  readonly runtime: Runtime
  readonly guard: Guard
}

/** Credentials as one method found them, of which nothing is proven yet. */
export interface Credentials {
  readonly clientId: string
  /** Resolves where they are this client's, with what has to be used up yet; rejects with `invalid_client` where they are not. */
  verify(client: Client, verification: Verification): Promise<SingleUse | undefined>
}

/** One way to authenticate a client. */
export interface AuthMethod {
  /** Whether a request says nothing of it but client_id. Then the registration of the client tells which of these methods it uses. */
  readonly isTacit?: true
  /** Whether a request uses this method, rightly or wrongly. */
  isPresented(presented: Presented): boolean
  /** Throws where the request uses it wrongly. */
  read(presented: Presented): Credentials
}
