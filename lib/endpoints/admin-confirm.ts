import { type PageReply, page } from '../http/reply.js'
import { type AdminRequest, adminPath } from './administrators.js'

/** What cannot be taken back is asked for on a page of its own. */
export interface Asked {
  /** The texts are `admin.confirm.<what>`, with `.heading`, `.text` and `.button`. */
  readonly what: 'block' | 'delete' | 'revoke-client' | 'revoke-user' | 'withdraw-client' | 'withdraw-all'
  readonly values: Readonly<Record<string, string>>
  /** The page whose form it is, under `/admin`, and what it posts there. */
  readonly at: string
  readonly fields: Readonly<Record<string, string>>
}

export function confirmPage(
  { runtime, request }: AdminRequest,
  { what, values, at, fields }: Asked,
): PageReply {
  const { id } = fields
  return page(
    'admin-confirm',
    { key: `admin.confirm.${what}.heading`, values },
    {
      broad: false,
      what,
      values,
      fields,
      action: adminPath(runtime, at),
      back: adminPath(runtime, at, { id }),
      csrfToken: request.csrfToken(),
    },
  )
}
