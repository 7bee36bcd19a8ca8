import { randomBytes } from 'node:crypto'
import { AuditLog } from '../audit/log.js'
import { ClientRegistry, type ClientTools } from '../clients/registry.js'
import type { Emit } from '../events.js'
import { type Grants, grantRegistry } from '../grant-registry.js'
import { SIGNING_ALGS } from '../keys/keys.js'
import { createSealer } from '../keys/sealing.js'
import type { OAuthProviderOptions } from '../options.js'
import { createOutgoing } from '../outgoing/create.js'
import { resolveSettings, type Settings } from '../settings.js'
import type { CheckedStore, Store } from '../store/store.js'
import type { Arguments, Flags } from './arguments.js'
import { Failure } from './failure.js'
import { type Io, remark } from './io.js'

/** What commands that change something can be told of the app, whose options they do not see. */
export const HOST_FLAGS: Flags = {
  'no-audit': { about: 'Write nothing into the audit log: for an app with audit: false.' },
}

/** The same for what checks clients. */
export const CLIENT_RULE_FLAGS: Flags = {
  scopes: {
    value: 'names',
    about: 'The scopes of your app, "photos write", so that one that is misspelt is noticed.',
  },
  'allow-private-addresses': {
    about: 'Take http and private addresses in URLs of the client: for development.',
  },
}

/** What a host does with its provider. */
export interface Host {
  /** The clients in the store, under the rules of `oauth.clients`. */
  readonly clients: ClientRegistry
  readonly grants: Grants
  readonly emit: Emit
}

/** Does what the host would do with its provider, and writes into the audit log what that would have written. */
export async function asHost<T>(
  store: CheckedStore,
  args: Arguments,
  io: Io,
  task: (host: Host) => Promise<T>,
): Promise<T> {
  const settings = hostSettings(store, args, io)
  let lost: Error | undefined
  // The app alone knows for how long it keeps its log, so nothing is deleted from it here.
  const audit = new AuditLog({ store, keep: undefined, now: io.now }, (error) => {
    lost = error
  })
  const emit: Emit = (name, event) => {
    if (!args.has('no-audit')) audit.note(name, event)
  }
  try {
    const clients = new ClientRegistry(toolsOf(settings, store, io, emit))
    return await task({ clients, grants: grantRegistry(store, emit), emit })
  } finally {
    await audit.flush()
    if (lost !== undefined) await remark(io, `${lost.message} What was changed is changed.`)
  }
}

/** What encrypts in the store: the option `secret`, from the environment. Empty where it is not set. */
export function secretOf({ env }: Pick<Io, 'env'>): Pick<OAuthProviderOptions, 'secret'> {
  const { OAUTH_SECRET: secret, OAUTH_SECRET_OLD: old } = env
  if (!secret) {
    if (old) throw new Failure('configuration', 'OAUTH_SECRET_OLD is set without OAUTH_SECRET. Set both.')
    return {}
  }
  return { secret: old ? [secret, old] : secret }
}

/**
 * Settings under which nothing is refused that the app may allow: its scopes, its users, its pairwiseSalt and its mtls are known to it alone,
 * and it checks at each use what they forbid.
 */
function hostSettings(store: Store, args: Arguments, io: Io): Settings {
  const named = args
    .text('scopes')
    ?.split(/[\s,]+/)
    .filter(Boolean)
  const settings = resolveSettings({
    issuer: 'http://localhost',
    findUser: () => undefined,
    store,
    clock: io.now,
    mtls: {},
    pairwiseSalt: randomBytes(32).toString('hex'),
    scopes: Object.fromEntries((named ?? []).map((scope) => [scope, scope])),
    ...(args.has('allow-private-addresses') && { allowPrivateAddresses: true }),
    ...secretOf(io),
  })
  return {
    ...settings,
    // Without the names of the app a scope of its own would be taken for a misspelt one of OpenID Connect.
    ...(named === undefined && { scopes: new Map() }),
  }
}

function toolsOf(settings: Settings, store: CheckedStore, io: Io, emit: Emit): ClientTools {
  const { allowPrivateAddresses, secrets } = settings
  return {
    settings,
    store,
    emit,
    now: io.now,
    clients: new Map(),
    sealer: createSealer(secrets),
    outgoing: createOutgoing({ allowPrivateAddresses, now: io.now }),
    keys: { algs: SIGNING_ALGS },
  }
}
