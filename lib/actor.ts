/** Who acts, and for whom that one acts in turn (RFC 8693 §4.1). */
export interface Actor {
  /** The client, or the user where one acts. */
  readonly sub: string
  /** Only where a user acts: the client that they do it with. So no user passes for a client of the same name. */
  readonly client_id?: string
  readonly act?: Actor
}
