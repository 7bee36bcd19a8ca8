import { withoutExpired } from '../clients/live-secrets.js'
import { sealedAnew } from '../clients/secret-form.js'
import { OAuthError } from '../errors.js'
import { isSignedBy, MAC_ALGS } from '../keys/client-jwt.js'
import type { Runtime } from '../runtime.js'
import type { Client, ClientSecret } from '../store/records.js'
import { algorithmRefusal, claimsMac, readAssertion, signatureRefusal } from './assertion.js'
import type { AuthMethod } from './credentials.js'

/** OpenID Connect Core §9: a JWT with a MAC that is made with the client's secret (RFC 7523 §2.2). */
export const clientSecretJwt: AuthMethod = {
  isPresented({ assertion }) {
    return assertion !== undefined && claimsMac(assertion)
  },
  read(presented) {
    return readAssertion(presented, async (jwt, client, { runtime, guard, from }) => {
      await guard.limit(client, from, async (secrets) => {
        const opened = await Promise.all(secrets.map((secret) => readSecret(secret, runtime)))
        const algs = new Set(opened.flatMap((secret) => algsOf(client, secret)))
        // A MAC that does not fit is a guess at the secret; an algorithm that is not allowed is none.
        if (!algs.has(jwt.alg)) throw algorithmRefusal([...algs])
        for (const secret of opened)
          if (algsOf(client, secret).includes(jwt.alg) && (await isSignedBy(jwt, secret)))
            return sealAnew(client, runtime)
        return signatureRefusal()
      })
    })
  },
}

/** RFC 7518 §3.2: the algorithms for which a secret is long enough, or the one that the client registered. */
function algsOf({ tokenEndpointAuthSigningAlg: registered }: Client, secret: string): readonly string[] {
  const length = Buffer.byteLength(secret)
  const fitting = [...MAC_ALGS].filter(([, least]) => length >= least).map(([alg]) => alg)
  return registered === undefined ? fitting : fitting.filter((alg) => alg === registered)
}

async function readSecret(secret: ClientSecret, { sealer }: Runtime): Promise<string> {
  if ('plain' in secret) return secret.plain
  if ('sealed' in secret && sealer !== undefined) return sealer.open(secret.sealed)
  throw new OAuthError('server_error', 'The server cannot read the secret of this client.', {
    reason: 'secret_unreadable',
    cause: new Error('The client was registered with the option secret, which is not set any more.'),
  })
}

/** While the host changes its option `secret`, the old one is in the list still. What it encrypted has to be readable when it is gone. */
async function sealAnew(client: Client, { sealer, store, now }: Runtime): Promise<undefined> {
  const live = withoutExpired(client, now())
  const secrets = sealer && (await sealedAnew(live, sealer))
  // Whoever was faster has sealed them too, or has put another one in their place.
  if (secrets !== undefined) await store.saveClient({ ...live, ...secrets, revision: client.revision + 1 })
}
