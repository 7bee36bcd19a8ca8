import type { RegistrationSettings } from '../client-sources.js'
import { isBySecret } from '../clients/auth-methods.js'
import { invalid } from '../clients/fields.js'
import { secretsOf } from '../clients/live-secrets.js'
import { identityOf, toClient, toMetadata } from '../clients/metadata.js'
import { clientRules } from '../clients/openid-metadata.js'
import { keptSecrets, type NewSecret, newSecret } from '../clients/secret-form.js'
import { confirmSector, refuseOtherSector } from '../clients/sector.js'
import { hostMetadata } from '../clients/stranger-metadata.js'
import { optional } from '../optional.js'
import type { ClientMetadata } from '../options.js'
import type { Runtime } from '../runtime.js'
import type { Client } from '../store/records.js'
import { canonicalMetadata } from './canonical.js'
import type { Count } from './ceiling.js'
import { declaredBy, declaredIn } from './declared.js'
import { asOffered, mayAskForAny, type Offer } from './offered.js'
import { refuseForeignMembers } from './own-members.js'
import {
  isStatementOf,
  keptStatement,
  presentedStatement,
  requireStatement,
  withStatement,
} from './software-statement.js'
import { isNamedBy, refuseWidening } from './unasked.js'

/** What a client has become, and its secret where it is a new one. */
export interface Replacement {
  readonly client: Client
  readonly secret?: string
}

/**
 * The client with another registration in the place of the one that it has (RFC 7592 §2.2): what is left out falls back to its default. What
 * the host has said of it stays, but for its judgement of what it has looked at. `count`: is called before something changes.
 */
export async function replacement(
  runtime: Runtime,
  registration: RegistrationSettings,
  stored: Client,
  json: unknown,
  { grantTypes, count }: { readonly count: Count } & Pick<Offer, 'grantTypes'>,
): Promise<Replacement> {
  const { sealer, outgoing } = runtime
  const itself = declaredIn(json)
  await refuseForeignMembers(runtime, stored, json)
  // RFC 7592 §2.2: a client sends back all that it has, also a statement that has expired since. That says nothing new.
  const brought = isStatementOf(stored, json)
    ? undefined
    : await presentedStatement(runtime, json, registration)
  const statement = brought ?? keptStatement(stored.softwareStatement)
  requireStatement(statement, registration)
  const mayGoUnasked = (name: string) => stored.grantTypes.includes(name) || isNamedBy(brought, name)
  const offer = { grantTypes, mayGoUnasked }
  const declared = asOffered(withStatement(itself, statement), runtime, offer)
  const metadata: ClientMetadata = { ...hostMetadata(toMetadata(stored)), ...declared }

  const kept = await keptSecrets(secretsOf(stored), metadata, sealer)
  const added = await addedSecret(kept, metadata, runtime)
  const { fingerprint: _, softwareStatement: __, anyScope, ...identity } = identityOf(stored)
  const client = toClient(
    metadata,
    {
      ...identity,
      ...(added === undefined ? kept : { secret: added.stored }),
      ...optional('softwareStatement', statement?.compact),
      // Where the host has said how far it may go, it does not get further by itself.
      ...optional('anyScope', anyScope && mayAskForAny(declared, statement?.metadata)),
    },
    clientRules(runtime),
  )
  if (stored.confidential && !client.confidential)
    throw invalid(
      'token_endpoint_auth_method',
      'is none, and this client can prove who it is',
      'Register the public client by itself.',
    )
  refuseOtherSector(stored, client)
  refuseWidening(stored, client, declared, brought)
  if (isSame(stored, client)) return { client: stored }
  await count()
  await confirmSector(client, outgoing)
  const { verified: ___, ...unjudged } = client
  return { client: { ...unjudged, skipConsent: false }, ...optional('secret', added?.secret) }
}

/** One that needs a secret from now on is given one. */
async function addedSecret(
  kept: Pick<Client, 'secret'>,
  metadata: ClientMetadata,
  { sealer }: Runtime,
): Promise<NewSecret | undefined> {
  const needs = kept.secret === undefined && isBySecret(metadata.token_endpoint_auth_method)
  return needs ? newSecret(metadata, sealer) : undefined
}

function isSame(stored: Client, client: Client): boolean {
  const told = (one: Client) =>
    canonicalMetadata({ ...declaredBy(one), software_statement: one.softwareStatement })
  return told(stored) === told(client)
}
