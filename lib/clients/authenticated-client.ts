import type { Client } from '../store/records.js'

declare const authenticated: unique symbol

/** A client that has proven who it is. Only client authentication makes one of a `Client`. */
export type AuthenticatedClient = Client & { readonly [authenticated]: true }
