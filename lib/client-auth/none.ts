import type { AuthMethod } from './credentials.js'

/** A public client says who it is and proves it by PKCE alone (RFC 6749 §3.2.1). */
export const none: AuthMethod = {
  name: 'none',
  read({ authorization, parameters }) {
    const clientId = parameters.get('client_id')
    const presentsSecret = authorization !== undefined || parameters.get('client_secret') !== undefined
    return clientId === undefined || presentsSecret ? undefined : { method: this.name, clientId, secrets: [] }
  },
}
