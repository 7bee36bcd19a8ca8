import type { AuditReader } from './audit/reader.js'
import { adminClients } from './endpoints/admin.js'
import { adminAudit } from './endpoints/admin-audit.js'
import { adminClient } from './endpoints/admin-client.js'
import { adminUser } from './endpoints/admin-user.js'
import { type AdminPage, forAdministrators } from './endpoints/administrators.js'
import { application } from './endpoints/application.js'
import { applications } from './endpoints/applications.js'
import { authorize, authorizeByPost } from './endpoints/authorize.js'
import { refuseWithdrawal, showApplications, withdraw } from './endpoints/authorized-applications.js'
import { decideConsent, refuseConsent, showConsent } from './endpoints/consent.js'
import { type DeveloperMethods, forDevelopers } from './endpoints/developers.js'
import { decideDevice, refuseDevice, showDevice } from './endpoints/device.js'
import { decideLogout, logout, refuseLogout } from './endpoints/logout.js'
import type { FormRoute } from './http/pages.js'
import type { Route } from './http/router.js'
import type { Features } from './options.js'
import type { Runtime } from './runtime.js'
import type { Sessions } from './sessions/sessions.js'

/** An endpoint, and the feature with which the host turns it off, or whether an option has turned it on. */
export type Row = Route & { readonly feature?: keyof Features; readonly offered?: boolean }

/** The runtime for answering a request: with the address of whoever asks, where that may be kept. */
export type RuntimeAt = (request: { readonly address: string }) => Runtime

export function forBrowsers(at: RuntimeAt, sessions: Sessions): readonly Row[] {
  const device: Omit<FormRoute, 'path'> = {
    kind: 'form',
    authorizes: false,
    methods: {
      GET: (request) => showDevice(at(request), request),
      POST: (request) => decideDevice(at(request), request),
      refused: (request) => refuseDevice(at(request), request),
    },
  }
  return [
    {
      path: '/authorize',
      member: 'authorization_endpoint',
      kind: 'page',
      authorizes: true,
      methods: {
        GET: (request) => authorize(at(request), request),
        POST: (request) => authorizeByPost(at(request), request),
      },
    },
    {
      path: '/consent/:id',
      kind: 'form',
      authorizes: true,
      methods: {
        GET: (request) => showConsent(at(request), request),
        POST: (request) => decideConsent(at(request), request),
        refused: (request) => refuseConsent(at(request), request),
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
        GET: (request) => logout(at(request), sessions, request),
        POST: (request) => decideLogout(at(request), sessions, request),
        refused: (request) => refuseLogout(at(request), request),
      },
    },
    {
      path: '/authorized-applications',
      kind: 'form',
      authorizes: false,
      methods: {
        GET: (request) => showApplications(at(request), request),
        POST: (request) => withdraw(at(request), request),
        refused: (request) => refuseWithdrawal(at(request), request),
      },
    },
  ]
}

export function forWhoMakesApplications({ settings }: Runtime, at: RuntimeAt): readonly Row[] {
  const row = (path: string, methods: DeveloperMethods): Row => ({
    path,
    kind: 'form',
    authorizes: false,
    offered: settings.applications !== undefined,
    methods: forDevelopers(at, methods),
  })
  return [row('/applications', applications), row('/applications/:id', application)]
}

export function administration(
  { settings }: Runtime,
  at: RuntimeAt,
  audit: Pick<AuditReader, 'find'>,
): readonly Row[] {
  const row = (path: string, page: AdminPage): Row => ({
    path,
    kind: 'form',
    authorizes: false,
    offered: settings.admin !== undefined,
    methods: forAdministrators(at, page),
  })
  return [
    row('/admin', adminClients),
    row('/admin/client', adminClient),
    row('/admin/user', adminUser),
    row('/admin/audit', adminAudit(audit)),
  ]
}
