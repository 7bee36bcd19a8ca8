/**
 * The names of the tools that a request to an MCP endpoint calls, each once: `toolCalls(req.body)`, behind `express.json()`. The body may be one
 * JSON-RPC message or a batch of them, which older versions of the protocol allow and which calls all its tools under one token; whatever else
 * it is, it calls none. For a function given to `requireToken` that says which scopes each tool needs.
 */
export function toolCalls(body: unknown): string[] {
  const messages: readonly unknown[] = Array.isArray(body) ? body : [body]
  return [...new Set(messages.flatMap(toolOf))]
}

function toolOf(message: unknown): string[] {
  if (!isObject(message) || message.method !== 'tools/call' || !isObject(message.params)) return []
  const { name } = message.params
  return typeof name === 'string' ? [name] : []
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
