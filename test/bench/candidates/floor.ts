import express, { type Express } from 'express'
import { CLIENT, ISSUER, LIFETIME, PATHS } from './candidate.js'

export type Form = Readonly<Record<string, string | undefined>>

/** What a floor does with what was asked. It checks nothing that OAuth asks for. */
export interface Floor extends Tokens<object> {
  /** Answers where to send the browser. */
  authorize(query: Form, cookie: string | undefined): string
  introspect(token: string): object
  mayRead(token: string): boolean
}

/** The plain way: one route each, a body parser, `res.json`. */
export function mountParsed(app: Express, floor: Floor): void {
  app.get(PATHS.authorize, (req, res) => {
    res.redirect(303, floor.authorize(req.query as Form, req.headers.cookie))
  })
  const form = express.urlencoded({ extended: false })
  app.post(PATHS.token, form, (req, res) => {
    readBasic(req.headers.authorization)
    res.set('Cache-Control', 'no-store').json(tokensFor(floor, req.body))
  })
  app.post(PATHS.introspect, form, (req, res) => {
    readBasic(req.headers.authorization)
    res.set('Cache-Control', 'no-store').json(floor.introspect(req.body.token))
  })
  app.get(PATHS.discovery, (_req, res) => {
    res.json(DOCUMENT)
  })
  app.get(
    PATHS.api,
    (req, res, next) => {
      if (floor.mayRead(bearerOf(req.headers.authorization))) next()
      else res.sendStatus(401)
    },
    (_req, res) => {
      res.json({ read: true })
    },
  )
}

/** The part of it that a token endpoint calls, answering at once or later. */
interface Tokens<Answer> {
  clientCredentials(): Answer
  /** A code. */
  redeem(code: string): Answer
  refresh(token: string): Answer
}

export function tokensFor<Answer>(floor: Tokens<Answer>, form: Form): Answer {
  if (form.grant_type === 'client_credentials') return floor.clientCredentials()
  if (form.grant_type === 'refresh_token') return floor.refresh(form.refresh_token ?? '')
  return floor.redeem(form.code ?? '')
}

/** Read, and compared with nothing. */
export function readBasic(authorization = ''): readonly string[] {
  return Buffer.from(authorization.slice(6), 'base64').toString().split(':', 2).map(decodeURIComponent)
}

export function bearerOf(authorization = ''): string {
  return authorization.slice(7)
}

export function redirectWith(uri: string, code: string, state: string): string {
  return `${uri}?code=${code}&state=${encodeURIComponent(state)}&iss=${encodeURIComponent(ISSUER)}`
}

export function tokenAnswer(access: string, refresh?: string): object {
  return {
    access_token: access,
    token_type: 'Bearer',
    expires_in: LIFETIME,
    scope: 'read',
    ...(refresh !== undefined && { refresh_token: refresh }),
  }
}

export function introspection(userId: string, expiresAt: number): object {
  const exp = Math.floor(expiresAt / 1000)
  return {
    active: true,
    ...{ client_id: CLIENT.id, sub: userId, scope: 'read', exp, iat: exp - LIFETIME },
    ...{ iss: ISSUER, aud: new URL(ISSUER).origin, token_type: 'Bearer' },
  }
}

/** About as long as a real one. */
export const DOCUMENT = {
  issuer: ISSUER,
  ...Object.fromEntries(
    ['authorization', 'token', 'introspection', 'revocation', 'userinfo', 'registration', 'end_session'].map(
      (name) => [`${name}_endpoint`, `${ISSUER}/${name}`],
    ),
  ),
  ...Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [
      `a_member_with_number_${index}_supported`,
      ['query', 'form_post', 'S256'],
    ]),
  ),
}
