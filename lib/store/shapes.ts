import { SIGNING_ALGS } from '../keys/keys.js'
import { LONGEST_LIFETIME } from '../lifetimes.js'
import type { Client, Grant } from './records.js'

export type Check = (value: unknown) => boolean

export const isText: Check = (value) => typeof value === 'string'
export const isFlag: Check = (value) => typeof value === 'boolean'
const isTrue: Check = (value) => value === true
/** Milliseconds with which an id can begin. */
export const isTime: Check = (value) =>
  Number.isInteger(value) && 0 <= Number(value) && Number(value) < 2 ** 48
const isCount: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0
const isRevision: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 1
const isLifetime: Check = (value) => isRevision(value) && Number(value) <= LONGEST_LIFETIME
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.some((word) => word === value)
const areUrls: Check = (value) => Array.isArray(value) && value.every(isUrl)
const isAlg = oneOf(...SIGNING_ALGS)

/** To parse a URL takes as long as all else of a client, and the same clients are asked for again and again. */
const MOST_REMEMBERED = 1000
const remembered = new Set<string>()

function isUrl(value: unknown): boolean {
  if (typeof value !== 'string') return false
  if (remembered.has(value)) return true
  if (!URL.canParse(value)) return false
  if (remembered.size >= MOST_REMEMBERED) remembered.clear()
  remembered.add(value)
  return true
}

export function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isText)
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands in each member that is there, and something in those that are needed. Other members are of a newer version, and are let be. */
function described<Value>(
  checks: { readonly [Name in keyof Required<Value>]: Check },
  needed: readonly (keyof Value & string)[] = [],
): Check {
  const known: ReadonlyMap<string, Check> = new Map(Object.entries(checks))
  return (value) => {
    if (!isObject(value)) return false
    // By its own members, since most have few of those that there are.
    for (const name in value) {
      const member = value[name]
      if (member !== undefined && known.get(name)?.(member) === false) return false
    }
    for (const name of needed) if (value[name] === undefined) return false
    return true
  }
}

const areMembers =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check)

/** Never one that is written out: that is for the option `clients` only. */
const isSecret: Check = (value) =>
  isObject(value) && (isText(value.sha256) || isText(value.bcrypt) || isText(value.sealed))

const isStoredClient = described<Client>(
  {
    ...{ id: isText, revision: isRevision, name: isText, confidential: isFlag, createdAt: isTime },
    secret: isSecret,
    previousSecret: described<NonNullable<Client['previousSecret']>>(
      { secret: isSecret, expiresAt: isTime },
      ['secret', 'expiresAt'],
    ),
    ...{ redirectUris: areUrls, uri: isUrl, logoUri: isUrl, policyUri: isUrl, tosUri: isUrl },
    ...{ contacts: areTexts, applicationType: isText, tokenEndpointAuthMethod: isText },
    ...{
      tokenEndpointAuthSigningAlg: isText,
      acceptEndpointAudience: isFlag,
      requestObjectSigningAlg: isText,
    },
    ...{ requireSignedRequestObject: isFlag, requirePushedAuthorizationRequests: isFlag },
    ...{ dpopBoundAccessTokens: isFlag, tlsClientCertificateBoundAccessTokens: isFlag },
    tlsClientAuthSubject: described<NonNullable<Client['tlsClientAuthSubject']>>(
      { kind: oneOf('dn', 'dns', 'uri', 'ip', 'email'), value: isText },
      ['kind', 'value'],
    ),
    ...{ authorizationDetailsTypes: areTexts, introspectionSignedResponseAlg: isAlg, resources: areUrls },
    lifetimes: areMembers(isLifetime),
    jwks: (value) => isObject(value) && Array.isArray(value.keys) && value.keys.every(isObject),
    ...{ jwksUri: isUrl, grantTypes: areTexts, scopes: areTexts, anyScope: isTrue },
    hostLimit: areMembers(areTexts),
    ...{ idTokenSignedResponseAlg: isAlg, userinfoSignedResponseAlg: isAlg },
    ...{ idTokenClaims: oneOf('minimal', 'scopes'), subjectType: oneOf('public', 'pairwise') },
    ...{ sectorIdentifierUri: isUrl, defaultMaxAge: isCount, requireAuthTime: isFlag },
    ...{ postLogoutRedirectUris: areUrls, backchannelLogoutUri: isUrl },
    ...{ backchannelLogoutSessionRequired: isFlag, initiateLoginUri: isUrl, skipConsent: isFlag },
    ...{ requirePkce: isFlag, disabled: isFlag, source: oneOf('registration', 'document', 'user') },
    ...{ ownerId: isText, verified: isFlag, localized: areMembers(isText), softwareId: isText },
    ...{ softwareVersion: isText, softwareStatement: isText, registrationToken: isText },
    ...{ fingerprint: isText, expiresAt: isTime },
  },
  [
    ...(['id', 'revision', 'name', 'confidential', 'redirectUris', 'grantTypes'] as const),
    ...(['skipConsent', 'requirePkce', 'disabled', 'createdAt'] as const),
  ],
)

const isStoredGrant = described<Grant>(
  {
    ...{ id: isText, userId: isText, clientId: isText, access: areMembers(areTexts), claims: areTexts },
    ...{ createdAt: isTime, lastUsedAt: isTime, lastUsedFrom: isText, withdrawn: areTexts },
  },
  ['id', 'userId', 'clientId', 'access', 'createdAt'],
)

/** Whether what a store has under the name of a client is one that can be used. */
export function isClient(value: unknown): value is Client {
  return isStoredClient(value)
}

/** The same of a grant. */
export function isGrant(value: unknown): value is Grant {
  return isStoredGrant(value)
}
