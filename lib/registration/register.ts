import { randomBytes } from 'node:crypto'
import type { RegistrationSettings } from '../client-sources.js'
import { PROBATION } from '../clients/lasting.js'
import { toClient } from '../clients/metadata.js'
import { clientRules } from '../clients/openid-metadata.js'
import { newSecret } from '../clients/secret-form.js'
import { confirmSector } from '../clients/sector.js'
import { optional } from '../optional.js'
import type { Runtime } from '../runtime.js'
import { registrationCount } from './ceiling.js'
import { declaredIn } from './declared.js'
import { fingerprintOf } from './fingerprint.js'
import { clientInformation } from './information.js'
import { asOffered, mayAskForAny, type Offer } from './offered.js'
import { newRegistrationToken, registrationTokenDigest } from './registration-token.js'
import { sharedClient } from './shared-client.js'
import { presentedStatement, requireStatement, withStatement } from './software-statement.js'
import { isNamedBy, refuseUnnamed } from './unasked.js'

/** Why somebody may register: anybody may, the host's function lets them in, or they have an initial access token (RFC 7591 §1.2). */
export type Admission = 'open' | 'function' | 'token'

/** Who registers. */
interface Applicant {
  readonly admission: Admission
  readonly address: string
}

/**
 * Registers a client that comes by itself (RFC 7591 §3), and answers what it is told.
 *
 * @throws OAuthError what RFC 7591 §3.2.2 has, and `temporarily_unavailable` where there have been too many.
 */
export async function registerClient(
  runtime: Runtime,
  registration: RegistrationSettings,
  json: unknown,
  { admission, address, grantTypes }: Applicant & Pick<Offer, 'grantTypes'>,
): Promise<object> {
  const { store, sealer, outgoing, now, emit } = runtime
  const itself = declaredIn(json)
  const statement = await presentedStatement(runtime, json, registration)
  requireStatement(statement, registration)
  const vouched = admission !== 'open'
  const offer = { grantTypes, mayGoUnasked: (name: string) => vouched || isNamedBy(statement, name) }
  const metadata = asOffered(withStatement(itself, statement), runtime, offer)
  if (!vouched) refuseUnnamed(metadata, statement)

  const secret = await newSecret(metadata, sealer)
  const token = registration.management ? newRegistrationToken() : undefined
  const unshared = toClient(
    metadata,
    {
      ...{ id: randomBytes(16).toString('base64url'), revision: 1, createdAt: now() },
      ...{ source: 'registration', expiresAt: now() + PROBATION },
      ...optional('secret', secret?.stored),
      ...optional('softwareStatement', statement?.compact),
      ...optional('anyScope', mayAskForAny(metadata, statement?.metadata)),
      ...optional('registrationToken', token && registrationTokenDigest(token)),
    },
    clientRules(runtime),
  )
  const byToken = admission === 'token'
  const fingerprint = fingerprintOf(unshared, byToken)
  const count = byToken ? async () => undefined : registrationCount(runtime, registration, address)
  const known = fingerprint === undefined ? undefined : await sharedClient(runtime, fingerprint, count)
  if (known !== undefined) return clientInformation(runtime, known)

  await count()
  // Only now: what asks other servers is counted, whatever they answer, or strangers could have them asked at will.
  await confirmSector(unshared, outgoing)
  const client = { ...unshared, ...optional('fingerprint', fingerprint) }
  if (!(await store.saveClient(client))) throw new Error('The id of a new client was taken.')
  emit('client.changed', { clientId: client.id, change: 'created', by: 'client', onProbation: true })
  return clientInformation(runtime, client, { secret: secret?.secret, token })
}
