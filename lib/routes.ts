import { ClientAuthenticator } from './client-auth/authenticate.js'
import { authorize, authorizeByPost } from './endpoints/authorize.js'
import { refuseWithdrawal, showApplications, withdraw } from './endpoints/authorized-applications.js'
import { decideConsent, refuseConsent, showConsent } from './endpoints/consent.js'
import { decideLogout, logout, refuseLogout } from './endpoints/logout.js'
import { token } from './endpoints/token.js'
import { userinfo } from './endpoints/userinfo.js'
import type { Route } from './http/router.js'
import { JWKS_MAX_AGE } from './keys/keys.js'
import type { Runtime } from './runtime.js'
import type { Sessions } from './sessions/sessions.js'

/** The table of contents: every endpoint under the mount, but for the metadata document, which is made from it. */
export function routeTable(runtime: Runtime, sessions: Sessions): readonly Route[] {
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
      methods: { POST: (request) => token(runtime, authenticator, request) },
    },
    {
      path: '/userinfo',
      member: 'userinfo_endpoint',
      kind: 'machine',
      methods: {
        GET: (request) => userinfo(runtime, request),
        POST: (request) => userinfo(runtime, request),
        formOptional: true,
      },
    },
    {
      path: '/jwks',
      member: 'jwks_uri',
      kind: 'document',
      document: () => runtime.keys.published(),
      maxAge: JWKS_MAX_AGE,
    },
    {
      path: '/logout',
      member: 'end_session_endpoint',
      kind: 'form',
      authorizes: false,
      methods: {
        GET: (request) => logout(runtime, sessions, request),
        POST: (request) => decideLogout(runtime, sessions, request),
        refused: (request) => refuseLogout(runtime, request),
      },
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
