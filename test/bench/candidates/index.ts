import type { CandidateName } from '../catalogue.js'
import type { Candidate } from './candidate.js'

/** Each is loaded where it is measured, and nowhere else. */
export const candidates: Readonly<Record<CandidateName, () => Promise<Candidate>>> = {
  'ours-sqlite': async () => (await import('./ours.js')).oursOnSqlite,
  'ours-normal': async () => (await import('./ours.js')).oursWithoutFsync,
  'ours-postgres': async () => (await import('./ours.js')).oursOnPostgres,
  'oidc-provider': async () => (await import('./oidc-provider.js')).oidcProvider,
  'oauth2-server': async () => (await import('./oauth2-server.js')).oauth2Server,
  'floor-textbook': async () => (await import('./floor-textbook.js')).textbookFloor,
  'floor-best': async () => (await import('./floor-best.js')).bestFloor,
  'floor-bare': async () => (await import('./floor-bare.js')).bareFloor,
}
