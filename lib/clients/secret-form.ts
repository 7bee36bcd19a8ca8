import { MAC_ALGS } from '../keys/client-jwt.js'
import type { Sealer } from '../keys/keys.js'
import { optional } from '../optional.js'
import type { ClientMetadata, StaticClient } from '../options.js'
import type { ClientSecret } from '../store/records.js'
import { isByKey, isBySecret } from './auth-methods.js'
import { invalid } from './fields.js'
import { changedSecrets, type Secrets } from './live-secrets.js'
import { digestGeneratedSecret, digestSecret, generateSecret, hashChosenSecret } from './secret.js'

/** A secret as it is told once, and as it is kept. */
export interface NewSecret {
  readonly secret: string
  readonly stored: ClientSecret
}

/** The secret that a host chose, checked; undefined where it chose none. RFC 6749 appendix A.2. */
function chosenSecret(metadata: ClientMetadata): string | undefined {
  // One that is there but undefined, from an environment variable that is not set, must not make the client public.
  if (!('client_secret' in metadata)) return undefined
  const { client_secret: secret } = metadata
  if (typeof secret !== 'string' || !/^[^\p{C}]+$/u.test(secret)) {
    throw invalid(
      'client_secret',
      'is no text, or empty, or has invisible characters',
      'Set it, or leave it out. Is an environment variable missing?',
    )
  }
  if (metadata.token_endpoint_auth_method === 'client_secret_jwt')
    requireLongEnough(secret, metadata.token_endpoint_auth_signing_alg)
  return secret
}

/** The secret of a new client; undefined for one that needs none. */
export async function newSecret(
  metadata: ClientMetadata,
  sealer: Sealer | undefined,
): Promise<NewSecret | undefined> {
  const method = metadata.token_endpoint_auth_method
  const chosen = chosenSecret(metadata)
  if (chosen === undefined && !isBySecret(method)) return undefined
  const secret = chosen ?? generateSecret()
  const origin = chosen === undefined ? {} : ({ chosen: true } as const)
  if (method === 'client_secret_jwt')
    return { secret, stored: { sealed: await requireSealer(sealer).seal(secret), ...origin } }
  return { secret, stored: await hashed(secret, origin) }
}

/** A secret in place of another one, kept in the same way. */
export async function replacementSecret(
  stored: ClientSecret,
  sealer: Sealer | undefined,
): Promise<NewSecret> {
  const secret = generateSecret()
  if (!('sealed' in stored)) return { secret, stored: digestGeneratedSecret(secret) }
  return { secret, stored: { sealed: await requireSealer(sealer).seal(secret) } }
}

/** For a client of the option `clients`, which may have two of them. They never leave this process. */
export function staticSecrets(client: StaticClient): Secrets {
  if (!('client_secret' in client)) return {}
  const { client_secret: given, ...metadata } = client
  const list: readonly unknown[] = Array.isArray(given) ? Array.from(given) : [given]
  if (list.length !== 1 && list.length !== 2)
    throw invalid('client_secret', `is a list of ${list.length}`, 'Give the new secret and the old one.')
  const [secret, previous] = list.map((one) => staticSecret({ ...metadata, client_secret: one as string }))
  return {
    ...optional('secret', secret),
    ...optional('previousSecret', previous && { secret: previous, expiresAt: Number.POSITIVE_INFINITY }),
  }
}

function staticSecret(metadata: ClientMetadata): ClientSecret | undefined {
  const secret = chosenSecret(metadata)
  if (secret === undefined) return undefined
  return metadata.token_endpoint_auth_method === 'client_secret_jwt'
    ? { plain: secret }
    : digestSecret(secret)
}

/** The secrets that a client keeps when its metadata becomes this, in the form that its method needs. */
export async function keptSecrets(
  secrets: Secrets,
  metadata: ClientMetadata,
  sealer: Sealer | undefined,
): Promise<Secrets> {
  const method = metadata.token_endpoint_auth_method
  // Its key proves it from now on, and a secret that nobody uses would only lie about.
  if (isByKey(method)) return {}
  return changedSecrets(secrets, async (secret) => {
    if (!('sealed' in secret) || method === 'none') return secret
    const opened = await requireSealer(sealer).open(secret.sealed)
    if (method !== 'client_secret_jwt') return hashed(opened, secret)
    requireLongEnough(opened, metadata.token_endpoint_auth_signing_alg)
    return secret
  })
}

/**
 * Encrypted with the first of the option `secret` where another one of its list has encrypted them: they have to be readable when that one is
 * gone. Undefined where there is nothing to do.
 */
export async function sealedAnew(secrets: Secrets, sealer: Sealer): Promise<Secrets | undefined> {
  const isStale = (secret: ClientSecret | undefined) =>
    secret !== undefined && 'sealed' in secret && !sealer.isFresh(secret.sealed)
  if (!isStale(secrets.secret) && !isStale(secrets.previousSecret?.secret)) return undefined
  return changedSecrets(secrets, async (secret) =>
    'sealed' in secret ? { ...secret, sealed: await sealer.seal(await sealer.open(secret.sealed)) } : secret,
  )
}

async function hashed(secret: string, { chosen }: { readonly chosen?: true }): Promise<ClientSecret> {
  return chosen ? hashChosenSecret(secret) : digestGeneratedSecret(secret)
}

function requireSealer(sealer: Sealer | undefined): Sealer {
  if (sealer !== undefined) return sealer
  throw invalid(
    'token_endpoint_auth_method',
    'is client_secret_jwt, for which the secret itself has to be kept',
    'Set the option secret, with which it is encrypted; or use private_key_jwt.',
  )
}

/** RFC 7518 §3.2: a key is no shorter than the hash, or the MAC is as weak as the key. */
function requireLongEnough(secret: string, alg = 'HS256'): void {
  const least = MAC_ALGS.get(alg) ?? 0
  if (Buffer.byteLength(secret) >= least) return
  throw invalid('client_secret', `is shorter than ${alg} needs`, `Choose one of ${least} bytes or more.`)
}
