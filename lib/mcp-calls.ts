import type { IncomingMessage } from 'node:http'
import { OAuthError } from './errors.js'

/**
 * The names of the tools that a request to an MCP endpoint calls, each once, behind `express.json()`. The body may be one JSON-RPC message or a
 * batch of them, which older versions of the protocol allow and which calls all its tools under one token; whatever else it is, it calls none.
 * For a function given to `requireToken` that says which scopes each tool needs.
 *
 * @throws OAuthError `invalid_request` where there is a body that nobody has read yet: a transport that takes more for JSON than `express.json()`
 * does would find calls in it that nobody has asked a token for.
 */
export function toolCalls(req: IncomingMessage & { readonly body?: unknown }): string[] {
  if (hasBody(req) && !req.readableDidRead) throw unread()
  const { body } = req
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  return [...new Set(messages.flatMap(toolOf))]
}

function toolOf(message: unknown): string[] {
  if (!isObject(message) || message.method !== 'tools/call' || !isObject(message.params)) return []
  const { name } = message.params
  return typeof name === 'string' ? [name] : []
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

function unread(): OAuthError {
  return new OAuthError(
    'invalid_request',
    'The body is not application/json, or express.json() does not read it here.',
    {
      reason: 'content_type',
    },
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
