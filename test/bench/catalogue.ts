/** What can be measured, in the order of the table. */
export const CANDIDATES = [
  'ours-sqlite',
  'ours-normal',
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

/** With how many live tokens a candidate is measured: those that are there for one comparison only, with the least. */
export function sizesFor(candidate: CandidateName, tokens: readonly number[]): readonly number[] {
  return candidate === 'floor-bare' || candidate === 'ours-normal' ? tokens.slice(0, 1) : tokens
}

/** Whether what lies in the store can make a difference. */
export function dependsOnStore(candidate: CandidateName, operation: Measured): boolean {
  return candidate !== 'floor-bare' && operation !== 'discovery' && operation !== 'open route'
}
