/** Suites that start other programs (npm, browsers, databases) or send most take longest: begun last, one would keep the other processor waiting. */
const SLOW = [
  /\/test\/(package|hostile-input)\.test\.ts$/,
  /\/test\/(browser|store)\//,
  /\/test\/cli\/(doctor|init|postgres)\.test\.ts$/,
  /\/test\/token-races\.test\.ts$/,
]

/** The order in which Jest runs the suites, the same on every machine; Jest's own needs the times of an earlier run. */
export default class SlowestFirst {
  /** @param {{ path: string }[]} tests */
  sort(tests) {
    // What matches none is the last: -1 becomes the largest number that there is.
    const rank = ({ path }) => SLOW.findIndex((pattern) => pattern.test(path)) >>> 0
    return [...tests].sort((a, b) => rank(a) - rank(b))
  }

  /** `jest --onlyFailures` would ask. */
  allFailedTests() {
    return []
  }

  cacheResults() {}
}
