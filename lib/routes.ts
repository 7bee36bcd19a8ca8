import { ClientAuthenticator } from './client-auth/authenticate.js'
import { authorize, authorizeByPost } from './endpoints/authorize.js'
import { refuseWithdrawal, showApplications, withdraw } from './endpoints/authorized-applications.js'
import { decideConsent, refuseConsent, showConsent } from './endpoints/consent.js'
import { token } from './endpoints/token.js'
import type { Route } from './http/router.js'
import type { Runtime } from './runtime.js'

/** The table of contents: every endpoint under the mount, but for the metadata document, which is made from it. */
export function routeTable(runtime: Runtime): readonly Route[] {
  const authenticator = new ClientAuthenticator(runtime)
  return [
    {
      path: '/authorize',
      member: 'authorization_endpoint',
      kind: 'page',
      authorizes: true,
      methods: {
        GET: (request) => authorize(runtime, request),
        POST: (request) => authorizeByPost(runtime, request),
      },
    },
    {
      path: '/consent/:id',
      kind: 'form',
      authorizes: true,
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
      authorizes: false,
      methods: {
        GET: (request) => showApplications(runtime, request),
        POST: (request) => withdraw(runtime, request),
        refused: (request) => refuseWithdrawal(runtime, request),
      },
    },
  ]
}

/** The endpoints that the metadata names: member to path. */
export function endpointsOf(routes: readonly Route[]): ReadonlyMap<string, string> {
  return new Map(
    routes.flatMap(({ member, path }) => (member === undefined ? [] : [[member, path] as const])),
  )
}
