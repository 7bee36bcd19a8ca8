import type { ServerResponse } from 'node:http'
import type { HostRequest } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Sender } from '../sender.js'

/** What a machine endpoint gets to see of a request. */
export interface MachineRequest {
  readonly parameters: Parameters
  readonly authorization: string | undefined
  /** Looks whether there is a second Authorization header. */
  readonly repeatsAuthorization: () => boolean
  /** Where it comes from, as Express sees it: behind a proxy that is the host's setting `trust proxy`. */
  readonly address: string
  /** The path of the endpoint, under the mount. */
  readonly endpoint: string
  /** By what it may prove who holds a key. */
  readonly sender: Sender
  /** The header Accept. */
  readonly accept: string | undefined
}

/** What a page gets to see of a request. */
export interface PageRequest {
  readonly parameters: Parameters
  /** The part of the path that the route leaves open; empty where it has none. */
  readonly id: string
  /** For the host's own functions. */
  readonly host: HostRequest
  readonly response: ServerResponse
  /** The values of our cookie, one of which says that two requests come from one browser. */
  readonly browsers: readonly string[]
  /** Where it comes from, as Express sees it: behind a proxy that is the host's setting `trust proxy`. */
  readonly address: string
  /** Whether a page of another origin has led the browser here, by a link or without being asked; false where the browser does not say. */
  readonly crossOrigin: boolean
}

/** A page with a form, whose token is to be put into the form. */
export interface FormRequest extends PageRequest {
  readonly csrfToken: () => string
}
