import { hostedResource } from './authorization/resource.js'
import { findClient } from './clients/find.js'
import { ConfigurationError } from './errors.js'
import { inFormat, signingFor } from './grants/issued.js'
import type { Runtime } from './runtime.js'
import { knownScopes } from './scopes.js'
import type { Client } from './store/records.js'
import type { TestClock, Testing, TestToken } from './testing.js'
import { type AccessTokenData, accessTokenRecord } from './tokens/access-token.js'
import { mintHandle, newGrantId } from './tokens/handle.js'
import { accessTokenLifetime } from './tokens/lifetimes.js'
import { aNumber, anId, anObject, describe, refuseUnknown } from './validation.js'

/** In production a token for anybody must not be one call away, and nobody moves the clock. */
export function mayTest(): boolean {
  return process.env.NODE_ENV !== 'production'
}

/** A clock that can be moved. */
export function testClock(clock: () => number): TestClock & { readonly milliseconds: () => number } {
  let ahead = 0
  const milliseconds = () => clock() + ahead
  return {
    milliseconds,
    now: () => new Date(milliseconds()),
    advance(seconds) {
      if (!Number.isFinite(seconds)) throw wrongTime('advance(seconds)', seconds, 'Pass a number of seconds.')
      ahead += seconds * 1000
    },
    set(time) {
      const to = time instanceof Date ? time.getTime() : Number.NaN
      if (Number.isNaN(to)) throw wrongTime('set(time)', time, 'Pass a Date.')
      ahead += to - milliseconds()
    },
  }
}

/** @throws ConfigurationError in production. `clock`: undefined where it was production when the provider was made. */
export function testingKit(runtime: Runtime, clock: TestClock | undefined): Testing {
  if (clock === undefined || !mayTest())
    throw new ConfigurationError(
      'testing',
      'is used although NODE_ENV is production',
      'It makes tokens for anybody: use it in tests only.',
    )
  const { now, advance, set } = clock
  return {
    token: (options = {}) => mint(runtime, options),
    async actingAs(userId, scopes = [], options = {}) {
      return { Authorization: `Bearer ${await mint(runtime, { ...options, userId, scopes })}` }
    },
    clock: { now, advance, set },
  }
}

const TESTING = 'testing'

async function mint(runtime: Runtime, options: TestToken): Promise<string> {
  const { store, settings, now } = runtime
  refuseUnknown('testing.token(options).', anObject('testing.token(options)', options), [
    ...['userId', 'scopes', 'clientId', 'resource', 'expiresIn'],
  ])
  const { scopes: named = [], clientId = TESTING, resource = settings.origin } = options
  const list = typeof named === 'string' ? named.split(' ').filter(Boolean) : named
  const scopes = knownScopes('testing.token(options).scopes', list, settings.scopes)
  const audience = [hosted(runtime, resource)]
  const userId = 'userId' in options ? anId('testing.token(options).userId', options.userId) : undefined
  const client = await clientNamed(runtime, clientId, userId)
  const lifetime = options.expiresIn ?? accessTokenLifetime(settings, client, audience)
  const seconds = { least: 0, most: Number.MAX_SAFE_INTEGER }
  const expiresAt = now() + aNumber('testing.token(options).expiresIn', lifetime, seconds) * 1000
  const owner = userId === undefined ? { clientSince: client.createdAt } : { userId }
  const data: AccessTokenData = { clientId, ...owner, scopes, audience, issuedAt: now() }
  const signing = await signingFor(runtime, audience)
  const handle = await inFormat(runtime, client, mintHandle(expiresAt), data, signing)
  const grantId = userId === undefined ? undefined : await grant(runtime, { userId, clientId, data })
  const lineage = { familyId: handle.id, ...(grantId !== undefined && { grantId }) }
  if (await store.insert([accessTokenRecord(handle, lineage, data)])) return handle.value
  throw new Error('The id of a new access token was taken.')
}

async function grant(
  { store, now }: Runtime,
  { userId, clientId, data }: { userId: string; clientId: string; data: AccessTokenData },
): Promise<string> {
  const access = Object.fromEntries(data.audience.map((resource) => [resource, data.scopes]))
  const saved = await store.saveGrant({ id: newGrantId(), userId, clientId, access, createdAt: now() })
  return saved.id
}

async function clientNamed(runtime: Runtime, clientId: string, userId: string | undefined): Promise<Client> {
  const client = await findClient(runtime, clientId)
  if (client !== undefined) return client
  if (clientId === TESTING && userId !== undefined) return UNREGISTERED
  throw new ConfigurationError(
    'testing.token(options).clientId',
    `names the client ${describe(clientId)}, which is not registered or disabled`,
    userId === undefined ? 'Pass userId, or the id of a registered client.' : 'Leave it out, or register it.',
  )
}

const UNREGISTERED: Client = {
  ...{ id: TESTING, revision: 1, name: TESTING, confidential: false, redirectUris: [], grantTypes: [] },
  ...{ skipConsent: false, requirePkce: true, disabled: false, createdAt: 0 },
}

function hosted({ settings }: Runtime, resource: string): string {
  const spelling = hostedResource(resource, settings)
  if (spelling !== undefined) return spelling
  throw new ConfigurationError(
    'testing.token(options).resource',
    `is ${describe(resource)}`,
    settings.everyUrl
      ? `Pass a URL at ${settings.origin}.`
      : `Pass ${settings.origin}, or one of the option resources.`,
  )
}

function wrongTime(call: string, given: unknown, remedy: string): ConfigurationError {
  return new ConfigurationError(`testing.clock.${call}`, `got ${describe(given)}`, remedy)
}
