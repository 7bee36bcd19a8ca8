import { hash } from 'node:crypto'
import { optional } from '../optional.js'
import type { Client } from '../store/records.js'
import { canonicalMetadata } from './canonical.js'
import { declaredBy } from './declared.js'

/**
 * What is the same of two clients that nothing tells apart: public ones that registered themselves with equal metadata. Undefined for a client
 * that has something of its own to prove. `byToken`: it had an initial access token, so it shares nothing with those that had none.
 */
export function fingerprintOf(client: Client, byToken: boolean): string | undefined {
  if (client.confidential) return undefined
  const { client_name, ...others } = declaredBy(client)
  const { id, name, softwareStatement } = client
  // Without a name of its own it is called by its id.
  const declared = { ...others, ...optional('client_name', name === id ? undefined : client_name) }
  return hash('sha256', canonicalMetadata({ declared, softwareStatement, byToken }))
}
