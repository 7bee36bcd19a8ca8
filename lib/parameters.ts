import { OAuthError } from './errors.js'

/** More parameters than any request of the specifications has; beyond it a request is refused unread. */
const MOST_PARAMETERS = 256

/**
 * The parameters of one request. RFC 6749 §3.1 and §3.2: one without a value counts as left out, an unknown one is
 * ignored, and none may come twice.
 */
export class Parameters {
  readonly #values: ReadonlyMap<string, readonly string[]>
  readonly #anyRepeated: boolean
  /** Characters of the encoded parameters, where they came so. */
  readonly length: number

  private constructor(values: ReadonlyMap<string, readonly string[]>, length = 0) {
    this.#values = values
    this.#anyRepeated = isAnyLonger(values.values())
    this.length = length
  }

  /** Reads `application/x-www-form-urlencoded`: a query without its `?`, or a form body. */
  static parse(encoded: string): Parameters {
    const values = new Map<string, string[]>()
    let count = 0
    for (const [name, value] of new URLSearchParams(encoded)) {
      if (++count > MOST_PARAMETERS) throw tooManyParameters()
      append(values, name, value)
    }
    return new Parameters(values, encoded.length)
  }

  /**
   * Takes what a body parser of the host has made of the body. A parser that reads brackets makes a list of a repeated parameter; anything
   * else that is not a string was written with brackets, and counts as repeated, so that it is refused where it is known.
   */
  static fromParsed(body: object): Parameters {
    const entries = Object.entries(body)
    if (entries.length > MOST_PARAMETERS) throw tooManyParameters()
    const values = entries.map(([name, value]): [string, readonly string[]] => {
      if (typeof value === 'string') return [name, [value]]
      const repeated =
        Array.isArray(value) && value.length > 1 && value.every((item) => typeof item === 'string')
      return [name, repeated ? value : ['', '']]
    })
    return new Parameters(new Map(values))
  }

  /** The value, or undefined where it is missing, empty or repeated. */
  get(name: string): string | undefined {
    const values = this.#values.get(name)
    return values?.length === 1 && values[0] !== '' ? values[0] : undefined
  }

  /** Every value that is not empty, for `resource`, which may repeat (RFC 8707 §2). */
  all(name: string): readonly string[] {
    return this.#values.get(name)?.filter((value) => value !== '') ?? []
  }

  isRepeated(name: string): boolean {
    return (this.#values.get(name)?.length ?? 0) > 1
  }

  /** Throws `invalid_request` where one of these names came more than once. */
  refuseRepeated(names: readonly string[]): void {
    if (!this.#anyRepeated) return
    const repeated = names.find((name) => this.isRepeated(name))
    if (repeated === undefined) return
    const text = { key: 'error.parameter_repeated.message', values: { name: repeated } }
    throw new OAuthError('invalid_request', text, { reason: 'parameter_repeated' })
  }

  /** The parameters as a query, repeated ones included. */
  toString(): string {
    const query = new URLSearchParams()
    for (const [name, values] of this.#values) for (const value of values) query.append(name, value)
    return query.toString()
  }
}

function isAnyLonger(lists: Iterable<readonly string[]>): boolean {
  for (const { length } of lists) if (length > 1) return true
  return false
}

function append(values: Map<string, string[]>, name: string, value: string): void {
  const known = values.get(name)
  if (known) known.push(value)
  else values.set(name, [value])
}

function tooManyParameters(): OAuthError {
  const text = { key: 'error.too_many_parameters.message', values: { most: String(MOST_PARAMETERS) } }
  return new OAuthError('invalid_request', text, { reason: 'too_many_parameters' })
}
