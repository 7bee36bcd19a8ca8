import type { AuthenticatedClient } from '../clients/authenticated-client.js'
import type { Parameters } from '../parameters.js'
import type { Runtime } from '../runtime.js'
import type { TokenAnswer } from '../tokens/answer.js'

/** One way to get tokens: a value of `grant_type` at the token endpoint. */
export interface GrantType {
  readonly name: string
  /** Its parameters that may come only once (RFC 6749 §3.2). */
  readonly parameters: readonly string[]
  issue(runtime: Runtime, client: AuthenticatedClient, parameters: Parameters): Promise<TokenAnswer>
}
