import { expectMachineHeaders, expectRefusal, type RawAnswer } from './token-endpoint.js'

/** Where clients prove who they are. `probe` asks for nothing real, so that what it gets tells who was let in. */
export interface ClientEndpoint {
  readonly path: string
  readonly probe: Readonly<Record<string, string>>
  /** The status, and the error where there is one, of who was let in. */
  readonly letIn: readonly [status: number, error?: string]
}

const UNKNOWN = { token: 'unknown' }

export const tokenEndpoint: ClientEndpoint = {
  path: '/token',
  probe: { grant_type: 'refresh_token', refresh_token: 'unknown' },
  letIn: [400, 'invalid_grant'],
}

export const clientEndpoints: readonly ClientEndpoint[] = [
  tokenEndpoint,
  { path: '/revoke', probe: UNKNOWN, letIn: [200] },
  { path: '/introspect', probe: UNKNOWN, letIn: [200] },
  { path: '/par', probe: { response_type: 'none' }, letIn: [400, 'unsupported_response_type'] },
  { path: '/device_authorization', probe: {}, letIn: [400, 'unauthorized_client'] },
]

export async function expectLetInAt({ letIn }: ClientEndpoint, answer: Promise<RawAnswer>): Promise<void> {
  const [status, error] = letIn
  if (error !== undefined) return expectRefusal(await answer, status, error)
  const { headers, ...got } = await answer
  expect({ status: got.status, error: got.body.error }).toEqual({ status, error })
  expectMachineHeaders(headers)
}
