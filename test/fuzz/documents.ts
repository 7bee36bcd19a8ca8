import type { RequestListener } from 'node:http'
import fc from 'fast-check'
import { type DocumentSite, startDocumentSite } from '../support/documents.js'
import { type FuzzRequest, requestsTo } from './requests.js'
import { startTarget, type Target } from './target.js'
import { hostile, someOf } from './values.js'
import { judge } from './verdict.js'

/** A request of a client by its document, and what lies at the URL that is its id. */
export interface Visit {
  readonly document: {
    /** In place of members that are right. */
    readonly members: Readonly<Record<string, unknown>>
    /** In place of the whole. */
    readonly text?: string
    readonly status?: number
    readonly headers?: Readonly<Record<string, string>>
  }
  readonly request: FuzzRequest
}

const MEMBERS = [
  ...[
    'client_id',
    'client_name',
    'client_name#de',
    'redirect_uris',
    'grant_types',
    'response_types',
    'scope',
  ],
  ...['token_endpoint_auth_method', 'token_endpoint_auth_signing_alg', 'jwks', 'jwks_uri', 'client_uri'],
  ...['logo_uri', 'policy_uri', 'tos_uri', 'contacts', 'application_type', 'subject_type', 'software_id'],
  ...['post_logout_redirect_uris', 'backchannel_logout_uri', 'default_max_age', 'require_auth_time'],
  ...['id_token_signed_response_alg', 'dpop_bound_access_tokens', 'authorization_details_types'],
  ...['client_secret', 'skip_consent', 'verified', 'disabled', '__proto__', 'toString'],
]
const RIGHT = { client_name: 'By document', redirect_uris: ['https://rp.example/cb'] }

const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 7, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })

export const visits: fc.Arbitrary<Visit> = fc.record({
  document: fc
    .record({
      members: someOf(...MEMBERS),
      text: seldom(fc.oneof(hostile, fc.json({ maxDepth: 3 }))),
      status: seldom(fc.constantFrom(201, 204, 301, 304, 404, 500)),
      headers: seldom(
        fc.record({
          'content-type': fc.constantFrom(
            'text/html',
            'application/json;charset=utf-7',
            'application/x+json',
          ),
          'cache-control': fc.constantFrom('no-store', 'max-age=99999999999', 'max-age=x'),
        }),
      ),
    })
    .map((made) => {
      const given = Object.entries(made).filter(([, value]) => value !== undefined)
      return Object.fromEntries(given) as unknown as Visit['document']
    }),
  request: requestsTo((name) => name.endsWith('by document')),
})

/** A host that takes every client by its document, and a site with those. */
export async function startVisited(): Promise<{
  target: Target
  judge(visit: Visit): Promise<number>
  close(): Promise<void>
}> {
  const site = await startDocumentSite()
  const target = await startTarget({ more: { clientMetadataDocuments: 'open', allowPrivateAddresses: true } })
  let visits = 0
  return {
    target,
    async judge({ document, request }) {
      // Sites are asked so often in a minute.
      target.host.advance(1)
      const url = served(site, `/${visits++}.json`, document)
      return judge({ ...target, known: { ...target.known, document: url } }, request)
    },
    async close() {
      await target.close()
      await site.close()
    },
  }
}

function served(
  site: DocumentSite,
  path: string,
  { members, text, status = 200, headers = {} }: Visit['document'],
): string {
  const whole = { client_id: site.origin + path, ...RIGHT, ...members }
  const listener: RequestListener = (_req, res) => {
    res.writeHead(status, { 'content-type': 'application/json', ...headers })
    res.end(status === 204 || status === 304 ? undefined : (text ?? JSON.stringify(whole)))
  }
  return site.serve(path, listener)
}
