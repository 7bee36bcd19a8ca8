import type { ServerResponse } from 'node:http'
import type { HostRequest } from '../options.js'
import type { Parameters } from '../parameters.js'
import type { Sender } from '../sender.js'

/** What a machine endpoint gets to see of a request. */
export interface MachineRequest {
  readonly parameters: Parameters
  readonly authorization: string | undefined
  /** Looks whether there is a second Authorization header. */
  repeatsAuthorization(): boolean
  /** Where it comes from, as Express sees it: behind a proxy that is the host's setting `trust proxy`. */
  readonly address: string
  /** The path of the endpoint, under the mount. */
  readonly endpoint: string
  /** By what it may prove who holds a key. */
  readonly sender: Sender
  /** The header Accept. */
  readonly accept: string | undefined
  /** The part of the path that the route leaves open, decoded; empty where it has none. */
  readonly id: string
  /** What was sent as JSON, at an endpoint that takes it; undefined where nothing was. */
  readonly json: unknown
  /** For the host's own functions. */
  readonly host: HostRequest
}

/** In which language a request is answered: one that it names in `ui_locales` (OpenID Connect Core §3.1.2.1), or one of the browser, or English. */
export interface Speech {
  /** Puts languages (BCP 47) before those of the browser, where it turns out that the request that this is about names them. */
  prefer(languages: readonly string[]): void
  /** The languages that the request names by now, most wanted first. */
  readonly named: readonly string[]
  /** The language of the page (BCP 47), as far as it is known by now. */
  readonly language: string
  /** It, behind the narrower tag that was wanted: `de-AT`, `de`. */
  readonly tags: readonly string[]
}

/** What a page gets to see of a request. */
export interface PageRequest {
  readonly parameters: Parameters
  /** The part of the path that the route leaves open, decoded; empty where it has none. */
  readonly id: string
  /** For the host's own functions. */
  readonly host: HostRequest
  readonly response: ServerResponse
  /** The values of our cookie, one of which says that two requests come from one browser. */
  readonly browsers: readonly string[]
  /** Where it comes from, as Express sees it: behind a proxy that is the host's setting `trust proxy`. */
  readonly address: string
  readonly speech: Speech
  /** Whether a page of another origin has led the browser here, by a link or without being asked; false where the browser does not say. */
  readonly crossOrigin: boolean
}

/** A page with a form, whose token is to be put into the form. */
export interface FormRequest extends PageRequest {
  readonly csrfToken: () => string
}
