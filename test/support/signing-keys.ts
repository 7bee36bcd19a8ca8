/** Private signing keys of each algorithm: a host with keys of its own starts faster than one that makes them. */
export const signingKeys: Record<string, unknown>[] = JSON.parse(process.env.TEST_SIGNING_KEYS ?? '[]')
