import { ClientAuthenticator } from './client-auth/authenticate.js'
import { authorize, authorizeByPost } from './endpoints/authorize.js'
import { refuseWithdrawal, showApplications, withdraw } from './endpoints/authorized-applications.js'
import { type ClientEndpoint, clientEndpoint, type TellRefusal } from './endpoints/client-endpoint.js'
import { decideConsent, refuseConsent, showConsent } from './endpoints/consent.js'
import { decideDevice, refuseDevice, showDevice } from './endpoints/device.js'
import { deviceAuthorization } from './endpoints/device-authorization.js'
import { introspect } from './endpoints/introspect.js'
import { decideLogout, logout, refuseLogout } from './endpoints/logout.js'
import { par } from './endpoints/par.js'
import { revoke } from './endpoints/revoke.js'
import { token } from './endpoints/token.js'
import { userinfo } from './endpoints/userinfo.js'
import type { FormRoute } from './http/pages.js'
import type { Route } from './http/router.js'
import { JWKS_MAX_AGE } from './keys/keys.js'
import type { Features } from './options.js'
import type { Possession } from './possession/possession.js'
import type { Runtime } from './runtime.js'
import type { Sessions } from './sessions/sessions.js'

/** An endpoint, and the feature with which the host turns it off. */
type Row = Route & { readonly feature?: keyof Features }

/** The table of contents: every endpoint under the mount, but for the metadata document, which is made from it. */
export function routeTable(runtime: Runtime, sessions: Sessions, possession: Possession): readonly Route[] {
  const rows = [...forBrowsers(runtime, sessions), ...forMachines(runtime, possession)]
  const { features } = runtime.settings
  return rows.filter(({ feature }) => feature === undefined || features[feature])
}

function forBrowsers(runtime: Runtime, sessions: Sessions): readonly Row[] {
  const device: Omit<FormRoute, 'path'> = {
    kind: 'form',
    authorizes: false,
    methods: {
      GET: (request) => showDevice(runtime, request),
      POST: (request) => decideDevice(runtime, request),
      refused: (request) => refuseDevice(runtime, request),
    },
  }
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
    { path: '/device', feature: 'deviceAuthorization', ...device },
    // With the code, as the browser comes back from the login.
    { path: '/device/:id', feature: 'deviceAuthorization', ...device },
    {
      path: '/logout',
      member: 'end_session_endpoint',
      feature: 'logout',
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

function forMachines(runtime: Runtime, possession: Possession): readonly Row[] {
  const authenticator = new ClientAuthenticator(runtime)
  const tell: TellRefusal = (refusal, endpoint) => runtime.emit('request.refused', { endpoint, ...refusal })
  const tellOfTokens: TellRefusal = (refusal) => runtime.emit('token.refused', refusal)
  const forClients = (endpoint: ClientEndpoint, telling = tell) => ({
    POST: clientEndpoint(authenticator, telling, endpoint),
  })
  return [
    {
      path: '/token',
      member: 'token_endpoint',
      kind: 'machine',
      methods: forClients((client, request) => token(runtime, possession, client, request), tellOfTokens),
    },
    {
      path: '/revoke',
      member: 'revocation_endpoint',
      feature: 'revocation',
      kind: 'machine',
      methods: forClients((client, request) => revoke(runtime, client, request)),
    },
    {
      path: '/introspect',
      member: 'introspection_endpoint',
      feature: 'introspection',
      kind: 'machine',
      methods: forClients((client, request) => introspect(runtime, client, request)),
    },
    {
      path: '/par',
      member: 'pushed_authorization_request_endpoint',
      feature: 'pushedAuthorizationRequests',
      kind: 'machine',
      methods: forClients((client, request) => par(runtime, possession, client, request)),
    },
    {
      path: '/device_authorization',
      member: 'device_authorization_endpoint',
      feature: 'deviceAuthorization',
      kind: 'machine',
      methods: forClients((client, request) => deviceAuthorization(runtime, client, request)),
    },
    {
      path: '/userinfo',
      member: 'userinfo_endpoint',
      kind: 'machine',
      methods: {
        GET: (request) => userinfo(runtime, possession, request),
        POST: (request) => userinfo(runtime, possession, request),
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
  ]
}

/** The endpoints that the metadata names: member to path. */
export function endpointsOf(routes: readonly Route[]): ReadonlyMap<string, string> {
  return new Map(
    routes.flatMap(({ member, path }) => (member === undefined ? [] : [[member, path] as const])),
  )
}
