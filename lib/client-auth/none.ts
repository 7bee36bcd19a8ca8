import { presentsAssertion } from './assertion.js'
import type { AuthMethod } from './credentials.js'

/** A public client says who it is and proves it by PKCE alone (RFC 6749 §3.2.1). */
export const none: AuthMethod = {
  name: 'none',
  isPresented(presented) {
    const { authorization, parameters } = presented
    const proves = authorization !== undefined || parameters.get('client_secret') !== undefined
    return parameters.get('client_id') !== undefined && !proves && !presentsAssertion(presented)
  },
  read({ parameters }) {
    return { clientId: parameters.get('client_id') ?? '', verify: async () => undefined }
  },
}
