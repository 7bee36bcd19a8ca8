import { encode, type Form } from './agent.js'
import { fetch } from './fetch.js'
import type { Host } from './host.js'

/** Posts a form as a client that the host's tests do not know beforehand. */
export async function sendForm(
  host: Pick<Host, 'issuer'>,
  path: string,
  authorization: string,
  form: Form,
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${host.issuer}${path}`, {
    method: 'POST',
    headers: { authorization },
    body: encode(form),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
