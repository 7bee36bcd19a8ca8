// Packages that ship ES modules only: Jest runs CommonJS, so they are compiled like our own files.
const esmOnly = ['jose', 'oauth4webapi', 'openid-client']

// Many short-lived objects: with more room for them the workers, which get the flags of this process, spend less time collecting.
process.execArgv.push('--max-semi-space-size=64')

export default {
  roots: ['<rootDir>/lib', '<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/consumers/'],
  testEnvironment: '<rootDir>/test/support/environment.ts',
  testTimeout: 120_000,
  // One more than the cores of a small machine: whoever waits for a browser or a disk leaves room for another.
  maxWorkers: 3,
  testSequencer: '<rootDir>/.build/slowest-first.js',
  globalSetup: '<rootDir>/test/support/before-all-suites.ts',
  setupFiles: ['<rootDir>/test/support/before-each-suite.ts'],
  resolver: '<rootDir>/test/support/resolver.cjs',
  moduleNameMapper: {
    '^express-oauth-provider$': '<rootDir>/lib/index.ts',
    '^express-oauth-provider/store-contract$': '<rootDir>/lib/store/contract.ts',
  },
  modulePathIgnorePatterns: ['<rootDir>/test/consumers/'],
  transform: {
    '\\.[jt]s$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'commonjs' },
        sourceMaps: 'inline',
      },
    ],
  },
  transformIgnorePatterns: [`/node_modules/(?!(?:${esmOnly.join('|')})/)`],
}
