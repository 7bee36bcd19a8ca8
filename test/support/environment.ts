import vm from 'node:vm'
import { TestEnvironment } from 'jest-environment-node'

/**
 * Jest compiles each file anew for each suite, and most suites load the same three hundred. What a process has compiled once is run again
 * here, in the next suite's own context: nothing is shared but the code.
 */
const compiled = new Map<string, { readonly code: string; readonly script: vm.Script }>()

const { compileFunction } = vm
vm.compileFunction = ((code, parameters = [], options = {}) => {
  const { filename, parsingContext } = options
  if (filename === undefined || parsingContext === undefined)
    return compileFunction(code, parameters, options)
  let known = compiled.get(filename)
  if (known?.code !== code) {
    const before = `(function (${parameters.join()}) {`
    try {
      // On the line of its first statement, so that positions in stack traces stay what they are.
      const script = new vm.Script(`${before}${code}\n})`, { filename, columnOffset: -before.length })
      known = { code, script }
    } catch {
      // It says best what is wrong with it.
      return compileFunction(code, parameters, options)
    }
    compiled.set(filename, known)
  }
  return known.script.runInContext(parsingContext)
}) as typeof compileFunction

export default class CompiledOnce extends TestEnvironment {
  constructor(...[config, context]: ConstructorParameters<typeof TestEnvironment>) {
    super(config, context)
    // The coverage that V8 counts is told by positions in the file as it is, without the function around it.
    if (config.globalConfig.collectCoverage) vm.compileFunction = compileFunction
  }
}
