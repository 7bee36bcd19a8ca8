import type { AuthMethod } from './credentials.js'

/** A public client says who it is and proves it by PKCE alone (RFC 6749 §3.2.1). */
export const none: AuthMethod = {
  isPresented({ authorization, parameters, assertion }) {
    const proves = authorization !== undefined || parameters.get('client_secret') !== undefined
    return parameters.get('client_id') !== undefined && !proves && assertion === undefined
  },
  read({ parameters }) {
    return { clientId: parameters.get('client_id') ?? '', verify: async () => undefined }
  },
}
