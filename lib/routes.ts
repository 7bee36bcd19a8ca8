import { ClientAuthenticator } from './client-auth/authenticate.js'
import { authorize, authorizeByPost } from './endpoints/authorize.js'
import { refuseWithdrawal, showApplications, withdraw } from './endpoints/authorized-applications.js'
import { decideConsent, refuseConsent, showConsent } from './endpoints/consent.js'
import { token } from './endpoints/token.js'
import type { FormMethods, PageMethods } from './http/pages.js'
import type { JsonReply } from './http/reply.js'
import type { MachineRequest } from './http/request.js'
import type { Runtime } from './runtime.js'

/** One endpoint. `member` is its name in the metadata, where it has one. */
export type Route = { readonly path: string; readonly member?: string } & (
  | { readonly kind: 'machine'; readonly post: (request: MachineRequest) => Promise<JsonReply> }
  | { readonly kind: 'page'; readonly methods: PageMethods }
  | { readonly kind: 'form'; readonly methods: FormMethods }
)

/** The table of contents: every endpoint under the mount, but for the metadata document, which is made from it. */
export function routeTable(runtime: Runtime): readonly Route[] {
  const authenticator = new ClientAuthenticator(runtime)
  return [
    {
      path: '/authorize',
      member: 'authorization_endpoint',
      kind: 'page',
      methods: {
        GET: (request) => authorize(runtime, request),
        POST: (request) => authorizeByPost(runtime, request),
      },
    },
    {
      path: '/consent/:id',
      kind: 'form',
      methods: {
        GET: (request) => showConsent(runtime, request),
        POST: (request) => decideConsent(runtime, request),
        refused: (request) => refuseConsent(runtime, request),
      },
    },
    {
      path: '/token',
      member: 'token_endpoint',
      kind: 'machine',
      post: (request) => token(runtime, authenticator, request),
    },
    {
      path: '/authorized-applications',
      kind: 'form',
      methods: {
        GET: (request) => showApplications(runtime, request),
        POST: (request) => withdraw(runtime, request),
        refused: (request) => refuseWithdrawal(runtime, request),
      },
    },
  ]
}
