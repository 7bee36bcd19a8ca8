/** Suites that start other programs (browsers, databases, npm) or send most take longest: begun last, one would keep the other processor waiting. */
const SLOW = [
  /\/test\/browser\//,
  /\/test\/store\//,
  /\/test\/cli\/(doctor|init|postgres)\.test\.ts$/,
  /\/test\/(hostile-input|package|token-races)\.test\.ts$/,
]

/** The order in which Jest runs the suites, the same on every machine; Jest's own needs the times of an earlier run. */
export default class SlowestFirst {
  /** @param {{ path: string }[]} tests */
  sort(tests) {
    const slow = ({ path }) => SLOW.some((pattern) => pattern.test(path))
    return [...tests.filter(slow), ...tests.filter((test) => !slow(test))]
  }

  /** `jest --onlyFailures` would ask. */
  allFailedTests() {
    return []
  }

  cacheResults() {}
}
