import { byClientIdAlone } from './client-id-alone.js'

/** A public client says who it is and proves it by PKCE alone (RFC 6749 §3.2.1). */
export const none = byClientIdAlone(async () => undefined)
