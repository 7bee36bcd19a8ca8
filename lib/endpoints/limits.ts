/** The longest query of a request that comes by way of the browser, in characters. A longer one would not fit into the request line of every proxy. */
export const LONGEST_QUERY = 8 * 1024
