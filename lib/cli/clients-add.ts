import type { ClientMetadata } from '../options.js'
import { METADATA_FLAGS, metadataOf, namingFlags } from './client-flags.js'
import { defineCommand, STORE_FLAG } from './command.js'
import { UsageError } from './failure.js'
import { asHost, CLIENT_RULE_FLAGS, HOST_FLAGS } from './host.js'
import { remark } from './io.js'
import { showSecret } from './secret-once.js'
import { withStore } from './store.js'

export const clientsAdd = defineCommand({
  name: 'clients add',
  summary: 'Register a client; its secret is shown once',
  flags: {
    ...METADATA_FLAGS,
    public: { about: 'It keeps no secret: an app on phones, desktops or in browsers.' },
    verify: { about: 'Say that you have looked at it.' },
    'client-id': { value: 'id', about: 'Its identifier. Default: a random one.' },
    ...STORE_FLAG,
    ...CLIENT_RULE_FLAGS,
    ...HOST_FLAGS,
  },
  notes: `A client with client_secret_jwt needs OAUTH_SECRET, with which its secret is encrypted.
Example: npx express-oauth-provider clients add --name "Print shop" --redirect-uri https://shop.example/callback`,
  async run(args, io) {
    args.oneOf('public', 'auth-method')
    args.oneOf('jwks', 'jwks-uri')
    const id = args.text('client-id')
    const metadata: ClientMetadata = {
      ...metadataOf(args, io),
      ...(id !== undefined && { client_id: id }),
      ...(args.has('public') && { token_endpoint_auth_method: 'none' }),
      ...(args.has('verify') && { verified: true }),
    }
    if (Object.keys(metadata).length === 0)
      throw new UsageError(
        'Say what the client is: clients add --name "Print shop" --redirect-uri https://shop.example/callback',
      )
    const created = await withStore(args, io, (store) =>
      asHost(store, args, io, ({ clients }) => namingFlags(clients.create(metadata))),
    )
    const { client_secret: secret, ...others } = created
    // One that was chosen is known where it was chosen.
    const isNew = secret !== undefined && metadata.client_secret === undefined
    const answer = { ...others, ...(isNew && { client_secret: secret }) }
    await showSecret(io, args.has('json'), answer, [
      ['client_id', created.client_id],
      ...(isNew ? [['client_secret', secret] as const] : []),
    ])
    if (metadata.client_id !== undefined && !args.has('json'))
      await remark(
        io,
        `Make sure that no user of your app has the id '${metadata.client_id}': only your app could tell.`,
      )
    return undefined
  },
})
