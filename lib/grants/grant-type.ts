import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { GrantTypeRule } from '../grant-types.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { Confirmation } from '../sender.js'
import type { Settings } from '../settings.js'
import type { TokenAnswer } from '../tokens/answer.js'

/** What a client asks of the token endpoint. */
export interface TokenRequest {
  readonly parameters: Parameters
  /** What its tokens are to be bound to; undefined for bearer tokens. */
  readonly confirmation: Confirmation | undefined
}

/** One way to get tokens: a value of `grant_type` at the token endpoint. */
export interface GrantType extends GrantTypeRule {
  /** Its parameters that may come only once (RFC 6749 §3.2). */
  readonly parameters: readonly string[]
  /** Whether the host has turned it on; where this is left out, it is always there. */
  isOffered?(settings: Settings): boolean
  issue(runtime: Runtime, client: AuthenticatedClient, request: TokenRequest): Promise<TokenAnswer>
}
