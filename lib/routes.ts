import type { AuditReader } from './audit/reader.js'
import { ClientAuthenticator } from './client-auth/authenticate.js'
import type { RegistrationSettings } from './client-sources.js'
import type { DocumentUse } from './clients/find.js'
import { type ClientEndpoint, clientEndpoint } from './endpoints/client-endpoint.js'
import { deviceAuthorization } from './endpoints/device-authorization.js'
import { introspect } from './endpoints/introspect.js'
import { par } from './endpoints/par.js'
import {
  deleteRegistration,
  readRegistration,
  register,
  replaceRegistration,
} from './endpoints/registration.js'
import { revoke } from './endpoints/revoke.js'
import { type TellRefusal, tellingRefusals } from './endpoints/telling-refusals.js'
import { token } from './endpoints/token.js'
import { userinfo } from './endpoints/userinfo.js'
import type { Route } from './http/router.js'
import { JWKS_MAX_AGE } from './keys/keys.js'
import {
  administration,
  forBrowsers,
  forWhoMakesApplications,
  type Row,
  type RuntimeAt,
} from './page-routes.js'
import type { Possession } from './possession/possession.js'
import { REGISTRATION_PATH } from './registration/information.js'
import { heardFrom, type Runtime } from './runtime.js'
import type { Sessions } from './sessions/sessions.js'

/** The table of contents: every endpoint under the mount, but for the metadata document, which is made from it. */
export function routeTable(
  runtime: Runtime,
  sessions: Sessions,
  possession: Possession,
  audit: Pick<AuditReader, 'find'>,
): readonly Route[] {
  const { features, keepAddresses } = runtime.settings
  const at: RuntimeAt = keepAddresses ? ({ address }) => heardFrom(runtime, address) : () => runtime
  const rows = [
    ...forBrowsers(at, sessions),
    ...forWhoMakesApplications(runtime, at),
    ...administration(runtime, at, audit),
    ...forMachines(runtime, at, possession),
  ]
  return rows.filter(({ feature, offered = true }) => offered && (feature === undefined || features[feature]))
}

function forMachines(runtime: Runtime, at: RuntimeAt, possession: Possession): readonly Row[] {
  const authenticator = new ClientAuthenticator(runtime)
  const tell: TellRefusal = (refusal, endpoint) => runtime.emit('request.refused', { endpoint, ...refusal })
  const tellOfTokens: TellRefusal = (refusal) => runtime.emit('token.refused', refusal)
  const forClients = (use: DocumentUse, endpoint: ClientEndpoint, telling = tell) => ({
    POST: clientEndpoint(authenticator, telling, (client, asked) => endpoint(at(asked), client, asked), use),
  })
  return [
    {
      path: '/token',
      member: 'token_endpoint',
      kind: 'machine',
      // A device asks here before anything is kept of its client.
      methods: forClients('kept_or_current', (own, ...told) => token(own, possession, ...told), tellOfTokens),
    },
    {
      path: '/revoke',
      member: 'revocation_endpoint',
      feature: 'revocation',
      kind: 'machine',
      methods: forClients('kept', revoke),
    },
    {
      path: '/introspect',
      member: 'introspection_endpoint',
      feature: 'introspection',
      kind: 'machine',
      methods: forClients('kept', introspect),
    },
    {
      path: '/par',
      member: 'pushed_authorization_request_endpoint',
      feature: 'pushedAuthorizationRequests',
      kind: 'machine',
      methods: forClients('current', (own, ...told) => par(own, possession, ...told)),
    },
    {
      path: '/device_authorization',
      member: 'device_authorization_endpoint',
      feature: 'deviceAuthorization',
      kind: 'machine',
      methods: forClients('current', deviceAuthorization),
    },
    {
      path: '/userinfo',
      member: 'userinfo_endpoint',
      kind: 'machine',
      methods: {
        GET: (request) => userinfo(at(request), possession, request),
        POST: (request) => userinfo(at(request), possession, request),
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
    ...registration(at, tell, runtime.settings.registration),
  ]
}

function registration(
  at: RuntimeAt,
  tell: TellRefusal,
  settings: RegistrationSettings | undefined,
): readonly Row[] {
  if (settings === undefined) return []
  return [
    {
      path: REGISTRATION_PATH,
      member: 'registration_endpoint',
      kind: 'machine',
      methods: {
        POST: tellingRefusals(tell, (request) => register(at(request), settings, request)),
        json: true,
      },
    },
    {
      path: `${REGISTRATION_PATH}/:id`,
      offered: settings.management,
      kind: 'machine',
      methods: {
        GET: tellingRefusals(tell, (request) => readRegistration(at(request), request)),
        PUT: tellingRefusals(tell, (request) => replaceRegistration(at(request), settings, request)),
        DELETE: tellingRefusals(tell, (request) => deleteRegistration(at(request), request)),
        json: true,
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
