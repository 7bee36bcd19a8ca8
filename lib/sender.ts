/** The certificate with which a client made its TLS connection, to this process or to the proxy before it. */
export interface PresentedCertificate {
  /** DER, as it was presented. */
  readonly raw: Uint8Array
  /** Whether its chain was verified, by Node or by the proxy (RFC 8705 §2.1). A self-signed one need not be (§2.2). */
  readonly verified: boolean
}

/** By what a request may prove that whoever holds a key has sent it (RFC 9449, RFC 8705). */
export interface Sender {
  readonly method: string
  /** The header DPoP; undefined where there is none, or where DPoP is turned off. Several are joined by commas. */
  proof(): string | undefined
  /** Undefined where there is none, or where the option `mtls` is not given. */
  certificate(): PresentedCertificate | undefined
}

/** What a token is bound to (RFC 7800 §3.1): only who proves to hold it can use the token. */
export interface Confirmation {
  /** SHA-256 thumbprint of the key of its DPoP proofs (RFC 9449 §6). */
  readonly jkt?: string
  /** SHA-256 of the certificate of its TLS connections (RFC 8705 §3.1). */
  readonly 'x5t#S256'?: string
}
