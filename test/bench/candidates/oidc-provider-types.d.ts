/** What the benchmark uses of it; its types are a package of their own. */
declare module 'oidc-provider' {
  import type { IncomingMessage, ServerResponse } from 'node:http'

  interface Saved {
    save(ttl?: number): Promise<string>
  }
  interface AccessToken extends Saved {
    readonly isValid: boolean
    readonly scopes: ReadonlySet<string>
  }
  export default class Provider {
    constructor(issuer: string, configuration: object)
    callback(): (req: IncomingMessage, res: ServerResponse) => void
    readonly Client: { find(id: string): Promise<object | undefined> }
    readonly AccessToken: {
      new (payload: object): AccessToken
      find(value: string): Promise<AccessToken | undefined>
    }
    readonly Grant: { new (payload: object): Saved & { addOIDCScope(scope: string): void } }
    readonly Session: { new (payload: object): Saved & { readonly jti: string; readonly uid: string } }
  }
}
