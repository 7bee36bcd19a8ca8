/** What can be measured, in the order of the table. */
export const CANDIDATES = [
  'ours-sqlite',
  'ours-postgres',
  'oidc-provider',
  'oauth2-server',
  'floor-textbook',
  'floor-best',
  'floor-bare',
] as const
export type CandidateName = (typeof CANDIDATES)[number]

export const OPERATIONS = [
  'client_credentials',
  'code flow',
  'refresh',
  'requireToken',
  'introspection',
  'discovery',
] as const
export type OperationName = (typeof OPERATIONS)[number]

/** A route without a guard, to which those with one are compared. */
export type Measured = OperationName | 'open route'

/** What is not there cannot be measured. */
export function isThere(candidate: CandidateName, operation: Measured): boolean {
  return candidate !== 'oauth2-server' || (operation !== 'introspection' && operation !== 'discovery')
}

/** Whether what lies in the store can make a difference. */
export function dependsOnStore(candidate: CandidateName, operation: Measured): boolean {
  return candidate !== 'floor-bare' && operation !== 'discovery' && operation !== 'open route'
}
