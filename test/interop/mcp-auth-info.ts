import type { AuthInfo as AuthInfoV1 } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { AuthInfo } from '@modelcontextprotocol/server'
import type { TokenAuth } from '../../lib/index.js'

/** What `requireToken` puts on `req.auth` is what both versions of the MCP SDK call AuthInfo: the type check fails where it is not. */
export const inBothVersions = (auth: TokenAuth): readonly [AuthInfo, AuthInfoV1] => [auth, auth]
